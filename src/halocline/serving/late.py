"""Keep the cloud's late verdicts of one model for whoever reads them, numbered and bounded."""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from halocline.records import Correction

MOST: Final = 10_000
"""So many wait for readers; beyond, the oldest goes, and who comes too late is told how many went."""


class Told(NamedTuple):
    """What a reader is told: `next` is what it asks after the next time, `missed` what is gone."""

    corrections: tuple[tuple[int, Correction], ...]
    next: int
    missed: int


class LateVerdicts:
    """The last corrections of one model, numbered from 1. Thread-safe."""

    def __init__(self, most: int = MOST) -> None:
        self._kept: deque[Correction] = deque(maxlen=most)
        self._last = 0
        self._listeners: set[Callable[[], object]] = set()
        self._lock = threading.Lock()

    def put(self, correction: Correction) -> None:
        """Keep one, and wake whoever listens."""
        with self._lock:
            self._kept.append(correction)
            self._last += 1
            listeners = tuple(self._listeners)
        for wake in listeners:
            wake()

    def after(self, number: int) -> Told:
        """What came after that number; one that was never given is of an earlier run, and counts as 0."""
        with self._lock:
            seen = number if number <= self._last else 0
            gone = self._last - len(self._kept)
            first = max(seen, gone)
            fresh = list(islice(self._kept, first - gone, None))
        return Told(tuple(enumerate(fresh, first + 1)), self._last, first - seen)

    @contextlib.contextmanager
    def listening(self, wake: Callable[[], object]) -> Iterator[None]:
        """`wake` is called at each new one, from any thread, until the block ends."""
        with self._lock:
            self._listeners.add(wake)
        try:
            yield
        finally:
            with self._lock:
                self._listeners.discard(wake)
