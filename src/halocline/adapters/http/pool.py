"""Give each call a connection that is open already; gather what waits; never let one caller block another.

The calling thread drives its connection itself. Opening connections is done by short-lived background
threads; what outlives its caller's deadline goes to the reaper.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from halocline.adapters.http.connection import Connection, ExpiredError, LostError
from halocline.adapters.http.exchange import Exchange, MalformedResponseError
from halocline.adapters.http.reaper import Reaper
from halocline.errors import HaloclineError
from halocline.ports import Answered, Failed, Feed, LateFeed, Verdict
from halocline.records import Reason

if TYPE_CHECKING:
    import socket

FIRST_BACKOFF_S = 0.05
LONGEST_BACKOFF_S = 0.5
"""A failed connection is not tried again for this long at most; shorter than a breaker's probe interval,
or a probe would meet the backoff and a recovery go unnoticed."""
STUCK_DIAL_S = 1.0
"""A connection attempt that hangs for longer gets company: the name server may have come back."""
MAX_DIALS = 3
CLOSE_S = 3.0
"""Closing waits so long for an attempt that cannot be interrupted: a name look-up."""


class Call:
    """One caller's rows on their way."""

    __slots__ = ("background", "batch", "connection", "expired", "feed", "id", "on_late",
                 "rows", "started_s", "until_s", "verdict", "wake")  # fmt: skip

    def __init__(
        self,
        feed: Feed,
        rows: int,
        call_id: str,
        until_s: float,
        on_late: Callable[[Verdict], None] | None,
        *,
        background: bool = False,
    ) -> None:
        self.feed = feed
        self.rows = rows
        self.id = call_id
        self.started_s = time.monotonic()
        self.until_s = until_s
        self.on_late = on_late
        self.background = background
        self.wake: threading.Lock | None = None
        self.verdict: Verdict | None = None
        self.expired = False
        self.connection: Connection | None = None
        self.batch: list[Call] = []
        """Those that travel with it; empty where it travels alone (in a list, it would keep itself alive)."""

    def travels_with(self, other: "Call") -> bool:
        """Whether both can go in one request: the same inputs, row for row of one kind."""
        if isinstance(self.feed, LateFeed) or isinstance(other.feed, LateFeed):
            return False  # what will travel is not known yet
        return self.background == other.background and _row_kinds(self.feed) == _row_kinds(other.feed)


class Codec(Protocol):
    """Calls to a request, a response to verdicts."""

    def encode(self, calls: Sequence[Call]) -> Exchange:
        """One request for the rows of all the calls."""

    def decode(self, exchange: Exchange, calls: Sequence[Call]) -> list[Verdict]:
        """One verdict for each call; a useless response is a verdict too."""


