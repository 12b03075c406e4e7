"""What two tiers that are served as one model answer in tensors: the same, whichever tier answered."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from halocline.decide.outputs import DetectOutput, Output, RegressOutput, ScoreOutput
from halocline.errors import Misconfigured
from halocline.records import Anomaly, Array, Interval, ModelSpec, Reply, ScoreKind, Task, TensorSpec


class Column(NamedTuple):
    """One output: what is told of it, and how it is made of the replies."""

    tensor: TensorSpec
    of: Callable[[Sequence[Reply]], Array]


class TieredOutputs(NamedTuple):
    """What two tiers say of themselves, the outputs that they always answer, and those on request."""

    spec: ModelSpec
    own: tuple[Column, ...]
    on_request: tuple[Column, ...]


def tiered_outputs(edge: ModelSpec) -> TieredOutputs:
    """The outputs of two tiers with that edge model; of its inputs all stays.

    A classifier's are its scores, as probabilities; those of another task say what `Reply.value` does. A row
    tensor that is called like one of them is left out: that name is taken.

    Raises Misconfigured (HAL-511) where there is nothing that both tiers could answer.
    """
    own, form = _own(edge)
    names = {column.tensor.name for column in own}
    rows = tuple(
        column
        for column in _ROWS
        if column.tensor.name not in names and (form is None or column.tensor.name != "label")
    )
    outputs = tuple(column.tensor for column in own)
    if form is None:
        spec = msgspec.structs.replace(edge, outputs=outputs, score_kind=ScoreKind.PROBABILITIES)
    else:
        spec = msgspec.structs.replace(edge, outputs=outputs, output=form, score_output=None, score_kind=None)
    return TieredOutputs(spec, own, rows)


class Answers(Sequence[Array]):
    """The replies as output arrays, one for each column; made when looked at."""

    def __init__(self, replies: Sequence[Reply], columns: Sequence[Column]) -> None:
        self.replies = replies
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns)

    def __getitem__(self, place: int) -> Array:  # type: ignore[override]  # nobody asks for a slice
        return self._columns[place].of(self.replies)


def _own(edge: ModelSpec) -> tuple[tuple[Column, ...], Output | None]:
    """The outputs that are always answered, and how they are read where the task is not classification."""
    match edge.output:
        case DetectOutput() as output:
            return _boxes(output.max_boxes), DetectOutput(
                layout="ssd",
                boxes_output="boxes",
                scores_output="box_scores",
                classes_output="box_classes",
                count_output="box_count",
                units="sent",
                # All are answers already, of whichever tier: none is left out again.
                score_threshold=0.001,
                iou_threshold=1.0,
                max_boxes=output.max_boxes,
                confidence_output="confidence",
            )
        case RegressOutput() as output:
            return _INTERVAL, RegressOutput(
                kind="quantiles",
                full_width=output.full_width,
                low_output="low",
                value_output="value",
                high_output="high",
                confidence_output="confidence",
            )
        case ScoreOutput() as output:
            return _ANOMALY, msgspec.structs.replace(
                output,
                output="anomaly_score",
                verdict_output="is_anomaly",
                confidence_output="confidence",
            )
    for tensor in edge.outputs:
        if tensor.name == edge.score_output and edge.task is Task.CLASSIFY:
            return (Column(tensor, _scores_as(np.dtype(tensor.dtype))),), None
    raise Misconfigured(
        "HAL-511",
        f"{edge.ref} gives no class scores, and it is not said how the outputs of another task are read. Try "
        "--scores probabilities or --scores logits, or a table [detect], [regress] or [score] in its "
        "description; or `Tiered` as a library",
    )


def _scores_as(dtype: "np.dtype[Any]") -> Callable[[Sequence[Reply]], Array]:
    def of(replies: Sequence[Reply]) -> Array:
        scores = [reply.scores for reply in replies if reply.scores is not None]
        assert len(scores) == len(replies)  # a model with a score output gives all of them
        return np.stack(scores).astype(dtype)

    return of


def _boxes(most: int) -> tuple[Column, ...]:
    """Boxes as tensors, the likeliest first, filled up to `most` rows a picture."""

    def count(reply: Reply) -> int:
        return 0 if reply.value is None else min(len(reply.value), most)

    return (
        Column(
            TensorSpec("boxes", "float32", (-1, most, 4)),
            _filled(lambda found: found.xyxy, (most, 4), np.float32(0)),
        ),
        Column(
            TensorSpec("box_scores", "float32", (-1, most)),
            _filled(lambda found: found.scores, (most,), np.float32(0), no_answer=np.float32(np.nan)),
        ),
        Column(
            TensorSpec("box_classes", "int64", (-1, most)),
            _filled(lambda found: found.index, (most,), np.int64(-1)),
        ),
        _each("box_count", "int64", count),
    )


def _filled(
    part_of: Callable[[Any], Array],
    shape: tuple[int, ...],
    rest: np.generic,
    no_answer: np.generic | None = None,
) -> Callable[[Sequence[Reply]], Array]:
    """One part of what was found, filled up with `rest`; without an answer all is `no_answer`, or `rest`."""

    def of(replies: Sequence[Reply]) -> Array:
        array = np.full((len(replies), *shape), rest)
        for row, reply in zip(array, replies, strict=True):
            if reply.value is None:
                row[:] = rest if no_answer is None else no_answer
            else:
                part = part_of(reply.value)[: shape[0]]
                row[: len(part)] = part
        return array

    return of


def _each(name: str, dtype: str, value: Callable[[Reply], object]) -> Column:
    """One value a row."""

    def of(replies: Sequence[Reply]) -> Array:
        values = np.empty(len(replies), dtype=dtype)
        values[:] = [value(reply) for reply in replies]
        return values

    return Column(TensorSpec(name, dtype, (-1,)), of)


_NONE: Final = Interval(math.nan, math.nan, math.nan)
_UNSCORED: Final = Anomaly(math.nan, False)
"""For rows whose outputs hold NaN: they have no answer."""

_INTERVAL: Final = (
    _each("value", "float64", lambda reply: (reply.value or _NONE).value),
    _each("low", "float64", lambda reply: (reply.value or _NONE).low),
    _each("high", "float64", lambda reply: (reply.value or _NONE).high),
)
_ANOMALY: Final = (
    _each("anomaly_score", "float64", lambda reply: (reply.value or _UNSCORED).score),
    _each("is_anomaly", "bool", lambda reply: (reply.value or _UNSCORED).is_anomaly),
)


def _label(reply: Reply) -> str:
    """The label; the class index as text where the model has no labels; empty where the row has no class."""
    if reply.label is not None:
        return reply.label
    return "" if reply.index is None else str(reply.index)


_ROWS: Final = (
    _each("tier", "object", lambda reply: reply.tier.value),
    _each("reason", "object", lambda reply: reply.reason.value),
    _each("confidence", "float64", lambda reply: reply.confidence),
    _each("degraded", "bool", lambda reply: reply.degraded),
    _each("label", "object", _label),
    _each("id", "object", lambda reply: reply.id),
)
