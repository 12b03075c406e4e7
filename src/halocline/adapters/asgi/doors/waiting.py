"""Let devices wait for a change of what is wanted of them, without a thread or a transaction for each."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import Final

from halocline.adapters.asgi.answers import Disconnected, Receive
from halocline.errors import HaloclineError
from halocline.hub.store import Store

MOST_EACH: Final = 2
"""So many requests of one device wait: a second may come before the hub notices that the first is gone."""
LOOK_EVERY_S: Final = 1.0
"""So often one query asks for all who wait: another hub on the same database may have changed something."""
_TICK_S: Final = 0.25
"""So soon those who wait hear that the hub stops."""


class WaitingRoom:
    """Used on one event loop, but for `changed`. At most `most` requests wait, none while `is_stopping`."""

    def __init__(
        self, store: Store, executor: Executor, *, most: int, is_stopping: Callable[[], bool]
    ) -> None:
        self._store = store
        self._executor = executor
        self._most = most
        self._waiting: dict[str, set[_Waiter]] = {}
        self._count = 0
        self._is_stopping = is_stopping
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        """How many wait."""
        return self._count

    def changed(self, device_id: str) -> None:
        """Something else is wanted of that device, or it is out. Thread-safe."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                self._loop.call_soon_threadsafe(self._wake, device_id)

    async def wait(self, device_id: str, generation: int, wait_s: float, receive: Receive) -> bool:
        """Until another generation is wanted, or `wait_s` have passed; False where there is no room to wait.

        Raises Disconnected where the device goes away.
        """
        if self._is_stopping() or self._count >= self._most:
            return False
        if len(self._waiting.get(device_id, ())) >= MOST_EACH:
            return False
        loop = asyncio.get_running_loop()
        self._watch(loop)
        gone = loop.create_task(_gone(receive))
        try:
            with self._inside(device_id, _Waiter(generation, loop.create_future())) as waiter:
                done, _ = await asyncio.wait(
                    {gone, waiter.changed}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED
                )
        finally:
            gone.cancel()
        if gone in done:
            raise Disconnected
        return not self._is_stopping()

    @contextlib.contextmanager
    def _inside(self, device_id: str, waiter: "_Waiter") -> Iterator["_Waiter"]:
        self._waiting.setdefault(device_id, set()).add(waiter)
        self._count += 1
        try:
            yield waiter
        finally:
            self._count -= 1
            self._waiting[device_id].discard(waiter)
            if not self._waiting[device_id]:
                del self._waiting[device_id]

    def _wake(self, device_id: str) -> None:
        for waiter in self._waiting.get(device_id, ()):
            if not waiter.changed.done():
                waiter.changed.set_result(None)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        if self._watching is None or self._watching.done():
            self._watching = loop.create_task(self._look_on(loop))

    async def _look_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """As long as somebody waits, see what others have changed."""
        looked_s = time.monotonic()
        while self._count:
            await asyncio.sleep(_TICK_S)
            if self._is_stopping():
                for device_id in self._waiting:
                    self._wake(device_id)
            elif time.monotonic() - looked_s >= LOOK_EVERY_S:
                with contextlib.suppress(HaloclineError):  # a database that is away is told by who needs it
                    self._compare(await loop.run_in_executor(self._executor, self._newest, [*self._waiting]))
                looked_s = time.monotonic()

    def _compare(self, newest: Mapping[str, int]) -> None:
        for device_id, waiters in self._waiting.items():
            if any(waiter.generation != newest.get(device_id) for waiter in waiters):
                self._wake(device_id)

    def _newest(self, device_ids: Sequence[str]) -> Mapping[str, int]:
        with self._store.look() as tx:
            return tx.generations(device_ids)


class _Waiter:
    """One request that waits, and the generation that its device has."""

    def __init__(self, generation: int, changed: "asyncio.Future[None]") -> None:
        self.generation = generation
        self.changed = changed


async def _gone(receive: Receive) -> None:
    """Return when the other side goes away."""
    while (await receive())["type"] != "http.disconnect":
        pass
