"""Hold the samples of Parquet files so that one row group is in memory at a time."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from halocline.records import Array


class Piece(NamedTuple):
    """One row group of one file, and the number of its first row in the whole."""

    file: Any
    group: int
    first: int


class Samples(NamedTuple):
    """Which columns hold the samples, and how those of one table become a sequence of samples."""

    columns: tuple[str, ...]
    cut: Callable[[Any], Sequence[Any] | Array]


class ParquetRows(Sequence[Any]):
    """Samples of Parquet files, one row group in memory at a time."""

    def __init__(self, pieces: Sequence[Piece], samples: Samples, rows: Array) -> None:
        self._pieces = pieces
        self._firsts = np.asarray([piece.first for piece in pieces], dtype=np.int64)
        self._samples = samples
        self._rows = rows
        self._held: tuple[int, Sequence[Any] | Array] = (-1, ())

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        row = int(self._rows[at])
        piece = int(np.searchsorted(self._firsts, row, side="right")) - 1
        held, found = self._held
        if held != piece:
            found = samples_in(self._pieces[piece], self._samples)
            self._held = (piece, found)
        return found[row - self._pieces[piece].first]


def samples_in(piece: Piece, samples: Samples) -> Sequence[Any] | Array:
    """The samples of one row group."""
    return samples.cut(piece.file.read_row_group(piece.group, columns=list(samples.columns)))


def each_sample(pieces: Sequence[Piece], samples: Samples) -> Iterator[Any]:
    """Every sample, in order."""
    for piece in pieces:
        yield from samples_in(piece, samples)


def pieces_of(files: Sequence[Any]) -> list[Piece]:
    """The row groups of the files, in order."""
    pieces, first = [], 0
    for file in files:
        for group in range(file.metadata.num_row_groups):
            pieces.append(Piece(file, group, first))
            first += file.metadata.row_group(group).num_rows
    return pieces
