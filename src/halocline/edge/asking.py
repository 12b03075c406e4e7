"""Hold one call as it was made: when it began, and what is asked for it alone."""

import time

import msgspec

from halocline.edge.ids import new_id
from halocline.records import Request


class Ask(msgspec.Struct, frozen=True):
    """One call; times are on `time.perf_counter`."""

    began_s: float
    deadline_s: float
    threshold: float | None
    want_async: bool
    request: Request | None

    def left_s(self) -> float:
        """Seconds until the deadline; negative after it."""
        return self.deadline_s - (time.perf_counter() - self.began_s)


def ids_for(request: Request | None, count: int) -> list[str]:
    """The ids of the rows of one call: the request's own where it has one."""
    return [request.id] if request is not None and request.id else [new_id() for _ in range(count)]
