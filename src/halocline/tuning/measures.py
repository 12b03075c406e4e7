"""Measure what a share of right answers does not tell: how far numbers are off, how good boxes are."""

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np

from halocline.records import Array, Boxes, Interval, Task
from halocline.stats.detection import Precision, mean_average_precision
from halocline.tuning.gathered import Gathered, verdicts
from halocline.tuning.rows import Truth
from halocline.tuning.said import Said


class Measure(msgspec.Struct, frozen=True):
    """One figure of both tiers alone and together; None where these rows do not tell it.

    `is_share` tells a share from a number in the unit of the target.
    """

    name: str
    edge: float | None
    cloud: float | None
    tiered: float | None
    is_share: bool = True


def measures_of(seen: Gathered, truth: Truth | None, up: Sequence[bool]) -> tuple[Measure, ...]:
    """The figures of the task against labels, none without them; `up` says of each row whether it goes up."""
    if truth is None or seen.said is None:
        return ()
    ways = _ways(seen.said, up)
    if seen.edge.task is Task.SCORE:
        return _of_verdicts(ways, truth)
    assert truth.values is not None  # the other tasks have no classes
    if seen.edge.task is Task.REGRESS:
        edge, cloud, tiered = (_mean_error(values, truth.values) for values in ways)
        return (Measure("mean absolute error", edge, cloud, tiered, is_share=False),)
    return _of_boxes(ways, truth.values)


_Ways: TypeAlias = tuple[Sequence[Any], Sequence[Any], Sequence[Any]]
"""The answers of the edge, of the cloud, and of both together."""


def _ways(said: Said, up: Sequence[bool]) -> _Ways:
    tiered = [there if goes else here for here, there, goes in zip(said.edge, said.cloud, up, strict=True)]
    return said.edge, said.cloud, tiered


def _of_verdicts(ways: _Ways, truth: Truth) -> tuple[Measure, ...]:
    true = truth.index == 1
    edge, cloud, tiered = (_of_alarms(values, true) for values in ways)
    return (
        Measure("precision of anomaly", edge[0], cloud[0], tiered[0]),
        Measure("recall of anomaly", edge[1], cloud[1], tiered[1]),
    )


def _of_alarms(values: Sequence[Any], true: Array) -> tuple[float | None, float | None]:
    """Precision and recall."""
    said = verdicts(values) == 1
    hits = int((said & true).sum())
    return _share(hits, int(said.sum())), _share(hits, int(true.sum()))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean_error(values: Sequence[Any], truth: Sequence[Any]) -> float | None:
    off = [
        abs(said.value - true) for said, true in zip(values, truth, strict=True) if isinstance(said, Interval)
    ]
    return float(np.mean(off)) if off else None


def _of_boxes(ways: _Ways, truth: Sequence[Any]) -> tuple[Measure, ...]:
    edge, cloud, tiered = (_precision(values, truth) for values in ways)
    return (
        Measure("mAP at .5", _known(edge.at_half), _known(cloud.at_half), _known(tiered.at_half)),
        Measure("mAP .5 to .95", _known(edge.mean), _known(cloud.mean), _known(tiered.mean)),
    )


def _precision(values: Sequence[Any], truth: Sequence[Any]) -> Precision:
    """A picture that could not be read holds nothing that was found."""
    none = Boxes(
        xyxy=np.zeros((0, 4), np.float32), index=np.zeros(0, np.int64), scores=np.zeros(0, np.float32)
    )
    return mean_average_precision([none if said is None else said for said in values], truth)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
