"""Be a slow link, or one that breaks: a TCP proxy with delay, a bandwidth cap, a switch and byte counters."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from enum import StrEnum
from types import TracebackType
from typing import Any, Self, TypeVar

_T = TypeVar("_T")

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER "on, zero seconds": closing sends RST."""
CHUNK_BYTES = 2_048
"""Small enough that two connections share a slow link fairly."""
FREE_CHUNK_BYTES = 65_536
OPENING_BYTES = 1_024
"""So much of what a connection first brings back is remembered."""
AHEAD_S = 0.005
"""How far reading runs ahead of the link, so that late timers cost no bandwidth."""


class Existing(StrEnum):
    """What a cut does to the connections that are open."""

    FREEZE = "freeze"
    """Nothing passes and nobody is told; what was under way arrives after `restore`."""
    RESET = "reset"
    """Both sides see a reset."""


class Fresh(StrEnum):
    """What a cut does to connections that are tried while it lasts."""

    REFUSE = "refuse"
    """Connection refused."""
    SILENCE = "silence"
    """Accepted, and then nothing, until `restore`."""


class ThrottledLink:
    """A link to a port of this machine, with a delay and a bandwidth cap each way.

    `delay_s` is one way; `bits_per_s` is shared by all connections, each way; both may be set while it
    runs. `up_bytes` and `down_bytes` count what was put on the link, by its own count, whoever sent it;
    `openings` is what each connection first brought back.
    The TCP handshake itself is not delayed: the kernel answers it.
    """

    def __init__(
        self, target_port: int, *, delay_s: float = 0.0, bits_per_s: float | None = None, port: int = 0
    ) -> None:
        self.target_port = target_port
        self.delay_s = delay_s
        self.bits_per_s = bits_per_s
        self._up, self._down = _Lane(), _Lane()
        self._listener = _bound(port)
        self._address: tuple[str, int] = self._listener.getsockname()
        self._openings: list[bytearray] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="throttled-link", daemon=True)
        self._accepting: asyncio.Task[None] | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._closed = False
        self._thread.start()
        self._in_loop(self._restore())

    @property
    def port(self) -> int:
        """The port on 127.0.0.1 to connect to; it stays the same, cut or not."""
        return self._address[1]

    @property
    def up_bytes(self) -> int:
        """Bytes put on the link towards the target so far."""
        return self._up.total_bytes

    @property
    def down_bytes(self) -> int:
        """Bytes put on the link back from the target so far."""
        return self._down.total_bytes

    @property
    def openings(self) -> list[bytes]:
        """The first bytes that each connection brought back from the target; empty where it brought none."""
        return [bytes(opening) for opening in self._openings]

    def cut(self, existing: Existing | str = Existing.FREEZE, fresh: Fresh | str = Fresh.REFUSE) -> None:
        """Cut the link; returns once nothing passes any more."""
        self._in_loop(self._cut(Existing(existing), Fresh(fresh)))

    def restore(self) -> None:
        """Let everything pass again, and accept connections."""
        self._in_loop(self._restore())

    def close(self) -> None:
        """Reset what is open, and end the thread. May be called again."""
        if self._closed:
            return
        self._closed = True
        self._in_loop(self._cut(Existing.RESET, Fresh.REFUSE))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _in_loop(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    # The switch

    async def _cut(self, existing: Existing, fresh: Fresh) -> None:
        self._flowing.clear()
        if fresh is Fresh.REFUSE and self._accepting is not None:
            await _ended({self._accepting})
            self._accepting = None
            self._listener.close()
            # Bound and deaf: the port stays ours, and refuses.
            self._listener = _bound(self.port)
        if existing is Existing.RESET:
            await _ended(self._connections)

    async def _restore(self) -> None:
        self._flowing.set()
        if self._accepting is None:
            self._listener.setblocking(False)
            self._listener.listen(128)
            self._accepting = self._loop.create_task(self._accept())

    # Connections

    async def _accept(self) -> None:
        while True:
            near, _ = await self._loop.sock_accept(self._listener)
            connection = self._loop.create_task(self._connect(near))
            self._connections.add(connection)
            connection.add_done_callback(self._connections.discard)

    async def _connect(self, near: socket.socket) -> None:
        far = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            for sock in (near, far):
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._flowing.wait()
            await self._loop.sock_connect(far, ("127.0.0.1", self.target_port))
            await self._carry_both_ways(near, far)
        except OSError:
            _reset_on_close(near, far)
        except asyncio.CancelledError:
            _reset_on_close(near, far)
            raise
        finally:
            near.close()
            far.close()

    async def _carry_both_ways(self, near: socket.socket, far: socket.socket) -> None:
        to_far, to_near = _parcels(), _parcels()
        self._openings.append(opening := bytearray())
        tasks = {
            self._loop.create_task(self._load(self._up, near, to_far)),
            self._loop.create_task(self._unload(to_far, far)),
            self._loop.create_task(self._load(self._down, far, to_near, opening)),
            self._loop.create_task(self._unload(to_near, near)),
        }
        try:
            await asyncio.gather(*tasks)
        finally:
            await _ended(tasks)

    async def _load(
        self, lane: "_Lane", source: socket.socket, parcels: "_Parcels", opening: bytearray | None = None
    ) -> None:
        """Put what the source sends on the lane, as fast as the lane takes it, until the source ends."""
        part = b"?"
        while part:
            part = await self._loop.sock_recv(
                source, FREE_CHUNK_BYTES if self.bits_per_s is None else CHUNK_BYTES
            )
            if opening is not None and len(opening) < OPENING_BYTES:
                opening += part[: OPENING_BYTES - len(opening)]
            await self._flowing.wait()
            sent_s = lane.book(len(part), self._loop.time(), self.bits_per_s)
            await parcels.put((sent_s + self.delay_s, part))
            await self._sleep_until(sent_s - AHEAD_S)

    async def _unload(self, parcels: "_Parcels", target: socket.socket) -> None:
        """Hand each parcel to the target when it is due; an empty one ends the stream."""
        part = b"?"
        while part:
            due_s, part = await parcels.get()
            await self._sleep_until(due_s)
            await self._flowing.wait()
            if part:
                await self._loop.sock_sendall(target, part)
        target.shutdown(socket.SHUT_WR)

    async def _sleep_until(self, when_s: float) -> None:
        if (left_s := when_s - self._loop.time()) > 0:
            await asyncio.sleep(left_s)


_Parcels = asyncio.Queue[tuple[float, bytes]]


def _parcels() -> _Parcels:
    """What is on its way on one connection, with when it is due; full, it stops the sender, as TCP does."""
    return asyncio.Queue(maxsize=256)


class _Lane:
    """One direction of the link: who sends when, and how much was sent."""

    def __init__(self) -> None:
        self.total_bytes = 0
        self._free_s = 0.0

    def book(self, part_bytes: int, now_s: float, bits_per_s: float | None) -> float:
        """Take the lane for that many bytes; returns when the last of them has been sent."""
        self.total_bytes += part_bytes
        if bits_per_s is None:
            return now_s
        self._free_s = max(now_s, self._free_s) + part_bytes * 8 / bits_per_s
        return self._free_s


def _bound(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    return sock


def _reset_on_close(*sockets: socket.socket) -> None:
    for sock in sockets:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


async def _ended(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel the tasks and wait until they have ended."""
    for task in (ending := list(tasks)):
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
