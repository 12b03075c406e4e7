"""Hand the cloud's late verdicts on, to a callback or to whoever iterates."""

import threading
import time
from collections import deque
from collections.abc import Iterator

from halocline.errors import Misconfigured
from halocline.ports import CorrectionSink
from halocline.records import Correction

MAX_WAITING = 10_000
"""So many corrections wait for an iterator; beyond, the oldest is dropped and counted."""


class Corrections:
    """With a callback, each correction goes there; without one, it waits to be iterated."""

    def __init__(self, callback: CorrectionSink | None) -> None:
        self._callback = callback
        self._waiting: deque[Correction] = deque()
        self._arrived = threading.Condition()
        self._closed = False
        self.count = 0
        self.dropped = 0

    def put(self, correction: Correction) -> None:
        """Hand one on; an error in the callback is logged and does not spread."""
        with self._arrived:
            self.count += 1
            if self._callback is None:
                if len(self._waiting) >= MAX_WAITING:
                    self._waiting.popleft()
                    self.dropped += 1
                self._waiting.append(correction)
                self._arrived.notify()
                return
        try:
            self._callback(correction)
        except Exception:
            import logging  # 2 ms that a start need not pay

            logging.getLogger("halocline").exception("on_correction raised for request %s", correction.id)

    def iterate(self, timeout_s: float | None) -> Iterator[Correction]:
        """Corrections as they come, until none came for `timeout_s`, or until closed and empty.

        Raises Misconfigured (HAL-102) where a callback takes them: nothing would ever come.
        """
        if self._callback is not None:
            raise Misconfigured("HAL-102", "on_correction= takes the corrections; there are none to iterate")
        return self._iterate(timeout_s)

    def _iterate(self, timeout_s: float | None) -> Iterator[Correction]:
        while True:
            until_s = None if timeout_s is None else time.monotonic() + timeout_s
            with self._arrived:
                while not self._waiting:
                    left_s = None if until_s is None else until_s - time.monotonic()
                    if self._closed or (left_s is not None and left_s <= 0):
                        return
                    self._arrived.wait(left_s)
                correction = self._waiting.popleft()
            yield correction

    def close(self) -> None:
        """Let iterators end once they have taken what is there."""
        with self._arrived:
            self._closed = True
            self._arrived.notify_all()
