"""Choose the threshold for a target on the user's own rows, and say what it promises."""

from collections.abc import Mapping
from typing import TypeAlias

import msgspec
import numpy as np

from halocline.decide.certify import GRID, Requirement, certified, least_loss, mean_losses
from halocline.decide.curve import Curve, curve_of, operating_points
from halocline.decide.evidence import Evidence, check_evidence, doubts, rows_of
from halocline.decide.floors import check_floors, floor_requirement, floors_met, observed_recall
from halocline.decide.promise import Promise
from halocline.decide.targets import Escalate, MaxLoss, Prices, Target
from halocline.decide.told import (
    count_of_groups,
    hardly,
    instead,
    percent,
    proven,
    these_rows,
    too_few,
    uneven,
)
from halocline.records import Array

__all__ = [
    "Choice",
    "Curve",
    "Escalate",
    "Evidence",
    "MaxLoss",
    "Prices",
    "Promise",
    "Target",
    "naive_threshold",
    "tune",
]

_SHARE_MISSED = 0.01
"""Where equal confidences keep the share this far from the one asked for, that is said."""


_HARDLY = 0.05
"""A share below this, held in place of a promise, is as good as never asking the cloud, and that is said."""


class Choice(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A threshold, what it promises, what every other one would have done, and what to be wary of."""

    threshold: float
    promise: Promise
    curve: Curve
    warnings: tuple[str, ...] = ()


_Found: TypeAlias = tuple[float, Promise, tuple[str, ...]]


def tune(
    evidence: Evidence,
    target: Target,
    *,
    class_floors: Mapping[int, float] | None = None,
    once: Array | None = None,
    promise_floors: bool = True,
) -> Choice:
    """Choose the threshold that escalates least among those that meet the target on this evidence.

    With a `MaxLoss`, Learn then Test decides, by exact tests over rows, or over groups where the
    evidence has them; what cannot be proven is not promised, and the promise's reason says how much
    data would do. `class_floors` are recalls that both tiers together keep for a class, {index: 0.9}.
    With a `MaxLoss` each is tested too (alpha is shared out evenly among the loss and the floors); one
    that cannot be proven at any threshold is met on the rows at hand where it can be, not promised, and
    said so. Of the other targets, `Prices` meets floors on the rows at hand and `Escalate` says where they
    are missed; neither promises them. `once` bool `[n]` leaves out copies of other rows: a `MaxLoss` and
    its floors must then be proven by all rows and by those alone, and the more careful threshold stands.
    Without `promise_floors` they are tested all the same and not promised. Raises Rejected (HAL-601,
    HAL-602), Misconfigured (HAL-101).
    """
    check_evidence(evidence)
    evidence = msgspec.structs.replace(evidence, confidence=evidence.confidence.astype(np.float64))
    floors = dict(class_floors or {})
    check_floors(None if evidence.cloud_correct is None else evidence.label, floors)
    distinct = evidence if once is None or once.all() else rows_of(evidence, once)
    readings = (evidence,) if distinct is evidence else (evidence, distinct)
    prices: tuple[float, float] | None = None
    if isinstance(target, MaxLoss):
        threshold, promise, said = _for_loss(readings, target, floors, promise_floors=promise_floors)
    elif isinstance(target, Escalate):
        threshold, promise, said = _for_share(evidence, target.share, floors)
    else:
        prices = (target.cloud_usd, target.error_usd)
        threshold, promise, said = _for_prices(evidence, prices, floors)
    curve = curve_of(evidence, prices)
    return Choice(threshold=threshold, promise=promise, curve=curve, warnings=doubts(distinct) + said)


def naive_threshold(evidence: Evidence, max_loss: float) -> float:
    """The lowest threshold whose loss on these very rows is small enough: what one does without a test.

    It promises nothing: the true loss is above `max_loss` about every second time.
    """
    fails = mean_losses(_loss_requirement(evidence, max_loss), GRID) > max_loss
    return float(GRID[max(int(fails.argmax()) - 1, 0)]) if fails.any() else float(GRID[-1])


def _for_loss(
    readings: tuple[Evidence, ...], target: MaxLoss, floors: dict[int, float], *, promise_floors: bool
) -> _Found:
    """What every reading of the rows proves: all of them, and where there are copies each one once."""
    tested = [_tested(evidence, target, floors) for evidence in readings]
    # The fewer rows come last, and say best what is missing.
    refused = [each for each in tested if each.passed == 0]
    if refused:
        return _instead(readings, target, floors, refused[-1].why, max(each.loss for each in tested))
    loss = max(each.loss for each in tested)
    passed = min(each.passed for each in tested)
    kept = {i: recall for i, recall in floors.items() if all(i in each.kept for each in tested)}
    promised = kept if promise_floors else {}
    open_floors = {i: recall for i, recall in floors.items() if i not in kept}
    # Every threshold above is proven as well, so these rows may choose among them.
    threshold, said = _met_above(readings, open_floors, GRID[:passed])
    evidence = readings[0]
    of_rows = float((evidence.lost & (evidence.confidence >= threshold)).mean())
    if evidence.group is not None and of_rows > loss:
        said = (*said, uneven(of_rows, loss))
    reason = proven(readings, target, loss, promised)
    why = next((each.why for each in tested if each.loss == loss), "")
    promise = Promise(
        scope="rows" if evidence.group is None else "groups",
        reason=f"{reason} ({percent(target.loss)} was asked for: {why})" if why else reason,
        max_loss=loss,
        alpha=target.alpha,
        rows=evidence.rows,
        groups=count_of_groups(evidence),
        certified_loss=loss,
        class_floors=promised,
    )
    return threshold, promise, said


class _Tested(msgspec.Struct, frozen=True):
    """What one reading of the rows proves: at the first `passed` of GRID (0: nowhere), and `why` no more."""

    loss: float
    passed: int
    kept: frozenset[int]
    why: str = ""


def _tested(evidence: Evidence, target: MaxLoss, floors: dict[int, float]) -> _Tested:
    """The loss asked for, else the least one provable, with every floor that can be proven."""
    alpha = target.alpha / (1 + len(floors))
    asked = _loss_requirement(evidence, target.loss)
    # Rounding must not make the smallest provable loss unprovable.
    least = least_loss(asked, alpha) * (1 + 1e-9)
    if least <= target.loss:
        loss, passed, why = target.loss, certified(asked, alpha), ""
    else:
        why = too_few(evidence, target, alpha, least)
        edge_alone = float(asked.at_edge.mean())
        if evidence.group is not None or least >= edge_alone:
            if evidence.group is None:
                why += f", and answering every row at the edge lost {percent(edge_alone)}"
            return _Tested(least, 0, frozenset(), why)
        # The best promise that these rows carry. Where a row is lost even at the top, the bound was read
        # off the losses themselves, and is proven there and nowhere else.
        lost_at_top = mean_losses(asked, GRID[:1])[0] > 0
        loss = least
        passed = 1 if lost_at_top else certified(_loss_requirement(evidence, least), alpha)
    kept = set()
    for index, recall in floors.items():
        proven_at = certified(floor_requirement(evidence, index, recall), alpha)
        if proven_at:
            kept.add(index)
            passed = min(passed, proven_at)
    return _Tested(loss, passed, frozenset(kept), why)


def _instead(
    readings: tuple[Evidence, ...], target: MaxLoss, floors: dict[int, float], why: str, least: float
) -> _Found:
    """No promise: hold the share at which these rows themselves lost no more than was asked for."""
    evidence = readings[0]
    naive = max(naive_threshold(each, target.loss) for each in readings)
    threshold, said = _met_above(readings, floors, GRID[naive <= GRID])
    share = float((evidence.confidence < threshold).mean())
    if share < _HARDLY:
        said = (*said, hardly(share, why, least))
    promise = Promise(
        scope="share",
        reason=instead(evidence, target, why, share),
        rows=evidence.rows,
        groups=count_of_groups(evidence),
        share=share,
    )
    return threshold, promise, said


def _for_share(evidence: Evidence, share: float, floors: dict[int, float]) -> _Found:
    points = operating_points(evidence)
    at = int(np.abs(points.up - share * evidence.rows).argmin())
    threshold, reached = float(points.threshold[at]), float(points.up[at]) / evidence.rows
    said = _missed(evidence, floors, np.asarray([threshold]))
    if abs(reached - share) > _SHARE_MISSED:
        ties = (
            f"many rows have the same confidence, so a threshold sends up {percent(reached)}, not "
            f"{percent(share)}; a temperature, or the score margin, tells them apart"
        )
        said = (*said, ties)
    reason = (
        f"no loss is promised: {percent(share)} of the rows go up, as asked; what that lost on "
        f"{these_rows(evidence)} stands in the curve"
    )
    promise = Promise(
        scope="share", reason=reason, rows=evidence.rows, groups=count_of_groups(evidence), share=share
    )
    return threshold, promise, said


def _for_prices(evidence: Evidence, prices: tuple[float, float], floors: dict[int, float]) -> _Found:
    points = operating_points(evidence)
    cost = (points.up * prices[0] + points.errors * prices[1]) / evidence.rows
    met = floors_met(evidence, floors, points.threshold[::-1])[::-1]
    said = () if met.any() else _missed(evidence, floors, points.threshold[::-1])
    at = int(np.argmin(np.where(met, cost, np.inf) if met.any() else cost))
    reason = (
        f"no loss is promised: at {prices[0]:g} USD a cloud call and {prices[1]:g} USD a wrong answer this "
        f"threshold cost least on {these_rows(evidence)}, {cost[at]:.3g} USD a request"
    )
    promise = Promise(scope="none", reason=reason, rows=evidence.rows, groups=count_of_groups(evidence))
    return float(points.threshold[at]), promise, said


def _met_above(
    readings: tuple[Evidence, ...], floors: dict[int, float], thresholds: Array
) -> tuple[float, tuple[str, ...]]:
    """The lowest of the thresholds at which these rows keep the floors, and what to say of those."""
    all_met = [floors_met(each, floors, thresholds) for each in readings]
    met = np.flatnonzero(np.logical_and.reduce(all_met))
    if not met.size:
        worst = [each for each, kept in zip(readings, all_met, strict=True) if not kept.any()]
        return float(thresholds[-1]), _missed((worst or list(readings))[0], floors, thresholds)
    said = tuple(
        f"the recall of class {index} is at least {percent(recall)} on these rows, and is not promised: "
        "too few rows or groups of that class prove it, or the cloud does not reach it"
        for index, recall in floors.items()
    )
    return float(thresholds[met[-1]]), said


def _missed(evidence: Evidence, floors: dict[int, float], thresholds: Array) -> tuple[str, ...]:
    said = []
    for index, recall in floors.items():
        best = float(observed_recall(evidence, index, thresholds).max())
        if best < recall:
            said.append(
                f"the recall of class {index} is {percent(best)} on these rows, below its floor of "
                f"{percent(recall)}, whatever goes up; train the cloud for that class, or lower the floor"
            )
    return tuple(said)


def _loss_requirement(evidence: Evidence, loss: float) -> Requirement:
    group = None if evidence.group is None else np.unique(evidence.group, return_inverse=True)[1]
    lost = evidence.lost
    return Requirement(evidence.confidence, lost, np.zeros_like(lost), group, loss)
