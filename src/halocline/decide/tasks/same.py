"""Say whether two answers of a task say the same."""

from typing import Any

from halocline.records import Anomaly, Boxes, Interval
from halocline.stats.overlap import is_all_right


def is_same(one: Any, other: Any) -> bool:
    """Whether the values say the same; an answer that is missing says nothing.

    Boxes: each has its match in the other, at an overlap of one half and with the same class. Intervals:
    the value of each lies in the range of the other. Anomalies: the same verdict.
    """
    if isinstance(one, Boxes) and isinstance(other, Boxes):
        return is_all_right(one, other)
    if isinstance(one, Interval) and isinstance(other, Interval):
        return one.low <= other.value <= one.high and other.low <= one.value <= other.high
    if isinstance(one, Anomaly) and isinstance(other, Anomaly):
        return one.is_anomaly == other.is_anomaly
    return False
