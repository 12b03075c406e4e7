"""What a server needs of two tiers that it serves as one model, and of a model on another server."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from halocline.ports import Feed, Model
from halocline.records import Array, ModelRef, Reply
from halocline.serving.late import LateVerdicts


class CloudState(msgspec.Struct, frozen=True):
    """How the cloud does: its model (None while it is not known), its breaker, why the last call failed."""

    model: ModelRef | None
    breaker: str
    failure: str | None


class Tiers(Protocol):
    """Answers rows that the edge model has run on already, asking the cloud about those it is not sure of.

    Thread-safe.
    """

    def answer(
        self,
        feed: Feed,
        outputs: Sequence[Array],
        *,
        samples: Sequence[bytes] | None,
        began_s: float,
        edge_s: float,
    ) -> list[Reply]:
        """One reply a row, before the deadline that counts from `began_s` (on `time.perf_counter`).

        `feed` is what the edge's `conform_batch` gave for `samples` (None: for ready tensors), `outputs`
        what its `run` gave `edge_s` after it was asked.
        """

    def cloud(self) -> CloudState:
        """How the cloud does; asking costs no call."""


class Pair(NamedTuple):
    """Two tiers to be served as one model, under the edge model's name; `late` is what corrects it later."""

    edge: Model
    tiers: Tiers
    late: LateVerdicts | None = None


class ModelElsewhere(Model, Protocol):
    """A model on another server."""

    def run_as(self, call_id: str, feed: Feed) -> Sequence[Array]:
        """As `run`; the other server is told this id, so that its log can be held against ours."""


class Elsewhere(NamedTuple):
    """A model on another server, to be served here: each request waits for it in a thread of its own.

    It is neither warmed up nor batched: `run_as` gathers what waits by itself, and its errors are answers.
    """

    model: ModelElsewhere
