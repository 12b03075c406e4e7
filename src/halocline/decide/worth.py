"""Decide whether two tiers are worth it, or whether the edge alone, or the cloud alone, does better."""

import math
from enum import StrEnum

import msgspec

from halocline.decide.evidence import FEWEST_ROWS
from halocline.decide.told import counted, signed_points
from halocline.stats.bounds import Estimate

FEWEST_GROUPS = 5
"""An interval over fewer groups than this means nothing."""
NEARLY_ALL = 0.9
"""Where more of the calls than this go up all the same, a second model is not worth its upkeep."""
HARDLY_ANY = 0.005


class Answer(StrEnum):
    """What one should do with these two models."""

    TIERED = "tiered"
    EDGE = "edge"
    CLOUD = "cloud"
    UNCLEAR = "unclear"


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen on rows that the threshold was not chosen on.

    `edge`, `cloud` and `tiered` are shares of right answers; `gain` is tiered less cloud, `edge_gain` edge
    less cloud, `over_edge` tiered less edge, each with its 95 % interval. `tolerance` is what may be lost
    against the cloud, and `least_escalated` the least share of calls at which these rows lose no more.
    `majority` is how often one is right who always says the most frequent class. `is_promised` tells
    whether a loss within the tolerance was certified on other rows, and not contradicted by these.
    `is_share` tells whether a share of calls was asked for, and no loss.
    `rows` counts copies of a row once. `has_labels` is False where the cloud's answers are the truth.
    """

    rows: int
    groups: int | None
    has_labels: bool
    tolerance: float
    edge: Estimate
    cloud: Estimate
    tiered: Estimate
    gain: Estimate
    edge_gain: Estimate
    over_edge: Estimate
    majority: float
    escalated: float
    least_escalated: float
    is_promised: bool
    is_share: bool


class Verdict(msgspec.Struct, frozen=True):
    """The answer, in one sentence, and the reason in another."""

    answer: Answer
    told: str
    reason: str


def worth(seen: Findings) -> Verdict:
    """The simplest set-up that these rows speak for; `unclear` where they are too few to tell."""
    if seen.rows < FEWEST_ROWS or (seen.groups is not None and seen.groups < FEWEST_GROUPS):
        return _too_few(seen)
    if seen.has_labels and seen.cloud.value <= seen.majority:
        return _says_nothing(seen)
    if _edge_is_enough(seen):
        return _edge(seen)
    if seen.escalated >= NEARLY_ALL:
        return _cloud_anyway(seen) if seen.is_share or seen.least_escalated >= NEARLY_ALL else _unproven(seen)
    if seen.gain.high < -seen.tolerance:
        return _cloud_is_better(seen)
    if seen.is_promised or seen.gain.low >= -seen.tolerance:
        return _tiered(seen)
    return _cannot_tell(seen)


def _edge_is_enough(seen: Findings) -> bool:
    """No worse than the cloud by more than may be lost, and not bettered by both by more than that."""
    if seen.escalated <= HARDLY_ANY and seen.is_promised:
        return True
    return seen.edge_gain.low >= -seen.tolerance and seen.over_edge.low <= seen.tolerance


def _too_few(seen: Findings) -> Verdict:
    if seen.rows < FEWEST_ROWS:
        units, what, need = "rows", counted(seen.rows, "row"), f"at least {FEWEST_ROWS}, better some hundreds"
    else:
        units, what = "groups", counted(seen.groups or 0, "group")
        need = f"at least {FEWEST_GROUPS}, better dozens"
    return Verdict(
        Answer.UNCLEAR,
        f"Too few {units} to tell: {what} to look at.",
        f"Half of the data chooses the threshold, the other half shows what it does, and must hold {need}.",
    )


def _says_nothing(seen: Findings) -> Verdict:
    return Verdict(
        Answer.UNCLEAR,
        f"Accuracy cannot tell: always saying the same is right in {_percent(seen.majority)}, the cloud in "
        f"{_percent(seen.cloud.value)}.",
        "Look at the other figures, as how often each class is found, or try again with rows that hold "
        "everything as often as it matters; or the labels of these rows mean something else than the models' "
        "do.",
    )


def _edge(seen: Findings) -> Verdict:
    told = (
        f"The edge alone is enough: it is right in {_percent(seen.edge.value)}, "
        f"the cloud in {_percent(seen.cloud.value)}."
        if seen.has_labels
        else f"The edge alone is enough: it says what the cloud says in {_percent(seen.edge.value)}."
    )
    return Verdict(
        Answer.EDGE,
        told,
        f"It is {_beside(seen.edge_gain)}, so without any cloud call no more is lost than the "
        f"{_percent(seen.tolerance)} that may be.",
    )


def _cloud_anyway(seen: Findings) -> Verdict:
    return Verdict(
        Answer.CLOUD,
        f"Stay with the cloud: {_percent(seen.escalated)} of the calls would go there all the same.",
        _why_all(seen),
    )


def _why_all(seen: Findings) -> str:
    if seen.least_escalated < NEARLY_ALL:
        return (
            f"So it was asked for; on these rows {_percent(seen.least_escalated)} of the calls would lose no "
            f"more than {_percent(seen.tolerance)}. Try a smaller share, or a loss as the target."
        )
    return (
        f"The edge {_right(seen, seen.edge)}, and its confidence does not tell its mistakes apart. Try a "
        "looser target, or a better edge model."
    )


def _unproven(seen: Findings) -> Verdict:
    return Verdict(
        Answer.UNCLEAR,
        f"Too few rows to tell: until more prove it, {_percent(seen.escalated)} of the calls go up.",
        f"On these rows {_percent(seen.least_escalated)} of the calls would lose no more than the "
        f"{_percent(seen.tolerance)} that may be lost, but that may be chance. Try again with more rows.",
    )


def _cloud_is_better(seen: Findings) -> Verdict:
    return Verdict(
        Answer.CLOUD,
        f"Stay with the cloud: tiered {_right(seen, seen.tiered)}.",
        f"Tiered is {_beside(seen.gain)}, more than the {_percent(seen.tolerance)} that may be lost. "
        "Let more calls go up, or train a better edge model.",
    )


def _tiered(seen: Findings) -> Verdict:
    if seen.has_labels:
        beside = (
            f"{_percent(seen.tiered.value)} right, where the cloud alone has {_percent(seen.cloud.value)}"
        )
    else:
        beside = f"{_percent(seen.tiered.value)} of the answers still the cloud's"
    saved = _percent(1 - seen.escalated)
    if seen.gain.low > 0:
        why = "more than chance explains: the two models make different mistakes"
    elif seen.gain.low >= -seen.tolerance:
        why = f"within the {_percent(seen.tolerance)} that may be lost"
    else:
        why = (
            "too wide to tell by itself, but the half that chose the threshold certifies a loss of at most "
            f"{_percent(seen.tolerance)}"
        )
    return Verdict(
        Answer.TIERED,
        f"Tiered pays: it saves {saved} of the cloud calls, with {beside}.",
        f"Tiered is {_beside(seen.gain)}, {why}.",
    )


def _cannot_tell(seen: Findings) -> Verdict:
    spare = seen.gain.value + seen.tolerance
    units, what = (seen.rows, "rows") if seen.groups is None else (seen.groups, "groups")
    need = ""
    if spare > 0:
        # The width of an interval shrinks with the root of the rows.
        factor = ((seen.gain.value - seen.gain.low) / spare) ** 2
        # Half of them choose the threshold and tell nothing of this.
        need = f" About {_rounded(2 * units * factor)} {what} in all would tell, if they look like these."
    return Verdict(
        Answer.UNCLEAR,
        f"Too few {what} to tell whether {_percent(1 - seen.escalated)} of the cloud calls can be saved.",
        f"Tiered is {_beside(seen.gain)}; {_percent(seen.tolerance)} may be lost.{need}",
    )


def _right(seen: Findings, share: Estimate) -> str:
    """How often that way of answering is right."""
    if seen.has_labels:
        return f"is right in {_percent(share.value)}, the cloud in {_percent(seen.cloud.value)}"
    return f"gives the cloud's answer in {_percent(share.value)}"


def _percent(share: float) -> str:
    if share in (0.0, 1.0):
        return f"{share * 100:.0f} %"
    return f"{share * 100:.{2 if abs(share) < 0.01 else 1}f} %"


def _beside(difference: Estimate) -> str:
    """How far a share lies from the cloud's, with the interval."""
    spread = f"{signed_points(difference.low)} to {signed_points(difference.high)}"
    if difference.value == 0:
        return f"level with the cloud (95 % interval {spread} points)"
    way = "above" if difference.value > 0 else "below"
    return f"{signed_points(difference.value)[1:]} points {way} the cloud (95 % interval {spread})"


def _rounded(rows: float) -> str:
    """A count of rows to one digit, rounded up: it is an order of size and no more."""
    step = 10 ** max(math.floor(math.log10(max(rows, 1))), 1)
    return f"{math.ceil(rows / step) * step:,}"
