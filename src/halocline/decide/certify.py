"""Find the lowest threshold whose loss these rows prove to be small enough: Learn then Test.

Angelopoulos, Bates, Candès, Jordan, Lei (2021, Annals of Applied Statistics 2025), fixed-sequence
testing: thresholds are tested from the safe end on, in an order fixed before any data are seen, and the
first that fails ends it. Each test may then use the whole of alpha.
"""

import math

import msgspec
import numpy as np

from halocline.records import Array
from halocline.stats.bounds import binomial_p_value, product_p_value, upper_bound


class Requirement(msgspec.Struct, frozen=True, eq=False):
    """A mean loss to be proven at most `risk`, over rows `[k]` that count for it.

    `at_edge` and `in_cloud` bool `[k]`: whether the row loses when answered here, and when sent up.
    `group` int `[k]` in 0..groups-1, or None where the unit is the row.
    """

    confidence: Array
    at_edge: Array
    in_cloud: Array
    group: Array | None
    risk: float


def _grid() -> Array:
    everywhere = np.arange(1001) / 1000  # 0.69 as people write it, which linspace misses by a bit
    # A network that is never in doubt puts most rows within 1e-6 of 1: 200 steps a power of ten.
    near_one = 1.0 - 10.0 ** -np.linspace(0.0, 12.0, 2401)
    return np.unique(np.concatenate([everywhere, near_one]))[::-1].copy()


GRID = _grid()
"""The thresholds that are tested, from 1 down to 0: fixed, so that no data can choose among them."""


def certified(requirement: Requirement, alpha: float) -> int:
    """How many thresholds of GRID, from its start, are proven: at all of them together, at 1 - alpha."""
    fails = p_values(requirement) > alpha
    return int(fails.argmax()) if fails.any() else len(GRID)


def least_loss(requirement: Requirement, alpha: float) -> float:
    """The smallest loss that can be proven at all, at 1 - alpha: the bound at the safest threshold.

    Where no row loses even there it is 1 - alpha ** (1 / n) for n rows or groups.
    """
    if requirement.group is None:
        losses = int(_losses(requirement, GRID[:1])[0])
        return upper_bound(losses, len(requirement.confidence), alpha)
    log_kept, m = _log_kept_of_groups(requirement, GRID[:1])
    return -math.expm1((math.log(alpha) + float(log_kept[0])) / m)


def p_values(requirement: Requirement) -> Array:
    """For each threshold of GRID a p-value, float64, for "the mean loss is above the risk"."""
    if requirement.group is None:
        rows, risk = len(requirement.confidence), requirement.risk
        counts, where = np.unique(_losses(requirement, GRID), return_inverse=True)
        return np.asarray([binomial_p_value(int(k), rows, risk) for k in counts])[where]
    log_kept, m = _log_kept_of_groups(requirement, GRID)
    values, where = np.unique(log_kept, return_inverse=True)
    return np.asarray([product_p_value(float(v), m, requirement.risk) for v in values])[where]


def mean_losses(requirement: Requirement, thresholds: Array) -> Array:
    """The share of rows that lose at each of the descending `thresholds`, float64."""
    return np.asarray(_losses(requirement, thresholds) / len(requirement.confidence))


def _losses(requirement: Requirement, thresholds: Array) -> Array:
    """How many rows lose at each threshold."""
    order, change = _moves(requirement)
    answered = _answered(requirement.confidence[order], thresholds)
    total = np.concatenate([[0], np.cumsum(change)])[answered]
    return np.asarray(total + int(requirement.in_cloud.sum()))


def _moves(requirement: Requirement) -> tuple[Array, Array]:
    """The rows from the surest on, and how many losses more each makes when it is answered at the edge."""
    order = np.argsort(-requirement.confidence, kind="stable")
    return order, requirement.at_edge[order].astype(np.int64) - requirement.in_cloud[order]


def _answered(descending: Array, thresholds: Array) -> Array:
    """How many rows are answered at the edge: those of at least this confidence."""
    return np.searchsorted(-descending, -thresholds, side="right")


def _log_kept_of_groups(requirement: Requirement, thresholds: Array) -> tuple[Array, int]:
    """Sum over groups of log(1 - mean loss of the group), at each threshold, and how many groups.

    A group's mean loss is one observation in [0, 1], whatever goes on inside the group.
    """
    assert requirement.group is not None
    order, change = _moves(requirement)
    sizes = np.bincount(requirement.group)
    start = np.bincount(requirement.group, requirement.in_cloud, minlength=len(sizes))
    moved = np.flatnonzero(change)
    member, change = requirement.group[order[moved]], change[moved]
    losses = start[member] + _running(change, member)
    steps = _log_kept(losses, sizes[member]) - _log_kept(losses - change, sizes[member])
    total = _log_kept(start, sizes).sum() + np.concatenate([[0.0], np.cumsum(steps)])
    at = np.searchsorted(moved, _answered(requirement.confidence[order], thresholds), side="left")
    return total[at], len(sizes)


def _running(change: Array, member: Array) -> Array:
    """The running sum of `change` within each group, in the order given."""
    order = np.argsort(member, kind="stable")
    total = np.cumsum(change[order])
    first = np.flatnonzero(np.diff(member[order], prepend=-1))
    before = np.repeat(total[first] - change[order][first], np.diff(first, append=len(order)))
    out = np.empty_like(total)
    out[order] = total - before
    return out


def _log_kept(losses: Array, sizes: Array) -> Array:
    """log(1 - losses / sizes); a group that loses all ends every proof, and stays a number."""
    kept = 1.0 - losses / sizes
    return np.log(np.maximum(kept, math.exp(-700)))
