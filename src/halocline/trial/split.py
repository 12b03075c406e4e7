"""Decide which half of the rows chooses the threshold; the other half shows what it does."""

import numpy as np

from halocline.ports import Feed
from halocline.records import Array
from halocline.tuning.store import row_keys


def choosing_half(inputs: Feed, groups: Array | None, seed: int) -> Array:
    """Which rows, bool `[rows]`, choose the threshold: half of the groups, else half of the rows.

    Copies of a row stay together, so that none is on both sides. A single group is parted by rows.
    """
    unit = _units(inputs, groups)
    units = int(unit.max()) + 1
    picked = np.zeros(units, dtype=bool)
    picked[np.random.default_rng(seed).permutation(units)[: (units + 1) // 2]] = True
    return np.asarray(picked[unit])


def _units(inputs: Feed, groups: Array | None) -> Array:
    """What may not be parted, as a number for each row."""
    if groups is not None:
        unit = np.unique(groups, return_inverse=True)[1]
        if unit.max() > 0:
            return np.asarray(unit)
    known: dict[bytes, int] = {}
    return np.asarray([known.setdefault(key, len(known)) for key in row_keys(inputs)])
