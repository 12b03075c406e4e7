"""Decide when a device has earned a promise, and a threshold, of its own.

A check tells of one row of this device, drawn by chance, whether the cloud says what the edge said.
For each threshold of a fixed grid the checks are a bet against "it loses more than allowed here"
(`stats/sequences`). What is lost at a threshold is also lost at every lower one, so that the thresholds
are certified from the top down and the chance that any that loses too much ever is stays below alpha,
however often one looks: Learn then Test in a fixed sequence, with evidence that is valid at any time.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from halocline.decide.gate import Policy, check_threshold
from halocline.decide.promise import Promise
from halocline.errors import Misconfigured
from halocline.stats.sequences import LossSequence, evidence_broken, evidence_kept

GRID = tuple(1 - 2 ** (-k / 4) for k in range(80, -1, -1))
"""The thresholds that a device may certify, from almost 1 down to 0: fixed, so that no data chose among
them, and finer towards 1, where confidences crowd."""


class Start(StrEnum):
    """What a device does before it has a promise of its own."""

    FLEET = "fleet"
    """It takes the policy's threshold, whose promise is shown as the fleet's."""
    CLOUD = "cloud"
    """It sends every row up."""


class Personal(msgspec.Struct, frozen=True, kw_only=True):
    """How a device may come to a threshold of its own.

    It must certify that it loses at most `max_loss` of its rows against the cloud, at confidence
    1 - `alpha`; its threshold then lies between `lowest` and `highest`. `locked` only proposes. Raises
    Misconfigured (HAL-101, HAL-102).
    """

    max_loss: float
    alpha: float = 0.1
    start: Start = Start.FLEET
    lowest: float = 0.0
    highest: float = 1.0
    locked: bool = False

    def __post_init__(self) -> None:
        for name in ("max_loss", "alpha"):
            if not 0 < getattr(self, name) < 1:
                raise Misconfigured(
                    "HAL-101", f"personal.{name} must be in (0, 1), got {getattr(self, name)}"
                )
        check_threshold("personal.lowest", self.lowest)
        check_threshold("personal.highest", self.highest)
        if self.lowest > self.highest:
            raise Misconfigured(
                "HAL-101",
                f"personal.lowest must be at most personal.highest, got {self.lowest} > {self.highest}",
            )
        if self.start not in tuple(Start):
            raise Misconfigured("HAL-102", f"personal.start must be fleet or cloud, got {self.start!r}")
        msgspec.structs.force_setattr(self, "start", Start(self.start))  # a name is as good as the member


class Check(msgspec.Struct, frozen=True):
    """One row of a device whose both answers are known, drawn with the same chance as every other.

    `sureness` is what the gate compared with the threshold; `lost` tells that the cloud says otherwise.
    """

    sureness: float
    lost: bool


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept of the checks of a device: how many, and how many would be lost at each of GRID."""

    checks: int = 0
    lost: tuple[int, ...] = (0,) * len(GRID)


class PolicyUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What a device may do now, and what that rests on.

    `policy` is to be in force; `before` was, and undoes it; `proposed` is what the evidence allows, and
    differs from `policy` where the policy is locked. `promise` is the device's own, None as long as it has
    none; `reason` is for people.
    """

    policy: Policy
    before: Policy
    proposed: Policy
    evidence: Evidence
    reason: str
    promise: Promise | None = None


def learnt(evidence: Evidence, check: Check) -> Evidence:
    """The evidence after one more check."""
    lost = evidence.lost
    if check.lost:
        lost = tuple(
            count + (check.sureness >= threshold) for threshold, count in zip(GRID, lost, strict=True)
        )
    return Evidence(checks=evidence.checks + 1, lost=lost)


def update(policy: Policy, evidence: Evidence, before: Policy | None = None) -> PolicyUpdate:
    """What the evidence allows under `policy`; `before` is the one in force, where it has moved already.

    A device that started with the fleet's threshold moves to a higher one, which costs calls, only where
    the fleet's is shown to lose too much here. Raises Misconfigured (HAL-102) where the policy has no
    `personal`.
    """
    rules = policy.personal
    if rules is None:
        raise Misconfigured(
            "HAL-102", "this policy may not learn. Give it personal=Personal(max_loss=0.01) to allow it"
        )
    before = before or policy
    threshold = _certified(rules, evidence)
    if threshold is not None and rules.start is Start.FLEET and threshold > policy.threshold:
        threshold = threshold if _breaks(rules, evidence, policy.threshold) else None
    if threshold is None:
        return PolicyUpdate(
            policy=before,
            before=before,
            proposed=before,
            evidence=evidence,
            reason=f"{evidence.checks} checks do not certify a loss of at most {rules.max_loss:g}",
        )
    proposed = msgspec.structs.replace(policy, threshold=threshold)
    reason = (
        f"for more rows of this device: {lost_at(evidence, threshold)} of {evidence.checks} checks are lost "
        f"at {threshold:.4g}, so that it loses at most {rules.max_loss:g}, at confidence {1 - rules.alpha:g}"
    )
    if rules.locked:
        return PolicyUpdate(
            policy=before,
            before=before,
            proposed=proposed,
            evidence=evidence,
            reason=f"proposed only, since the policy is locked; {reason}",
        )
    promise = Promise(
        scope="rows",
        reason=reason,
        max_loss=rules.max_loss,
        alpha=rules.alpha,
        rows=evidence.checks,
        certified_loss=rules.max_loss,
    )
    return PolicyUpdate(
        policy=proposed, before=before, proposed=proposed, evidence=evidence, reason=reason, promise=promise
    )


def withdrawn(policy: Policy, before: Policy, reason: str) -> PolicyUpdate:
    """Back to where the device started, with no evidence: what it had learnt does not hold any more."""
    return PolicyUpdate(policy=policy, before=before, proposed=policy, evidence=Evidence(), reason=reason)


def update_from(policy: Policy, checks: Iterable[Check]) -> PolicyUpdate:
    """As `update`, from the checks themselves. Raises Misconfigured (HAL-101) for a sureness of NaN too."""
    evidence = Evidence()
    for check in checks:
        if math.isnan(check.sureness):  # it would count as a check that loses nothing
            raise Misconfigured(
                "HAL-101", "sureness of a check must be a number, got nan; leave that row out"
            )
        evidence = learnt(evidence, check)
    return update(policy, evidence)


def lost_at(evidence: Evidence, threshold: float) -> int:
    """How many of the checks would be lost at this threshold, or the next lower one of GRID."""
    return next(
        (lost for at, lost in zip(GRID, evidence.lost, strict=True) if at <= threshold), evidence.lost[-1]
    )


def _certified(rules: Personal, evidence: Evidence) -> float | None:
    """The lowest threshold that the evidence certifies, within the bounds; None where there is none."""
    passed = bisect_left(
        range(len(GRID)),
        True,
        key=lambda k: evidence_kept(_seen(evidence, evidence.lost[k]), rules.max_loss) < 1 / rules.alpha,
    )
    lowest = GRID[passed - 1] if passed else None
    if lowest is None or lowest > rules.highest:
        return None
    return max(lowest, rules.lowest)  # what holds at a threshold holds at a higher one


def _breaks(rules: Personal, evidence: Evidence, threshold: float) -> bool:
    """Whether more than is allowed is lost at this threshold: tested at the next higher one of GRID."""
    lost = [lost for at, lost in zip(GRID, evidence.lost, strict=True) if at >= threshold]
    return bool(lost) and evidence_broken(_seen(evidence, lost[-1]), rules.max_loss) >= 1 / rules.alpha


def _seen(evidence: Evidence, lost: int) -> LossSequence:
    return LossSequence(rows=evidence.checks, checks=evidence.checks, weighted=float(lost))
