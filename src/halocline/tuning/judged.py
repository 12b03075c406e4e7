"""Say of each row who was right, whatever the task: all that is tuned and measured rests on it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from halocline.decide.gate import Policy
from halocline.decide.tasks.same import is_same
from halocline.records import Array, Boxes, Interval, Task
from halocline.tuning.gathered import Gathered
from halocline.tuning.replay import read_edge, right
from halocline.tuning.rows import Truth
from halocline.tuning.truth import judge_of


class Always(NamedTuple):
    """What saying the same of every row would get right, without any model: the share, and what is said."""

    share: float
    said: str


class Judged(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Of each row: the edge's answer as the policy reads it, who was right, and whether the tiers agree.

    `index` int `[rows]` is the class that the edge gave, NO_CLASS where there is none; `counted` int
    `[rows]` the class that a row is counted in, the true one; all rows are in one where a task has none.
    Without labels the cloud's answers are the truth. `key` tells the labels of rows apart. `always` is
    None where the most frequent of `counted` is what one would say.
    """

    index: Array
    confidence: Array
    edge_right: Array
    cloud_right: Array
    same: Array
    counted: Array
    key: Array
    has_classes: bool
    always: Always | None = None


def judged(seen: Gathered, policy: Policy, truth: Truth | None) -> Judged:
    """Who was right about which row, under this policy's reading of the edge."""
    index, confidence = read_edge(seen, policy)
    if seen.said is None or seen.edge.task is Task.SCORE:
        return _by_class(seen, index, confidence, truth)
    edge, cloud = seen.said.edge, seen.said.cloud
    same = _each(is_same, edge, cloud)
    if truth is None or truth.values is None:
        edge_right, cloud_right, wanted = same, np.ones(seen.rows, dtype=bool), cloud
    else:
        is_right = judge_of(seen.edge, truth.tolerance)
        wanted = truth.values
        edge_right, cloud_right = (_each(is_right, values, wanted) for values in (edge, cloud))
    none = np.zeros(seen.rows, np.int64)
    return Judged(
        index=index,
        confidence=confidence,
        edge_right=edge_right,
        cloud_right=cloud_right,
        same=same,
        counted=none,
        key=none if truth is None else truth.key,
        has_classes=False,
        always=_always(wanted, None if truth is None else truth.tolerance),
    )


def _by_class(seen: Gathered, index: Array, confidence: Array, truth: Truth | None) -> Judged:
    wanted = seen.cloud_index if truth is None else truth.index
    return Judged(
        index=index,
        confidence=confidence,
        edge_right=right(index, wanted),
        cloud_right=right(seen.cloud_index, wanted),
        same=right(index, seen.cloud_index),
        counted=wanted,
        key=wanted,
        has_classes=True,
    )


def _each(is_right: Any, values: Sequence[Any], wanted: Sequence[Any]) -> Array:
    return np.asarray([is_right(*pair) for pair in zip(values, wanted, strict=True)], dtype=bool)


def _always(wanted: Sequence[Any], tolerance: float | None) -> Always:
    """Of pictures, that nothing is there; of numbers, the middle one."""
    if isinstance(wanted[0], Boxes):
        return Always(float(np.mean([not len(each) for each in wanted])), "nothing there")
    if isinstance(wanted[0], Interval):
        middle = float(np.median([each.value for each in wanted]))
        return Always(float(np.mean([each.low <= middle <= each.high for each in wanted])), f"{middle:.4g}")
    numbers = np.asarray(wanted, dtype=np.float64)
    middle = float(np.median(numbers))
    return Always(float((np.abs(numbers - middle) <= (tolerance or 0.0)).mean()), f"{middle:.4g}")
