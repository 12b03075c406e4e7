"""Recalls that both tiers together keep for a class, whatever else is tuned for."""

from collections.abc import Mapping, Sequence
from numbers import Real

import numpy as np

from halocline.decide.certify import Requirement, mean_losses
from halocline.decide.evidence import Evidence
from halocline.errors import Misconfigured, Rejected
from halocline.records import Array


def check_floors(
    label: Array | None, floors: Mapping[int, float], names: Sequence[str] | None = None
) -> None:
    """Raise Misconfigured (HAL-101) out of range, Rejected (HAL-602) without labels or rows of a class.

    `label` `[rows]` are the true classes, None where they are not known; `names` are those of the classes.
    """
    for index, recall in floors.items():
        what = f"class {repr(names[index]) if names else index}"
        if not isinstance(recall, Real) or not 0 < recall < 1:
            meant = (
                f". Did you mean {recall / 100:g}?" if isinstance(recall, Real) and 1 < recall < 100 else ""
            )
            raise Misconfigured(
                "HAL-101", f"the recall floor of {what} must be between 0 and 1, got {recall!r}{meant}"
            )
        if label is None:
            raise Rejected(
                "HAL-602",
                f"a recall floor ({what}) needs labels, and the data have none; "
                "give labels, or leave the floor out",
            )
        if not (label == index).any():
            there = [str(names[each] if names else each) for each in np.unique(label)[:10]]
            raise Rejected(
                "HAL-602", f"{what} has a recall floor and no row; its classes: {', '.join(there)}"
            )


def check_recalls(floors: Mapping[int, float], names: Sequence[str] | None = None) -> None:
    """Raise Misconfigured (HAL-101) for a recall that is none, or that nobody can promise."""
    for index, recall in floors.items():
        if not isinstance(recall, Real) or not 0 < recall < 1:
            meant = (
                f". Did you mean {recall / 100:g}?" if isinstance(recall, Real) and 1 < recall < 100 else ""
            )
            raise Misconfigured(
                "HAL-101",
                f"the recall floor of {_told(index, names)} must be between 0 and 1, got {recall!r}{meant}",
            )


def _told(index: int, names: Sequence[str] | None) -> str:
    return f"class {repr(names[index]) if names else index}"


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
