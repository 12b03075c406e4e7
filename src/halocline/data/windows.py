"""Cut a long series into windows, each a sample, without copying it."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from halocline.records import Array

BLOCK_WINDOWS = 10
"""So many windows end to end make a block."""


class Series(NamedTuple):
    """How a table of numbers is cut: windows of so many lines, one each `hop` lines (None: `window`).

    `columns` names those that a model takes; none means all that hold numbers.
    """

    window: int
    hop: int | None = None
    columns: tuple[str, ...] = ()


class Windows(Sequence[Array]):
    """Pieces of `length` rows of a series `[rows, columns]`, each beginning where `starts` says."""

    def __init__(self, rows: Array, starts: Array, length: int) -> None:
        self._rows = rows
        self.starts = starts
        self.length = length

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        start = int(self.starts[at])
        return self._rows[start : start + self.length]


def starts_of(rows: int, parted: Sequence[Array], length: int, hop: int) -> Array:
    """Where windows begin, int64; none reaches over a place where one of these `[rows]` changes."""
    cuts = {int(at) + 1 for each in parted for at in np.flatnonzero(each[1:] != each[:-1])}
    edges = [0, *sorted(cuts), rows]
    spans = itertools.pairwise(edges)
    return np.asarray(
        [at for begin, end in spans for at in range(begin, end - length + 1, hop)], dtype=np.int64
    )


def blocks_of(starts: Array, length: int) -> Array:
    """The block of each window, a text: those that begin within the same ten windows' length.

    Windows that overlap share lines, so that one tells little that its neighbour has not told. Counted as
    so many independent rows they would fake certainty; as groups they do not, but for the few at the
    border of two blocks.
    """
    return np.asarray([f"block {int(at) // (BLOCK_WINDOWS * length) + 1}" for at in starts])
