"""Read labels and groups once it is known which model answers, before the cloud is asked."""

from numbers import Real
from typing import Any

import numpy as np

from halocline.errors import Misconfigured
from halocline.records import Array, ModelSpec, Task
from halocline.tuning.rows import Truth, only, read_groups, read_truth
from halocline.tuning.truth import truth_of


class Labelled:
    """Labels and groups as they were given, read once it is known how many rows and classes there are.

    The edge model tells that before the cloud is asked: what does not fit is refused at no cost. What is
    right depends on the task: `tolerance` is a regressor's, in the unit of its target.
    """

    def __init__(self, y: Any, groups: Any, tolerance: float | None = None) -> None:
        self._y = y
        self._groups = groups
        self._tolerance = tolerance
        self.truth: Truth | None = None
        """None where there are no labels."""
        self._group: Array | None = None

    def read(self, edge: ModelSpec, classes: int, rows: int) -> None:
        """Read both. Raises as `read_truth`, `truth_of` and `read_groups` do, Misconfigured (HAL-102)."""
        check_tolerance(self._tolerance, edge, has_labels=self._y is not None)
        if self._y is None:
            self.truth = None
        elif edge.task is Task.CLASSIFY:
            self.truth = read_truth(self._y, edge.labels, classes, rows)
        else:
            self.truth = _of_task(edge, self._y, rows, self._tolerance)
        self._group = read_groups(self._groups, rows)

    def of(self, places: Array) -> tuple[Truth | None, Array | None]:
        """Labels and groups of the rows at these places, int64 `[rows]`: those that could be asked about."""
        return only(self.truth, places), None if self._group is None else self._group[places]


def check_tolerance(tolerance: float | None, edge: ModelSpec, *, has_labels: bool) -> None:
    """Raise Misconfigured (HAL-102) where a tolerance is missing, is none, or has no meaning."""
    if edge.task is Task.REGRESS and has_labels:
        if not isinstance(tolerance, Real) or isinstance(tolerance, bool) or not tolerance > 0:
            raise Misconfigured(
                "HAL-102",
                "tolerance must say how far a right value may be from the truth, above 0, in the unit of the "
                f"target, got {tolerance!r}. Try tolerance=1.5, --tolerance 1.5",
            )
    elif tolerance is not None:
        why = (
            "and without labels a value is right where it and the cloud's lie in the interval of the other"
            if edge.task is Task.REGRESS
            else f"and {edge.ref} is said to {edge.task}"
        )
        raise Misconfigured(
            "HAL-102",
            f"tolerance says how far a regressor's value may be from a label, {why}. Leave it out",
        )


def _of_task(edge: ModelSpec, y: Any, rows: int, tolerance: float | None) -> Truth:
    values = truth_of(edge, y, rows)
    if edge.task is Task.SCORE:
        return Truth(np.asarray(values).astype(np.int64))
    return Truth(np.zeros(rows, np.int64), values=values, tolerance=tolerance)
