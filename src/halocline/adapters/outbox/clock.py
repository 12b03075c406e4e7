"""Tell the time that records age by, without asking a clock that jumps."""

import time
from collections.abc import Callable


def counted(since_s: float) -> Callable[[], float]:
    """Seconds that go on from `since_s`, the last count that was kept; no clock on a wall moves them.

    While the queue is closed they stand still: a record may then live longer than its time, never shorter.
    """
    began_s = time.monotonic()
    return lambda: since_s + time.monotonic() - began_s
