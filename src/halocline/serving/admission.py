"""Decide whether a request is let in: ready, not draining, and within the limits on what waits."""

import math
from typing import Final

from halocline.errors import Rejected, Transient

MAX_RETRY_AFTER_S: Final = 30


class Full(Transient):
    """Too much is waiting; `retry_after_s` is when to try again, in whole seconds."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__("HAL-503", message)
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[type["Full"], tuple[str, int]]:  # type: ignore[override]  # other arguments
        return Full, (self.message, self.retry_after_s)


class NotServing(Full):
    """The server is starting or stopping: this one takes no requests, another may."""


class Admission:
    """Counts the requests that are in, and the bytes that they hold; used on one thread."""

    __slots__ = (
        "_max_body_bytes",
        "_max_held_bytes",
        "_max_queue",
        "draining",
        "held_bytes",
        "inside",
        "ready",
    )

    def __init__(self, *, max_queue: int, max_body_bytes: int, max_held_bytes: int) -> None:
        self._max_queue = max_queue
        self._max_body_bytes = max_body_bytes
        self._max_held_bytes = max_held_bytes
        self.inside = 0
        """Requests let in and not yet answered."""
        self.held_bytes = 0
        """Bytes of their bodies."""
        self.ready = False
        """Whether the models have passed their warm-up."""
        self.draining = False
        """Whether the server is about to stop; what is inside is finished."""

    @property
    def serving(self) -> bool:
        """Whether inference requests are taken."""
        return self.ready and not self.draining

    def enter(self, expected_s: float) -> None:
        """Let one request in, or raise Full or NotServing; `expected_s` is what one takes to answer."""
        if self.draining or not self.ready:
            state = "stopping" if self.draining else "starting"
            raise NotServing(f"the server is {state} and takes no requests", 1)
        if self.inside >= self._max_queue:
            retry_s = self._retry_after_s(expected_s)
            raise Full(
                f"{self.inside} requests are waiting, the most allowed; try again in {retry_s} s", retry_s
            )
        self.inside += 1

    def leave(self) -> None:
        """One request is answered."""
        self.inside -= 1

    def check_body(self, body_bytes: int) -> None:
        """Raise Rejected (HAL-504) for a body above the limit, known or grown to that size."""
        if body_bytes > self._max_body_bytes:
            raise Rejected(
                "HAL-504",
                f"the body has {body_bytes} bytes or more, the limit is {self._max_body_bytes}. "
                f"Send fewer rows at once",
            )

    def hold(self, body_bytes: int) -> None:
        """Take memory for a body, before it is read; give it back with `release`. Raises Full."""
        if self.held_bytes + body_bytes > self._max_held_bytes:
            raise Full(f"{self.held_bytes} bytes are waiting; try again in 1 s", 1)
        self.held_bytes += body_bytes

    def hold_prepared(self, tensor_bytes: int) -> None:
        """Take memory for what raw samples become, as if they had come as tensors. Raises as both above."""
        if tensor_bytes > self._max_body_bytes:
            raise Rejected(
                "HAL-504",
                f"the tensors of these samples take {tensor_bytes} bytes, the limit is "
                f"{self._max_body_bytes}. Send fewer rows at once",
            )
        self.hold(tensor_bytes)

    def release(self, body_bytes: int) -> None:
        """The body is let go."""
        self.held_bytes -= body_bytes

    def _retry_after_s(self, expected_s: float) -> int:
        return min(MAX_RETRY_AFTER_S, max(1, math.ceil(self.inside * expected_s)))
