"""Everything we ask of the world, one small Protocol a need."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import msgspec

from halocline.records import Array, Correction, ModelRef, ModelSpec, Outcome, Reason

Feed: TypeAlias = Mapping[str, Array]
"""Input arrays by input name, each with the batch as its first axis."""


class LateFeed(dict[str, Array]):
    """The edge's feed of rows, for an upstream whose model is not known yet: it asks for its own, `made`.

    Only an upstream that has a `prepare` of its own is given one.
    """

    def __init__(self, feed: Feed, made: Callable[[], Feed]) -> None:
        super().__init__(feed)
        self.made = made
        """The feed for the model, once that is known; may raise anything that preparing a sample raises."""


Function: TypeAlias = Callable[[Any], Any]
"""A batch `[rows, …]` (or a feed) to class probabilities `[rows, classes]`, or to outputs by name."""


class Model(Protocol):
    """A model in this process. Thread-safe."""

    @property
    def spec(self) -> ModelSpec:
        """What the model takes and gives."""

    def conform(self, sample: Any) -> dict[str, Array]:
        """Check one sample, with or without its batch axis, and give the feed of one row.

        Raises Rejected (HAL-301, HAL-302, HAL-303) saying what was expected, what came, what to try. A model
        whose input is described takes raw samples, and ready tensors as a mapping by input name.
        """

    def conform_batch(self, batch: Any) -> dict[str, Array]:
        """Check a batch of one row or more and give its feed. Raises as `conform` does."""

    def run(self, feed: Feed) -> Sequence[Array]:
        """The outputs, in the order of `spec.outputs`, for a feed that `conform` or `conform_batch` gave."""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """A model elsewhere answered: its outputs by name, one row for each row asked."""

    outputs: Mapping[str, Array]
    model: ModelRef
    elapsed_s: float


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """A model elsewhere gave no usable answer, why, and for how long it asked not to be called."""

    reason: Reason
    detail: str
    elapsed_s: float = 0.0
    retry_after_s: float | None = None
    status: int | None = None
    """The status that a server answered with, where it did."""


Verdict: TypeAlias = Answered | Failed


class Upstream(Protocol):
    """A model elsewhere, asked under a deadline. Thread-safe; its failures are values, not errors."""

    @property
    def spec(self) -> ModelSpec | None:
        """What the model takes and gives; None until it is known."""

    def call(
        self,
        feed: Feed,
        *,
        call_id: str,
        until_s: float,
        on_late: Callable[[Verdict], None] | None = None,
    ) -> Verdict:
        """Ask, and return at `until_s` (on `time.monotonic`) at the latest.

        After a return with the reason `deadline`, `on_late` receives what comes later, once, from
        another thread; it is not called where nothing comes.
        """

    def send(self, feed: Feed, *, call_id: str, on_verdict: Callable[[Verdict], None]) -> None:
        """Ask without waiting; `on_verdict` receives the verdict, once, from another thread."""

    def close(self) -> None:
        """End every call, thread and socket. May be called again."""


class OutcomeSink(Protocol):
    """Where outcomes go."""

    def record(self, outcome: Outcome) -> None:
        """Take one outcome, quickly, on the caller's thread; an error here is counted, not passed on."""


class CorrectionSink(Protocol):
    """Where the cloud's late verdicts go."""

    def __call__(self, correction: Correction, /) -> None:
        """Take one correction, on a background thread."""
