"""Stand between program and callers and break a promise, so that the observer can be seen to notice."""

import time
from collections.abc import Iterator
from enum import StrEnum

from halocline.demo.answer import Answer

EVERY = 40
"""One reply in so many is tampered with."""
MOST_LATE = 3
"""Lateness takes time; three are enough to be noticed."""
LATE_S = 0.25


class Kind(StrEnum):
    """What is done to some of the replies."""

    DROP = "drop"
    DUPLICATE = "duplicate"
    LATE = "late"


class Delivery:
    """Hands replies on, as they are or as the saboteur wants."""

    def __init__(self, kind: Kind | None) -> None:
        self._kind = kind
        self._seen = 0

    def of(self, answer: Answer, *, deadline_s: float) -> Iterator[Answer]:
        """What the caller is given for this answer; `deadline_s` is how long it was ready to wait."""
        self._seen += 1
        tampered = self._kind is not None and self._seen % EVERY == 0
        if tampered and self._kind is Kind.DROP:
            return
        if tampered and self._kind is Kind.LATE and self._seen <= EVERY * MOST_LATE:
            time.sleep(deadline_s + LATE_S)
        yield answer
        if tampered and self._kind is Kind.DUPLICATE:
            yield answer
