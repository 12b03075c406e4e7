"""Finish, on one background thread, the exchanges that nobody waits for any more, or never did."""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from halocline.adapters.http.connection import Connection, LostError, Want
from halocline.adapters.http.exchange import Exchange, MalformedResponseError
from halocline.records import Reason

if TYPE_CHECKING:
    import socket
    from selectors import BaseSelector

Finished: TypeAlias = Callable[[Exception | None], None]
"""Called when an exchange is complete (None), or failed for a reason (LostError, MalformedResponseError)."""

EVENT_READ, EVENT_WRITE = 1, 2
"""As in `selectors`, which a start need not import."""

MAX_LATE = 16
"""So many unanswered exchanges are kept open; beyond, the oldest is given up, so that memory is bounded."""


class _Job:
    __slots__ = ("connection", "events", "exchange", "finished", "give_up_s")

    def __init__(
        self, connection: Connection, exchange: Exchange, give_up_s: float, finished: Finished
    ) -> None:
        self.connection = connection
        self.exchange = exchange
        self.give_up_s = give_up_s
        self.finished = finished
        self.events = 0


class Reaper:
    """One thread over a selector; it starts at the first need and ends with `close`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._new: deque[_Job] = deque()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._wake_in: socket.socket | None = None

    def adopt(self, connection: Connection, exchange: Exchange, give_up_s: float, finished: Finished) -> None:
        """Take over; `finished` is called once, on the reaper's thread, at `give_up_s` at the latest."""
        job = _Job(connection, exchange, give_up_s, finished)
        with self._lock:
            if not self._closing:
                self._new.append(job)
                if self._thread is None:
                    import socket  # not before there is something to reap

                    self._wake_in, wake_out = socket.socketpair()
                    self._wake_in.setblocking(False)
                    self._thread = threading.Thread(
                        target=self._run, args=(wake_out,), name=f"{self._name} reaper", daemon=True
                    )
                    self._thread.start()
                self._wake()
                return
        finished(LostError(Reason.REFUSED, "closed"))

    def close(self) -> None:
        """Give up everything and end the thread."""
        with self._lock:
            self._closing = True
            thread = self._thread
            self._wake()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _wake(self) -> None:
        if self._wake_in is not None:
            with contextlib.suppress(OSError):  # full: it is awake already; closed: it has ended
                self._wake_in.send(b"w")

    def _run(self, wake_out: "socket.socket") -> None:
        import selectors  # no part of a start, as socket above

        jobs: list[_Job] = []
        wake_out.setblocking(False)
        with selectors.DefaultSelector() as selector, wake_out:
            selector.register(wake_out, EVENT_READ)
            while True:
                next_s = min((job.give_up_s for job in jobs), default=None)
                timeout_s = None if next_s is None else max(next_s - time.monotonic(), 0.0)
                for key, _ in selector.select(timeout_s):
                    if key.data is None:
                        _drain(wake_out)
                    else:
                        self._advance(selector, jobs, key.data)
                with self._lock:
                    arrived = list(self._new)
                    self._new.clear()
                    closing = self._closing
                for job in arrived:
                    jobs.append(job)
                    self._advance(selector, jobs, job)
                self._give_up(selector, jobs, everything=closing)
                if closing:
                    break
        with self._lock:
            assert self._wake_in is not None
            self._wake_in.close()
            self._wake_in = None

    def _advance(self, selector: "BaseSelector", jobs: list[_Job], job: _Job) -> None:
        try:
            want = job.connection.pump(job.exchange)
        except (LostError, MalformedResponseError) as exc:
            self._end(selector, jobs, job, exc)
            return
        if want is Want.NOTHING:
            self._end(selector, jobs, job, None)
            return
        events = EVENT_READ if want is Want.READ else EVENT_WRITE
        if job.events == 0:
            selector.register(job.connection.sock, events, job)
        elif job.events != events:
            selector.modify(job.connection.sock, events, job)
        job.events = events

    def _give_up(self, selector: "BaseSelector", jobs: list[_Job], *, everything: bool) -> None:
        now_s = time.monotonic()
        excess = len(jobs) - MAX_LATE
        for position, job in enumerate(list(jobs)):
            if everything or position < excess or now_s >= job.give_up_s:
                self._end(selector, jobs, job, LostError(Reason.DEADLINE, "given up"))

    def _end(self, selector: "BaseSelector", jobs: list[_Job], job: _Job, error: Exception | None) -> None:
        if job.events:
            selector.unregister(job.connection.sock)
        jobs.remove(job)
        try:
            job.finished(error)
        except Exception:
            import logging  # 2 ms that a start need not pay

            logging.getLogger("halocline").exception("a late answer could not be handed on")


def _drain(wake_out: "socket.socket") -> None:
    with contextlib.suppress(BlockingIOError):
        while wake_out.recv(4096):
            pass
