"""Say whether an answer of a task is right, given the truth."""

from collections.abc import Callable
from numbers import Real
from typing import Any

import msgspec
import numpy as np

from halocline.errors import Misconfigured, Rejected
from halocline.records import Anomaly, Boxes, Interval, ModelSpec, Task
from halocline.stats.overlap import is_all_right


def judge_of(spec: ModelSpec, tolerance: float | None) -> Callable[[Any, Any], bool]:
    """What says of an answer and the truth whether it is right (see `tune_task`).

    Raises Misconfigured (HAL-102) for a tolerance that is none; what it gives raises Rejected (HAL-305) for
    a truth that is none of this task.
    """
    if spec.task is Task.DETECT:
        return lambda value, true: isinstance(value, Boxes) and is_all_right(value, in_order(true, spec))
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
        raise Rejected("HAL-305", f"y must hold hc.Boxes for each picture, got {type(true).__name__}")
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
