"""Read labels and groups, and check them against the rows they belong to."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import msgspec
import numpy as np

from halocline.decide.told import counted
from halocline.errors import Rejected
from halocline.ports import Feed
from halocline.records import Array, Boxes
from halocline.tuning.said import some
from halocline.tuning.store import digest_of, row_keys

MANY_COPIES = 0.02


class Truth(msgspec.Struct, frozen=True, eq=False):
    """The class of each row, int64 `[rows]`, and what a reader should know about how it was read.

    The classes of an anomaly scorer are 0 and 1. Where a task has none, all are 0 and `values` says what is
    true of each row: Boxes, or numbers, right within `tolerance`.
    """

    index: Array
    notes: tuple[str, ...] = ()
    values: Sequence[Any] | None = None
    tolerance: float | None = None

    @property
    def key(self) -> Array:
        """What tells the labels of rows apart, `[rows]`: classes, numbers, or digests of boxes."""
        if self.values is None:
            return self.index
        if self.values and isinstance(self.values[0], Boxes):
            return np.asarray([_digest_of_boxes(each) for each in self.values])
        return np.asarray(self.values)


def only(truth: Truth | None, places: Array) -> Truth | None:
    """The labels of these rows: places int64 `[rows]`, or which of all `[all rows]`."""
    if truth is None:
        return None
    values = None if truth.values is None else some(truth.values, places)
    return msgspec.structs.replace(truth, index=truth.index[places], values=values)


def read_truth(y: Any, labels: Sequence[str] | None, classes: int, rows: int) -> Truth:
    """The edge's class index of each label; labels may be names or class numbers.

    Raises Rejected (HAL-305): another length, NaN, one column a class, a name or number that is none of
    the edge model's classes.
    """
    given = np.asarray(y)
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if given.ndim != 1:
        hint = " (one column a class? Try y.argmax(axis=1))" if given.ndim == 2 else ""
        raise Rejected("HAL-305", f"y must hold one label a row, got the shape {list(given.shape)}{hint}")
    check_length("y", len(given), rows)
    if given.dtype.kind in "USO":
        return Truth(_by_name([_text(each) for each in given.tolist()], labels))
    if given.dtype.kind == "f":
        missing = np.flatnonzero(np.isnan(given))
        if missing.size:
            where = f"in {counted(missing.size, 'row')}, the first at {missing[0]}"
            raise Rejected("HAL-305", f"y holds NaN {where}. Drop such rows, or leave y out")
        if not (given == np.floor(given)).all():
            raise Rejected("HAL-305", "y holds fractions; a classifier's labels are names or whole numbers")
    elif given.dtype.kind not in "iub":
        raise Rejected("HAL-305", f"y must hold names or class numbers, got {given.dtype}")
    return _by_number(given.astype(np.int64), labels, classes)


def read_groups(groups: Any, rows: int) -> Array | None:
    """One group a row, `[rows]`. Raises Rejected (HAL-305): another length, None or NaN."""
    if groups is None:
        return None
    given = np.asarray(groups)
    if given.ndim != 1:
        raise Rejected("HAL-305", f"groups must hold one value a row, got the shape {list(given.shape)}")
    check_length("groups", len(given), rows)
    missing = sum(each is None or each != each for each in given.tolist()) if given.dtype.kind in "fO" else 0
    if missing:
        raise Rejected(
            "HAL-305",
            f"groups holds no group in {counted(missing, 'row')}; give every row one, or leave groups out "
            "(None and NaN are none)",
        )
    return given.astype(str) if given.dtype.kind == "O" else given


def check_length(name: str, length: int, rows: int) -> None:
    """Raise Rejected (HAL-305) unless there is one for each row."""
    if length != rows:
        raise Rejected("HAL-305", f"{name} must have one value for each of the {rows} rows, got {length}")


def counted_once(inputs: Feed, truth: Array, group: Array | None) -> tuple[Array, tuple[str, ...]]:
    """Which rows `[rows]` are left when each counts once, and the warning where that matters.

    A copy has the input, label and group of an earlier row. A few may be chance. More than `MANY_COPIES`
    were made, by mistake or to balance classes, and would fake certainty; or the traffic repeats itself,
    and leaving them out would hide what it loses. Nobody can tell from the rows, so both must hold.
    """
    seen: set[tuple[bytes, int, object]] = set()
    once = np.ones(len(truth), dtype=bool)
    groups = [None] * len(truth) if group is None else group.tolist()
    for at, row in enumerate(zip(row_keys(inputs), truth.tolist(), groups, strict=True)):
        once[at] = row not in seen
        seen.add(row)
    copies = len(once) - int(once.sum())
    if copies <= MANY_COPIES * len(once):
        return np.ones(len(truth), dtype=bool), ()
    told = (
        f"{copies} of the {len(once)} rows are copies of another row: if they were made they fake certainty, "
        "if the traffic repeats itself they belong to it. Where a loss is promised both counts are tested, "
        f"all rows and the {len(once) - copies} distinct ones, and the more careful one stands"
    )
    return once, (told,)


def data_digest(inputs: Feed, truth: Array | None, group: Array | None) -> str:
    """`sha256:…` of rows with their labels and groups; the same rows without labels are other data."""
    named = {f"x.{name}": array for name, array in inputs.items()}
    if truth is not None:
        named["y"] = truth
    if group is not None:
        named["group"] = group
    return digest_of(named)


def _digest_of_boxes(boxes: Boxes) -> str:
    return digest_of({"xyxy": boxes.xyxy, "index": boxes.index})


def _by_name(names: Sequence[str], labels: Sequence[str] | None) -> Array:
    if labels is None:
        raise Rejected(
            "HAL-305",
            f"y holds names ({names[0]!r}, …) and the edge model has no labels to match them with. "
            "Give it labels=[…], or class numbers as y",
        )
    position = {label: at for at, label in enumerate(labels)}
    strays = [name for name in names if name not in position]
    if strays:
        near = get_close_matches(strays[0], list(labels), 1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        rows = counted(strays.count(strays[0]), "row")
        raise Rejected(
            "HAL-305",
            f"y holds {strays[0]!r}{meant}, in {rows}, which is no label of the edge model's: "
            f"{_listed(labels)}. Rename them, or drop such rows",
        )
    return np.asarray([position[name] for name in names], dtype=np.int64)


def _by_number(numbers: Array, labels: Sequence[str] | None, classes: int) -> Truth:
    fits = bool(len(numbers)) and numbers.min() >= 0 and numbers.max() < classes
    if labels is not None and {str(each) for each in np.unique(numbers).tolist()} <= set(labels):
        index = _by_name([str(each) for each in numbers.tolist()], labels)
        if fits and not np.array_equal(index, numbers):
            first = int(numbers[np.flatnonzero(index != numbers)[0]])
            meant = f"{first} means the class called {str(first)!r}, not class number {first}"
            return Truth(
                index, (f"y was read as names, since the edge model's classes are called so: {meant}",)
            )
        return Truth(index)
    if not fits:
        stray = next((each for each in numbers.tolist() if not 0 <= each < classes), None)
        raise Rejected(
            "HAL-305",
            f"y holds the class {stray}; the edge model has the {classes} classes 0 to {classes - 1}"
            + (f", called {_listed(labels)}" if labels else ""),
        )
    return Truth(numbers)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels[:8]) + (", …" if len(labels) > 8 else "")
