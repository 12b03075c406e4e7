"""Count who was right about which rows, and give every figure the interval that it deserves."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from halocline.records import Array
from halocline.stats.bounds import Estimate, wilson

DRAWS = 1000
ALPHA = 0.05
"""Intervals are 95 % intervals."""

Counts: TypeAlias = Array
"""Rows float64 `[…, classes, 2, 2, 2]`: by true class, edge right, cloud right, and went up."""

WENT_UP = np.asarray([0.0, 1.0])
EDGE = np.asarray([[[0.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]]])
CLOUD = np.asarray([[[0.0, 0.0], [1.0, 1.0]], [[0.0, 0.0], [1.0, 1.0]]])
TIERED = np.where(WENT_UP == 1.0, CLOUD, EDGE)
LOST = np.asarray([[[0.0, 0.0], [1.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
UP = np.broadcast_to(WENT_UP, (2, 2, 2))
"""Which cells count for what: `[edge right, cloud right, went up]`."""


class Tally:
    """The rows of one evaluation, counted by what matters.

    `truth` int `[n]`; `edge_right`, `cloud_right`, `up` bool `[n]`; with `group` `[n]`, intervals are
    over the drawing of groups (a bootstrap of whole groups), without it over the drawing of rows.
    """

    def __init__(
        self, truth: Array, edge_right: Array, cloud_right: Array, up: Array, group: Array | None
    ) -> None:
        self.classes, at = np.unique(truth, return_inverse=True)
        code = ((at * 2 + edge_right) * 2 + cloud_right) * 2 + up
        cells = len(self.classes) * 8
        member = np.zeros(len(truth), np.int64)
        self.groups = None
        if group is not None:
            names, member = np.unique(group, return_inverse=True)
            self.groups = len(names)
        units = self.groups or 1
        table = np.bincount(member * cells + code, minlength=units * cells).reshape(units, cells)
        self._shape = (len(self.classes), 2, 2, 2)
        self._by_group = table.astype(np.float64)
        self.counts: Counts = self._by_group.sum(axis=0).reshape(self._shape)
        self._drawn: Counts | None = None

    def share(self, cells: Array, of_class: int | None = None) -> Estimate:
        """The share of rows, all or of one class (by position), that lie in these cells."""
        value = self._share(self.counts, cells, of_class)
        rows = self.counts.sum() if of_class is None else self.counts[of_class].sum()
        if self.groups is None:
            return wilson(round(value * rows), int(rows), ALPHA)
        estimate = self._interval(lambda counts: self._share(counts, cells, of_class))
        if estimate.low < estimate.high:
            return estimate
        # Every group alike, as where all is right: then a group counts as one row.
        held = self._by_group.reshape(-1, *self._shape)
        has_any = held.sum(axis=(1, 2, 3, 4)) if of_class is None else held[:, of_class].sum(axis=(1, 2, 3))
        units = int((has_any > 0).sum())
        return wilson(value * units, units, ALPHA)

    def balanced(self, cells: Array) -> Estimate:
        """The mean over the classes of the share of their rows in these cells."""
        return self._interval(lambda counts: self._balanced(counts, cells))

    def gain(self, cells: Array, over: Array) -> Estimate:
        """How much larger one share of all rows is than another of the same rows."""
        return self._interval(
            lambda counts: self._share(counts, cells, None) - self._share(counts, over, None)
        )

    def by_group(self, cells: Array) -> Estimate:
        """The mean over the groups of the share of their rows in these cells: what a new group can expect."""
        if self.groups is None:
            return self.share(cells)
        held = self._by_group.reshape(-1, *self._shape)
        shares = (held * cells).sum(axis=(1, 2, 3, 4)) / held.sum(axis=(1, 2, 3, 4))
        drawn = np.random.default_rng(0).integers(self.groups, size=(DRAWS, self.groups))
        value = float(shares.mean())
        low, high = np.quantile(shares[drawn].mean(axis=1), [ALPHA / 2, 1 - ALPHA / 2])
        if low == high:
            return wilson(value * self.groups, self.groups, ALPHA)
        return Estimate(value, min(float(low), value), max(float(high), value))

    def _share(self, counts: Counts, cells: Array, of_class: int | None) -> Any:
        some = counts if of_class is None else counts[..., of_class : of_class + 1, :, :, :]
        axes = (-4, -3, -2, -1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return (some * cells).sum(axis=axes) / some.sum(axis=axes)

    def _balanced(self, counts: Counts, cells: Array) -> Any:
        axes = (-3, -2, -1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return ((counts * cells).sum(axis=axes) / counts.sum(axis=axes)).mean(axis=-1)

    def _interval(self, figure: Callable[[Counts], Any]) -> Estimate:
        """The figure, and where it lies in 95 % of the draws; draws without a row of a class are left out."""
        value = float(figure(self.counts))
        drawn = figure(self._draws())
        told = drawn[np.isfinite(drawn)]
        if not told.size:
            return Estimate(value, value, value)
        low, high = np.quantile(told, [ALPHA / 2, 1 - ALPHA / 2])
        return Estimate(value, min(float(low), value), max(float(high), value))

    def _draws(self) -> Counts:
        if self._drawn is None:
            rng = np.random.default_rng(0)
            if self.groups is None:
                total = self.counts.sum()
                sums: Array = rng.multinomial(int(total), self.counts.ravel() / total, size=DRAWS)
            else:
                even = np.full(self.groups, 1 / self.groups)
                sums = rng.multinomial(self.groups, even, size=DRAWS) @ self._by_group
            self._drawn = sums.reshape(DRAWS, *self._shape).astype(np.float64)
        return self._drawn
