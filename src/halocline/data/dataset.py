"""What was read: samples, what is known of each, and the rows that could not be used."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

import msgspec

from halocline.errors import Misconfigured
from halocline.records import Array, Boxes

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the rows looked at and the rows there are."""

_NAMED = 3
"""So many bad rows are named in a message; all of them are in `Dataset.bad`."""


class Kind(StrEnum):
    """The form that the data have on disk."""

    ARRAYS = "arrays"
    FOLDER = "folder"
    TABLE = "table"
    COCO = "coco"
    PARQUET = "parquet"


class Content(StrEnum):
    """What one sample is."""

    PICTURES = "pictures"
    SOUNDS = "sounds"
    ROWS = "rows"


class BadRow(NamedTuple):
    """A row that was left out, and why."""

    name: str
    why: str


class Dataset(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Samples, and where the data say it a label, a group (patient, machine, shop) or boxes for each.

    `samples` is one array, one array for each input, or a sequence that reads each sample when it is asked
    for: paths, bytes, or arrays. `names` says of each row where it came from. `bad` are rows that were
    left out; `unread` what was there besides and taken for nothing of it.
    """

    kind: Kind
    content: Content
    samples: Array | Mapping[str, Array] | Sequence[Any]
    names: Sequence[str]
    labels: Array | None = None
    groups: Array | None = None
    boxes: Sequence[Boxes] | None = None
    bad: tuple[BadRow, ...] = ()
    unread: tuple[str, ...] = ()

    def __len__(self) -> int:
        if isinstance(self.samples, Mapping):
            return len(next(iter(self.samples.values())))
        return len(self.samples)


class RowNames(Sequence[str]):
    """Names of rows that have only a number: `row 17`, or `line 18` of a text file."""

    def __init__(self, numbers: Sequence[int], word: str = "row") -> None:
        self._numbers = numbers
        self._word = word

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [f"{self._word} {number}" for number in self._numbers[at]]
        return f"{self._word} {self._numbers[at]}"

    def __iter__(self) -> Iterator[str]:
        return (f"{self._word} {number}" for number in self._numbers)


def told_bad(bad: Sequence[BadRow]) -> str:
    """How many rows were left out, and the first of them with the reason."""
    named = "; ".join(f"{row.name}: {row.why}" for row in bad[:_NAMED])
    more = f"; and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
    return f"{len(bad)} {'row' if len(bad) == 1 else 'rows'} left out ({named}{more})"


def check_strict(dataset: Dataset, where: object) -> Dataset:
    """The data, where every row can be used. Raises Misconfigured (HAL-324) otherwise."""
    if not dataset.bad:
        return dataset
    raise Misconfigured(
        "HAL-324", f"{where}: {told_bad(dataset.bad)}. Mend them, or go on without them: leave --strict out"
    )
