"""Say whether an answer of a task is right, given the truth."""

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import msgspec
import numpy as np

from halocline.errors import Misconfigured, Rejected
from halocline.records import Anomaly, Array, Boxes, Interval, ModelSpec, Task
from halocline.stats.overlap import is_all_right
from halocline.tuning.rows import check_length

VERDICTS = ("normal", "anomaly")
"""What the classes of an anomaly scorer are called."""


def truth_of(spec: ModelSpec, y: Any, rows: int) -> Sequence[Any]:
    """What is true of each row, as `judge_of` takes it. Raises Rejected (HAL-305) where that is not told."""
    check_length("y", len(y), rows)
    if spec.task is Task.DETECT:
        return [in_order(each, spec) for each in y]
    given = _numbers(np.asarray(y), spec)
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if given.ndim != 1 or given.dtype.kind not in "fiub":
        raise Rejected("HAL-305", f"y must hold one number a row, got {given.dtype} {list(given.shape)}")
    wrong = ~np.isfinite(given) if spec.task is Task.REGRESS else (given != 0) & (given != 1)
    if wrong.any():
        at = int(wrong.argmax())
        wanted = "a number" if spec.task is Task.REGRESS else "0 or 1, whether it is an anomaly"
        raise Rejected("HAL-305", f"y must hold {wanted} for each row, got {given[at]} in row {at}")
    told: Sequence[Any] = given.tolist()
    return told


def _numbers(given: Array, spec: ModelSpec) -> Array:
    """A column of a table may come as text, and a verdict as a name; what is no number stays as it is."""
    if given.dtype.kind not in "UO":
        return given
    if spec.task is Task.SCORE and np.isin(given, VERDICTS).all():
        return np.asarray(given == VERDICTS[1])
    try:
        return given.astype(np.float64)
    except (TypeError, ValueError):
        return given


def judge_of(spec: ModelSpec, tolerance: float | None) -> Callable[[Any, Any], bool]:
    """What says of an answer and the truth whether it is right (see `tune`).

    Raises Misconfigured (HAL-102) for a tolerance that is none.
    """
    if spec.task is Task.DETECT:
        return lambda value, true: isinstance(value, Boxes) and is_all_right(value, true)
    if spec.task is Task.SCORE:
        return lambda value, true: isinstance(value, Anomaly) and value.is_anomaly == bool(true)
    if not isinstance(tolerance, Real) or not tolerance > 0:
        raise Misconfigured(
            "HAL-102",
            f"tolerance must say how far a right value may be from the truth, above 0, got {tolerance!r}",
        )
    reach = float(tolerance)
    return lambda value, true: isinstance(value, Interval) and abs(value.value - float(true)) <= reach


def in_order(true: Any, spec: ModelSpec) -> Boxes:
    """The boxes with the class numbers of the model's labels. Raises Rejected (HAL-305)."""
    if not isinstance(true, Boxes):
        raise Rejected(
            "HAL-305",
            f"y must hold hc.Boxes for each picture, got {type(true).__name__}. In a file, boxes are told by "
            "COCO annotations",
        )
    if true.labels is None or spec.labels is None:
        return true
    known = {label: at for at, label in enumerate(spec.labels)}
    stray = sorted(set(true.labels) - set(known))
    if stray:
        raise Rejected(
            "HAL-305", f"y: {stray[0]!r} is no label of {spec.ref}; its labels are {', '.join(known)}"
        )
    index = np.asarray([known[label] for label in true.labels], dtype=np.int64)
    return msgspec.structs.replace(true, index=index)
