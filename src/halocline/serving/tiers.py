"""What a server needs of two tiers that it serves as one model, and what they answer as tensors."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec
import numpy as np

from halocline.errors import Misconfigured
from halocline.ports import Feed, Model
from halocline.records import Array, ModelRef, ModelSpec, Reply, ScoreKind, Task, TensorSpec


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
    """Two tiers to be served as one model, under the edge model's name."""

    edge: Model
    tiers: Tiers


def served_spec(edge: ModelSpec) -> ModelSpec:
    """What two tiers say of themselves: the edge's inputs, and its score output as probabilities.

    Raises Misconfigured (HAL-511) where the edge model does not classify.
    """
    found = [output for output in edge.outputs if output.name == edge.score_output]
    if not found or edge.task is not Task.CLASSIFY:
        is_other = edge.task is not Task.CLASSIFY
        does = f"is said to {edge.task}" if is_other else "gives no class scores"
        advice = "Serve each" if is_other else "Try --scores probabilities or --scores logits, or serve each"
        raise Misconfigured(
            "HAL-511",
            f"{edge.ref} {does}, and two tiers are served as one model only where both classify. "
            f"{advice} by itself, and put `Tiered` before them in a program",
        )
    return msgspec.structs.replace(edge, outputs=tuple(found), score_kind=ScoreKind.PROBABILITIES)


def row_tensors(spec: ModelSpec) -> tuple[TensorSpec, ...]:
    """The tensors of one value a row that are answered when a request names them.

    One that is called like the model's own output is left out: that name is taken.
    """
    own = {output.name for output in spec.outputs}
    return tuple(tensor for tensor in _ROW_TENSORS if tensor.name not in own)


class Answers(Sequence[Array]):
    """The replies as output arrays, in the order of `spec.outputs` and `row_tensors`; made when looked at."""

    def __init__(self, replies: Sequence[Reply], scores: TensorSpec, rows: Sequence[TensorSpec]) -> None:
        self.replies = replies
        self._scores = scores
        self._rows = rows

    def __len__(self) -> int:
        return 1 + len(self._rows)

    def __getitem__(self, place: int) -> Array:  # type: ignore[override]  # nobody asks for a slice
        if place == 0:
            return np.stack([_scores_of(reply) for reply in self.replies]).astype(self._scores.dtype)
        tensor = self._rows[place - 1]
        values = np.empty(len(self.replies), dtype=tensor.dtype)
        values[:] = [_VALUES[tensor.name](reply) for reply in self.replies]
        return values


def _scores_of(reply: Reply) -> Array:
    assert reply.scores is not None  # or served_spec would have refused the edge
    return reply.scores


def _label(reply: Reply) -> str:
    """The label; the class index as text where the model has no labels; empty where the row has no class."""
    if reply.label is not None:
        return reply.label
    return "" if reply.index is None else str(reply.index)


_TEXT: Final = "object"
_ROW_TENSORS: Final = (
    TensorSpec("tier", _TEXT, (-1,)),
    TensorSpec("reason", _TEXT, (-1,)),
    TensorSpec("confidence", "float64", (-1,)),
    TensorSpec("degraded", "bool", (-1,)),
    TensorSpec("label", _TEXT, (-1,)),
    TensorSpec("id", _TEXT, (-1,)),
)
_VALUES: Final[dict[str, Callable[[Reply], object]]] = {
    "tier": lambda reply: reply.tier.value,
    "reason": lambda reply: reply.reason.value,
    "confidence": lambda reply: reply.confidence,
    "degraded": lambda reply: reply.degraded,
    "label": _label,
    "id": lambda reply: reply.id,
}
