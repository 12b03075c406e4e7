"""Decide which rows may fit the temperature, so that none of them serves the promise too."""

import numpy as np

from halocline.decide.targets import MaxLoss, Target
from halocline.records import Array
from halocline.stats.bounds import groups_for_loss

ONE_IN = 5
MOST_ROWS = 1000
"""One number is fitted: more rows make it no better."""
FEWEST_ROWS = 50
SPARE = 2
"""The promise keeps at least this many times the rows, or groups, that it could not do without."""
SEED = 0


def calibration_rows(usable: Array, group: Array | None, target: Target) -> Array | None:
    """Which of the `usable` rows, bool `[rows]`, fit the temperature and nothing else.

    None where all rows may serve both, or must: only a promised loss needs rows of its own, and it
    comes first. Where it could not spare a fifth, no row is taken from it. With groups, whole groups
    are taken.
    """
    if not isinstance(target, MaxLoss):
        return None
    rows = np.flatnonzero(usable)
    member = np.arange(len(rows)) if group is None else np.unique(group[rows], return_inverse=True)[1]
    units = int(member.max()) + 1
    taken = units // ONE_IN if group is not None else min(units // ONE_IN, MOST_ROWS)
    if units - taken < SPARE * groups_for_loss(target.loss, target.alpha):
        return None
    picked = np.random.default_rng(SEED).permutation(units)[:taken]
    mask = np.zeros(len(usable), dtype=bool)
    mask[rows[np.isin(member, picked)]] = True
    return mask if mask.sum() >= FEWEST_ROWS else None
