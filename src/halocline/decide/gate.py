"""Decide whether the edge model's answer is good enough to return."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from numbers import Real
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from halocline.decide.allowance import EscalationBudget
from halocline.decide.checks import check_number
from halocline.errors import Misconfigured
from halocline.records import Array, Reason

if TYPE_CHECKING:
    from halocline.decide.personal import Check, Personal, PolicyUpdate
    from halocline.stats.novelty import Novelty

NO_CLASS = -1
"""The index of a row whose scores hold NaN: such a row has no answer."""
NO_CONFIDENCE = -1.0
"""The confidence of such a row: below every threshold, 0 too, and the first to go up."""

FARTHEST = -0.5
"""The sureness of a row that is infinitely far from everything known: still surer than one with no answer."""

LEAST_TEMPERATURE = 1e-3
"""Beyond this, and its inverse, probabilities are all alike: a mistake, not a calibration."""


class Score(StrEnum):
    """How confidence is read from class probabilities; each lies in [0, 1], 1 is sure.

    Max softmax, margin and entropy are equally good for deferral on the sets measured so far.
    """

    MAX_SOFTMAX = "max_softmax"
    """The largest probability (Hendrycks and Gimpel 2017)."""
    MARGIN = "margin"
    """The largest probability less the second largest."""
    ENTROPY = "entropy"
    """1 - H(p) / log(classes)."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Threshold, calibration, novelty and escalation budget of one pair of models.

    A row is answered at the edge when its confidence is at least `threshold`, or the entry of
    `class_thresholds` for the class it was given, and when it is no farther than the `novelty`'s cut from
    what the edge model was trained on. With `share` the threshold only starts there: it then follows the
    confidences seen, so that this share of the rows wants to go up (see `decide/track.py`). With
    `personal` a device may certify a threshold of its own (see `decide/personal.py`). Raises
    Misconfigured (HAL-101, HAL-102).
    """

    threshold: float = 0.8
    score: Score = Score.MAX_SOFTMAX
    temperature: float = 1.0
    class_thresholds: Mapping[int, float] = {}
    budget: EscalationBudget | None = None
    novelty: "Novelty | None" = None
    share: float | None = None
    personal: "Personal | None" = None

    def __post_init__(self) -> None:
        check_threshold("threshold", self.threshold)
        for index, value in self.class_thresholds.items():
            check_threshold(f"class_thresholds[{index}]", value)
        check_number("temperature", self.temperature, LEAST_TEMPERATURE, 1 / LEAST_TEMPERATURE)
        if self.score not in list(Score):
            known = ", ".join(Score)
            raise Misconfigured("HAL-102", f"score must be one of {known}, got {self.score!r}")
        msgspec.structs.force_setattr(self, "score", Score(self.score))  # a name is as good as the member
        if not isinstance(self.budget, EscalationBudget | None):
            raise Misconfigured(
                "HAL-102",
                f"budget must be an EscalationBudget, got {self.budget!r}. Try EscalationBudget(share=0.1)",
            )
        if self.share is not None:
            check_threshold("share", self.share)
        if self.novelty is not None:
            check_novelty(self.novelty)
        if self.personal is not None and self.share is not None:
            raise Misconfigured(
                "HAL-102",
                "share and personal both move the threshold; a policy has one of them",
            )

    def update(self, checks: "Iterable[Check]") -> "PolicyUpdate":
        """What these checks of one device say of its threshold (see `decide/personal.py`).

        Raises Misconfigured: HAL-102 where the policy has no `personal`, HAL-101 for a sureness of NaN.
        """
        from halocline.decide.personal import update_from  # only devices that learn need it

        return update_from(self, checks)


class Decisions(msgspec.Struct, frozen=True):
    """What the gate says of each row of a batch.

    `escalate` `[rows]` bool; `reasons` `[rows]`: why a row stays at the edge, or `escalated` where it
    goes up.
    """

    escalate: Array
    reasons: list[Reason]


def check_threshold(name: str, value: float) -> float:
    """The value, if it is a number in [0, 1]. Raises Misconfigured (HAL-101) otherwise."""
    # numpy's float32 is a Real, and no float.
    if isinstance(value, Real) and 0.0 <= value <= 1.0:
        return float(value)
    meant = f". Did you mean {value / 100:g}?" if isinstance(value, Real) and 1 < value <= 100 else ""
    raise Misconfigured("HAL-101", f"{name} must be in [0, 1], got {value!r}{meant}")


def check_novelty(novelty: "Novelty") -> None:
    """Raise Misconfigured (HAL-102) for anything but a whole Novelty with a cut."""
    if not hasattr(novelty, "precision"):
        raise Misconfigured("HAL-102", f"novelty must be what fit_novelty gives, got {novelty!r}")
    width = novelty.means.shape[-1]
    if novelty.means.ndim != 2 or novelty.precision.shape != (width, width) or not novelty.cut >= 0:
        raise Misconfigured(
            "HAL-102",
            f"novelty must hold means [classes, features], precision [features, features] and a cut of 0 or "
            f"more, got {list(novelty.means.shape)}, {list(novelty.precision.shape)} and {novelty.cut}",
        )


def confidence_of(probs: Array, score: Score) -> tuple[Array, Array]:
    """Class index int64 `[rows]` and confidence float64 `[rows]` of probabilities `[rows, classes]`.

    A row that holds NaN gives NO_CLASS and NO_CONFIDENCE.
    """
    index = probs.argmax(axis=1)
    if score is Score.MAX_SOFTMAX:
        confidence = probs[np.arange(len(probs)), index]
    elif score is Score.MARGIN:
        if probs.shape[1] == 1:
            confidence = probs[:, 0]
        else:
            top = np.partition(probs, -2, axis=1)
            confidence = top[:, -1] - top[:, -2]
    else:
        safe = np.maximum(probs, np.finfo(np.float64).tiny)
        entropy = -(probs * np.log(safe)).sum(axis=1)
        confidence = 1.0 - entropy / math.log(max(probs.shape[1], 2))
    bad = np.isnan(probs).any(axis=1)
    return np.where(bad, NO_CLASS, index), np.where(bad, NO_CONFIDENCE, np.clip(confidence, 0.0, 1.0))


def sureness_of(confidence: Array, distance: Array | None, cut: float) -> Array:
    """Confidence `[rows]`; below 0 where the distance `[rows]` is above the cut, so that it goes up.

    The farther a row, the less sure: from 0 at the cut to FARTHEST. A row without a distance, NaN, has
    NO_CONFIDENCE.
    """
    if distance is None:
        return confidence
    new = distance > cut
    sureness = np.where(new, FARTHEST * (1.0 - cut / np.where(new, distance, 1.0)), confidence)
    return np.where(np.isnan(distance) | (confidence == NO_CONFIDENCE), NO_CONFIDENCE, sureness)


def sureness_of_row(confidence: float, distance: float, cut: float) -> float:
    """One row, as `sureness_of` reads a batch."""
    if distance <= cut:
        return confidence
    if distance != distance or confidence == NO_CONFIDENCE:
        return NO_CONFIDENCE
    return FARTHEST * (1.0 - cut / distance)


def gate(
    index: Array,
    sureness: Array,
    policy: Policy,
    *,
    unsure: Array | None = None,
    hold: Reason | None = None,
    granted: Callable[[int], int] | None = None,
) -> Decisions:
    """Decide for each row: stay, because sure enough or because it may not go up; or escalate.

    `sureness` is the confidence, or what `sureness_of` makes of it; `unsure` says which rows want to go
    up where that is more than a comparison with the thresholds. `hold` is a reason for which no row may
    go up now (breaker open, link too slow); `granted` takes the number of rows that want to go up and
    gives how many the budget lets go: the least sure go first.
    """
    if unsure is None:
        unsure = sureness < thresholds_of(index, policy)
    wanting = np.flatnonzero(unsure)
    escalate = np.zeros(len(sureness), dtype=bool)
    if wanting.size and hold is None:
        allowed = wanting.size if granted is None else granted(int(wanting.size))
        least_sure_first = wanting[np.argsort(sureness[wanting], kind="stable")]
        escalate[least_sure_first[:allowed]] = True
    stays = hold or Reason.BUDGET
    reasons = [
        Reason.ESCALATED if up else (stays if low else Reason.CONFIDENT)
        for up, low in zip(escalate.tolist(), unsure.tolist(), strict=True)
    ]
    return Decisions(escalate, reasons)


def thresholds_of(index: Array, policy: Policy) -> Array | float:
    """The threshold that holds for each row's class: one number, or float64 `[rows]`."""
    if not policy.class_thresholds:
        return policy.threshold
    own: Sequence[float] = [policy.class_thresholds.get(i, policy.threshold) for i in index.tolist()]
    return np.asarray(own)
