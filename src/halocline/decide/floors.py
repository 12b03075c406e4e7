"""Recalls that both tiers together keep for a class, whatever else is tuned for."""

from collections.abc import Mapping
from numbers import Real

import numpy as np

from halocline.decide.certify import Requirement, mean_losses
from halocline.decide.evidence import Evidence
from halocline.errors import Misconfigured, Rejected
from halocline.records import Array


def check_floors(evidence: Evidence, floors: Mapping[int, float]) -> None:
    """Raise Rejected (HAL-602) without labels or rows of a class, Misconfigured (HAL-101) out of range."""
    for index, recall in floors.items():
        if not isinstance(recall, Real) or not 0 < recall < 1:
            raise Misconfigured(
                "HAL-101", f"the recall floor of class {index} must be between 0 and 1, got {recall!r}"
            )
        if evidence.label is None or evidence.cloud_correct is None:
            raise Rejected(
                "HAL-602",
                f"a recall floor (class {index}) needs labels, and the data have none; "
                "give labels, or leave the floor out",
            )
        if not (evidence.label == index).any():
            raise Rejected(
                "HAL-602",
                f"class {index} has a recall floor and no row; its classes: "
                f"{', '.join(str(label) for label in np.unique(evidence.label)[:10])}",
            )


def floor_requirement(evidence: Evidence, index: int, recall: float) -> Requirement:
    """Misses among the rows of this class, over rows or over the groups that have such rows."""
    assert evidence.label is not None
    own = evidence.label == index
    group = None if evidence.group is None else np.unique(evidence.group[own], return_inverse=True)[1]
    return Requirement(
        evidence.confidence[own],
        ~evidence.edge_correct[own],
        ~evidence.cloud_right[own],
        group,
        1.0 - recall,
    )


def observed_recall(evidence: Evidence, index: int, thresholds: Array) -> Array:
    """The recall of both tiers together on these rows at each of the descending `thresholds`."""
    return 1.0 - mean_losses(floor_requirement(evidence, index, 0.5), thresholds)


def floors_met(evidence: Evidence, floors: Mapping[int, float], thresholds: Array) -> Array:
    """At which of the descending `thresholds` these very rows keep every floor, bool."""
    met = np.ones(len(thresholds), dtype=bool)
    for index, recall in floors.items():
        met &= observed_recall(evidence, index, thresholds) >= recall
    return met
