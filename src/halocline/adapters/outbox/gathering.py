"""Let many callers share one commit: one of those who wait does it for all of them."""

import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

MOST: Final = 256
"""So many are committed at once."""
_WAIT_SHARE: Final = 0.5
_LONGEST_WAIT_S: Final = 0.002


class _Ticket(Generic[T]):
    __slots__ = ("error", "is_done", "item", "turn")

    def __init__(self, item: T) -> None:
        self.item = item
        self.is_done = False
        self.error: BaseException | None = None
        self.turn = threading.Lock()
        self.turn.acquire()


class Gathering(Generic[T]):
    """Calls `commit` with the items of all who came in the meantime, on the thread of one of them.

    There is no thread between a caller and the disk: whoever finds nobody leading leads, and hands on to the
    first who waits. Callers whom a commit has just answered are on their way back, so a leader waits for as
    many as there were, for half of a commit's time at most: two groups that take turns would be half as fast.
    """

    def __init__(self, commit: Callable[[list[T]], None]) -> None:
        self._commit = commit
        self._lock = threading.Lock()
        self._waiting: list[_Ticket[T]] = []
        self._is_led = False
        self._expected = 1
        self._took_s = 0.0
        self._gathered = threading.Lock()
        self._gathered.acquire()
        self._wanted = 0
        """How many a leader waits for; 0 where none does."""

    def join(self, item: T) -> None:
        """Return when the item is committed; raise what its commit raised."""
        ticket = _Ticket(item)
        with self._lock:
            self._waiting.append(ticket)
            leads, self._is_led = not self._is_led, True
            if self._wanted and len(self._waiting) >= self._wanted:
                self._wanted = 0
                self._gathered.release()
        if not leads:
            ticket.turn.acquire()
        if not ticket.is_done:
            self._lead()
        if ticket.error is not None:
            raise ticket.error

    def _lead(self) -> None:
        self._gather()
        with self._lock:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        began_s = time.monotonic()
        error: BaseException | None = None
        try:
            self._commit([ticket.item for ticket in batch])
        except BaseException as raised:
            error = raised
        self._took_s = time.monotonic() - began_s
        for ticket in batch:
            ticket.error, ticket.is_done = error, True
        with self._lock:
            following = self._waiting[0] if self._waiting else None
            self._is_led = following is not None
            self._expected = min(len(batch) + len(self._waiting), MOST)
        if following is not None:
            following.turn.release()
        for ticket in batch:
            ticket.turn.release()

    def _gather(self) -> None:
        with self._lock:
            if len(self._waiting) >= self._expected:
                return
            self._wanted = self._expected
        came = self._gathered.acquire(timeout=min(self._took_s * _WAIT_SHARE, _LONGEST_WAIT_S))
        with self._lock:
            self._wanted = 0
            if not came:
                self._gathered.acquire(blocking=False)  # it came between the two