class Pool:
    """Connections to one upstream, and the calls that wait for one."""

    def __init__(
        self,
        name: str,
        codec: Codec,
        dial: "Callable[[Callable[[socket.socket], None]], Connection]",
        *,
        max_connections: int,
        max_batch: int,
        late_s: float,
    ) -> None:
        self._name = name
        self._codec = codec
        self._dial = dial
        self._max_connections = max_connections
        self._max_batch = max_batch
        self._late_s = late_s
        self._reaper = Reaper(name)
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._active: set[Connection] = set()
        self._waiting: deque[Call] = deque()
        self._dials: dict[threading.Thread, float] = {}
        self._dialled: set[socket.socket] = set()
        self._failure: Failed | None = None
        self._retry_s = 0.0
        self._backoff_s = FIRST_BACKOFF_S
        self._generation = 0
        self._closed = False

    def open_ahead(self) -> None:
        """Open a connection in the background, if there is none."""
        with self._lock:
            if not self._idle and not self._active:
                self._start_dial()

    def reopen(self) -> None:
        """From now on use connections that are opened anew; what is under way ends where it is."""
        with self._lock:
            self._generation += 1
            idle, self._idle = self._idle, []
            # What failed may have failed by what has changed: the next attempt need not wait.
            self._retry_s, self._backoff_s = 0.0, FIRST_BACKOFF_S
            self._start_dial()
        for connection in idle:
            connection.close()

    def call(self, call: Call) -> Verdict:
        """Carry the call, or be carried; back at its `until_s` at the latest."""
        while True:
            connection = self._acquire(call) or self._wait(call)
            if connection is not None:
                self._carry(connection, call)
            if call.verdict is not None:
                return call.verdict

    def send(self, call: Call) -> None:
        """Have the reaper carry a background call; its `on_late` receives the verdict."""
        connection = self._acquire(call)
        if connection is not None:
            self._start_in_background(connection, call.batch or [call])
        elif call.verdict is not None and call.on_late is not None:
            call.on_late(call.verdict)

    @property
    def failure(self) -> Failed | None:
        """Why the last attempt to connect failed; None where it did not."""
        return self._failure

    def counts(self) -> dict[str, int]:
        """How many connections and calls are in which state."""
        with self._lock:
            return {
                "idle": len(self._idle),
                "active": len(self._active),
                "opening": len(self._dials),
                "waiting": len(self._waiting),
            }

    def close(self) -> None:
        """End everything: waiting calls are refused, sockets closed, threads joined."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            active = list(self._active)
            waiting, self._waiting = list(self._waiting), deque()
            dials, dialled = list(self._dials), list(self._dialled)
        for connection in idle:
            connection.close()
        for call in waiting:
            self._deliver(call, Failed(reason=Reason.REFUSED, detail="closed"))
        for sock in (*dialled, *(connection.sock for connection in active)):
            _interrupt(sock)
        self._reaper.close()
        for thread in dials:
            thread.join(CLOSE_S)

    # Getting a connection

    def _acquire(self, call: Call) -> Connection | None:
        """An idle connection; else None, with the call queued or its verdict set."""
        with self._lock:
            if self._closed:
                call.verdict = Failed(reason=Reason.REFUSED, detail="closed")
                return None
            if self._idle:
                connection = self._idle.pop()
                self._active.add(connection)
                call.batch = []
                return connection
            now_s = time.monotonic()
            if self._failure is not None and now_s < self._retry_s and not self._active:
                call.verdict = self._failure
                return None
            if call.wake is None:
                call.wake = threading.Lock()
                call.wake.acquire()
            self._waiting.append(call)
            self._start_dial()
            return None

    def _wait(self, call: Call) -> Connection | None:
        """Wait to be carried (the verdict is set), to lead (a connection comes back), or for the deadline."""
        if call.verdict is not None:
            return None
        assert call.wake is not None
        call.wake.acquire(timeout=max(call.until_s - time.monotonic(), 0.0))
        with self._lock:
            if call.verdict is not None:
                return None
            connection, call.connection = call.connection, None
            if connection is None:
                call.expired = True
                if call in self._waiting:
                    self._waiting.remove(call)
        if connection is None:
            call.verdict = self._expired(call)
        return connection

    def _start_dial(self) -> None:
        """Start a connection attempt if one is of use; the lock is held."""
        now_s = time.monotonic()
        stuck = all(now_s - since_s > STUCK_DIAL_S for since_s in self._dials.values())
        open_now = len(self._active) + len(self._idle) + len(self._dials)
        room = open_now < self._max_connections
        if self._closed or not room or not stuck or len(self._dials) >= MAX_DIALS or now_s < self._retry_s:
            return
        thread = threading.Thread(target=self._run_dial, name=f"{self._name} connect", daemon=True)
        self._dials[thread] = now_s
        thread.start()

    def _run_dial(self) -> None:
        sockets: list[socket.socket] = []

        def opened(sock: "socket.socket") -> None:
            with self._lock:
                sockets.append(sock)
                self._dialled.add(sock)
                closed = self._closed
            if closed:
                _interrupt(sock)

        connection, failure = None, None
        generation = self._generation  # read before what the attempt is made with
        try:
            connection = self._dial(opened)
            connection.generation = generation
        except LostError as exc:
            failure = Failed(reason=exc.reason, detail=exc.detail, status=exc.status)
        with self._lock:
            del self._dials[threading.current_thread()]
            self._dialled.difference_update(sockets)
            self._failure = failure
            victims: list[Call] = []
            if failure is not None:
                self._retry_s = time.monotonic() + self._backoff_s
                self._backoff_s = min(self._backoff_s * 2, LONGEST_BACKOFF_S)
                if not self._active and not self._dials:
                    victims, self._waiting = list(self._waiting), deque()
            elif connection is not None:
                self._retry_s, self._backoff_s = 0.0, FIRST_BACKOFF_S
                self._active.add(connection)
        for call in victims:
            assert failure is not None
            self._deliver(call, failure)
        if connection is not None:
            self._release(connection)
        for sock in sockets if connection is None else ():
            sock.close()

    # Using it

    def _carry(self, connection: Connection, leader: Call) -> None:
        """Drive one exchange for the leader and those who travel with it."""
        calls = leader.batch or [leader]
        exchange = self._encode(connection, calls, leader)
        if exchange is None:
            return
        try:
            connection.drive(exchange, leader.until_s)
        except ExpiredError:
            leader.expired = True
            leader.verdict = self._expired(leader)
            self._hand_over(connection, exchange, calls, time.monotonic() + self._late_s)
            return
        except (LostError, MalformedResponseError) as exc:
            self._discard(connection)
            if isinstance(exc, LostError) and connection.kept and not exchange.received_bytes:
                self._again(calls[1:])  # the server had closed an idle connection; nothing was answered
                return
            self._settle(calls, [_failed(exc, call) for call in calls], leader)
            return
        verdicts = self._codec.decode(exchange, calls)
        if exchange.reusable:
            self._release(connection)
        else:
            self._discard(connection)
        self._settle(calls, verdicts, leader)

    def _encode(self, connection: Connection, calls: Sequence[Call], leader: Call | None) -> Exchange | None:
        """The request; None where the rows cannot be written in the protocol, which settles the calls."""
        try:
            return self._codec.encode(calls)
        except HaloclineError as exc:
            self._release(connection)
            refusal = Failed(reason=Reason.NOT_SENT, detail=exc.message)
            self._settle(calls, [refusal] * len(calls), leader)
            return None

    def _start_in_background(self, connection: Connection, calls: list[Call]) -> None:
        exchange = self._encode(connection, calls, None)
        if exchange is not None:
            self._hand_over(connection, exchange, calls, calls[0].until_s)

    def _hand_over(
        self, connection: Connection, exchange: Exchange, calls: list[Call], give_up_s: float
    ) -> None:
        """Let the reaper finish; the connection leaves the pool until it has."""

        def finished(error: Exception | None) -> None:
            if error is None:
                verdicts = self._codec.decode(exchange, calls)
            else:
                verdicts = [_failed(error, call) for call in calls]
            if error is None and exchange.reusable:
                with self._lock:
                    self._active.add(connection)
                self._release(connection)
            else:
                connection.close()
            self._settle(calls, verdicts, None)

        with self._lock:
            self._active.discard(connection)
            if not self._idle:
                self._start_dial()
        self._reaper.adopt(connection, exchange, give_up_s, finished)

    def _release(self, connection: Connection) -> None:
        """Give the connection to those who wait, or keep it; one from before `reopen` ends."""
        if connection.generation != self._generation:
            self._discard(connection)
            return
        with self._lock:
            batch = [] if self._closed else self._next_batch()
            keep = not self._closed and len(self._active) + len(self._idle) <= self._max_connections
            if not batch:
                self._active.discard(connection)
                if keep:
                    connection.kept = True
                    self._idle.append(connection)
            elif not batch[0].background:
                leader = batch[0]
                leader.batch = batch if len(batch) > 1 else []
                leader.connection = connection
                assert leader.wake is not None
                leader.wake.release()
        if not batch and not keep:
            connection.close()
        elif batch and batch[0].background:
            self._start_in_background(connection, batch)

    def _next_batch(self) -> list[Call]:
        """The call that waited longest and those that may travel with it; the lock is held."""
        if not self._waiting:
            return []
        leader = self._waiting.popleft()
        batch, rows = [leader], leader.rows
        for call in list(self._waiting):
            if call.travels_with(leader) and rows + call.rows <= self._max_batch:
                self._waiting.remove(call)
                batch.append(call)
                rows += call.rows
        return batch

    def _discard(self, connection: Connection) -> None:
        connection.close()
        with self._lock:
            self._active.discard(connection)
            if not self._idle:
                self._start_dial()

    def _again(self, calls: Sequence[Call]) -> None:
        with self._lock:
            self._waiting.extendleft(reversed([call for call in calls if not call.expired]))

    def _settle(self, calls: Sequence[Call], verdicts: Sequence[Verdict], leader: Call | None) -> None:
        for call, verdict in zip(calls, verdicts, strict=True):
            if call is leader:
                call.verdict = verdict
            else:
                self._deliver(call, verdict)

    def _deliver(self, call: Call, verdict: Verdict) -> None:
        """Wake the caller, or, where nobody waits any more, tell it as a late answer."""
        with self._lock:
            waits = not call.expired and not call.background
            if waits:
                call.verdict = verdict
        if waits:
            assert call.wake is not None
            call.wake.release()
        elif call.on_late is not None and (call.background or isinstance(verdict, Answered)):
            call.on_late(verdict)

    def _expired(self, call: Call) -> Failed:
        elapsed_s = time.monotonic() - call.started_s
        cause = f" ({self._failure.detail})" if self._failure is not None else ""
        return Failed(
            reason=Reason.DEADLINE, detail=f"no answer within {elapsed_s:.3f} s{cause}", elapsed_s=elapsed_s
        )


def _failed(error: Exception, call: Call) -> Failed:
    elapsed_s = time.monotonic() - call.started_s
    if isinstance(error, LostError):
        return Failed(reason=error.reason, detail=error.detail, elapsed_s=elapsed_s)
    return Failed(reason=Reason.INVALID_ANSWER, detail=str(error), elapsed_s=elapsed_s)


def _row_kinds(feed: Feed) -> list[tuple[str, object, tuple[int, ...]]]:
    return [(name, array.dtype, array.shape[1:]) for name, array in feed.items()]


def _interrupt(sock: "socket.socket") -> None:
    import socket  # whoever opened it has loaded it

    with contextlib.suppress(OSError):
        # The plain shutdown, also under TLS: another thread is inside the TLS object.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
