"""Say in words whether a promise was kept on other rows, and whether a difference is more than chance."""

from collections.abc import Mapping
from typing import Literal

import msgspec
import numpy as np

from halocline.decide.promise import Promise
from halocline.stats.bounds import Estimate
from halocline.tuning.tally import LOST, TIERED, UP, Tally

SHARE_TOLERANCE = 0.02
"""A share of escalations is held where it lies this near to the one asked for."""


class PromiseCheck(msgspec.Struct, frozen=True):
    """Whether a promise held on these rows: `held`, `by_chance` (above it, as chance may have it), `broken`,
    or `none` where nothing was promised, or nothing tested."""

    state: Literal["held", "by_chance", "broken", "none"]
    told: str


def check_promise(
    promise: Promise | None,
    tally: Tally,
    names: Mapping[int, str],
    *,
    untested: str = "",
    same_rows: bool = False,
) -> PromiseCheck:
    """Compare what was promised with what these rows show; `names` are those of the classes.

    `untested` says why these rows or models cannot test a promised loss; the rows tuned on test nothing.
    """
    if promise is None or promise.scope == "none":
        why = "" if promise is None else promise.reason
        return PromiseCheck("none", why or "nothing was promised")
    if same_rows:
        return PromiseCheck("none", f"not tested: {untested}")
    if promise.max_loss is None:
        return _check_share(promise.share, tally.share(UP))
    if untested:
        return PromiseCheck("none", f"not tested: {untested}")
    if promise.scope == "groups" and tally.groups is None:
        return PromiseCheck(
            "none", "the promise is for new groups, and these rows have none: give the group of each row"
        )
    each = "lost, the mean over the groups" if promise.scope == "groups" else "lost"
    seen = tally.by_group(LOST) if promise.scope == "groups" else tally.share(LOST)
    checks = [_at_most(each, seen, promise.max_loss)]
    checks += [_at_least(tally, index, floor, names) for index, floor in promise.class_floors.items()]
    worst = max(checks, key=lambda check: _RANK[check.state])
    return PromiseCheck(worst.state, "; ".join(check.told for check in checks))


_RANK = {"none": 0, "held": 1, "by_chance": 2, "broken": 3}


def told_gain(gain: Estimate, groups: int | None) -> str:
    """Whether both tiers together are better or worse than the cloud, or whether nobody can tell."""
    by = "the rows" if groups is None else "the one group" if groups == 1 else f"the {groups} groups"
    size = f"{abs(gain.value) * 100:.2f} points"
    if gain.low == gain.high == 0:
        return "exactly the cloud's accuracy"
    if gain.low > 0:
        return f"better than the cloud alone by {size}, which is more than chance among {by}"
    if gain.high < 0:
        return f"worse than the cloud alone by {size}, which is more than chance among {by}"
    if gain.value == 0:
        return "as good as the cloud alone on these rows"
    way = "above" if gain.value > 0 else "below"
    return f"{size} {way} the cloud alone, which is not significant: chance among {by} explains it"


def _check_share(share: float | None, escalated: Estimate) -> PromiseCheck:
    if share is None:
        return PromiseCheck("none", "nothing was promised")
    told = f"{100 * escalated.value:.1f} % went up, {100 * share:.1f} % were to"
    if abs(escalated.value - share) <= SHARE_TOLERANCE:
        return PromiseCheck("held", f"held: {told}")
    if escalated.low <= share <= escalated.high:
        return PromiseCheck("by_chance", f"within chance: {told}")
    return PromiseCheck("broken", f"broken: {told}")


def _at_most(what: str, seen: Estimate, promised: float) -> PromiseCheck:
    told = f"{100 * seen.value:.2f} % {what}, at most {100 * promised:.2f} % promised"
    if seen.value <= promised:
        return PromiseCheck("held", f"held: {told}")
    if seen.low <= promised:
        return PromiseCheck("by_chance", f"above, but within chance on so few rows: {told}")
    return PromiseCheck("broken", f"broken: {told}")


def _at_least(tally: Tally, index: int, floor: float, names: Mapping[int, str]) -> PromiseCheck:
    at = np.flatnonzero(tally.classes == index)
    if not at.size:
        return PromiseCheck("none", f"no row of class {index}, so its floor is not checked")
    recall = tally.share(TIERED, int(at[0]))
    told = f"recall of {names[index]!r} {100 * recall.value:.1f} %, at least {100 * floor:.1f} % promised"
    if recall.value >= floor:
        return PromiseCheck("held", f"held: {told}")
    if recall.high >= floor:
        return PromiseCheck("by_chance", f"below, but within chance on so few rows: {told}")
    return PromiseCheck("broken", f"broken: {told}")
