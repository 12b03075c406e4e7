"""Read a CSV table: of files with their labels and groups, or of numbers, one row a line or a series."""

import csv
import re
from array import array
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

import numpy as np

from halocline.data.columns import PATHS, Columns, columns_of
from halocline.data.dataset import BadRow, Content, Dataset, Kind, Progress, RowNames
from halocline.data.known import as_array, no_names
from halocline.data.listed import Listed, read_listed
from halocline.data.windows import Series, Windows, blocks_of, starts_of
from halocline.errors import Misconfigured
from halocline.records import Array

_LOOKED_AT = 50
"""So many lines decide whether a column holds numbers."""
_EMPTY = frozenset(("", "nan", "na", "null", "none", "n/a"))


class _Line(NamedTuple):
    number: int
    cells: list[str]


def read_table(
    path: Path,
    *,
    group_by: re.Pattern[str] | None = None,
    series: Series | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """A column of files, or columns of numbers; label and group beside them, all found by name.

    Files are looked for beside the table. With `series` the numbers are cut into windows, each with the
    label of its last line; a change of group, or a line that cannot be used, ends a series. Windows that
    overlap and have no group are grouped in blocks of neighbours.
    Raises Misconfigured (HAL-304, HAL-320, HAL-321, HAL-322, HAL-325).
    """
    lines = _lines(path)
    first = next(lines, None)
    if first is None:
        raise Misconfigured("HAL-304", f"{path} is empty")
    if all(_number(cell) is not None for cell in first.cells):
        names, rest = [f"column {at + 1}" for at in range(len(first.cells))], [first, *lines]
    else:
        names, rest = [cell.strip() for cell in first.cells], [*lines]
    if not rest:
        raise Misconfigured("HAL-304", f"{path} holds column names and no rows")
    columns = columns_of(names, path)
    if columns.path is not None:
        return _files(path, names, rest, columns, group_by, progress)
    if group_by is not None:
        raise no_names(path, "add a column called group")
    return _numbers(path, names, rest, columns, series)


def names_files(path: Path) -> bool:
    """Whether the table has a column of files."""
    first = next(_lines(path), None)
    return first is not None and columns_of(first.cells, path).path is not None


def _files(
    path: Path,
    names: Sequence[str],
    lines: Sequence[_Line],
    columns: Columns,
    group_by: re.Pattern[str] | None,
    progress: Progress | None,
) -> Dataset:
    assert columns.path is not None
    rows, bad = [], []
    for number, cells in lines:
        if len(cells) != len(names):
            bad.append(BadRow(f"line {number}", f"it has {len(cells)} cells, not {len(names)}"))
            continue
        named = cells[columns.path].strip()
        label, group = (None if at is None else cells[at].strip() or None for at in columns[1:3])
        if not named:
            bad.append(BadRow(f"line {number}", "it names no file"))
            continue
        rows.append(Listed(path.parent / named, named, label, group))
    unread = tuple(name for at, name in enumerate(names) if at not in columns.taken())
    return read_listed(rows, path, Kind.TABLE, bad=bad, unread=unread, group_by=group_by, progress=progress)


def _numbers(
    path: Path,
    names: Sequence[str],
    lines: Sequence[_Line],
    columns: Columns,
    series: Series | None,
) -> Dataset:
    places = [at for at in range(len(names)) if at not in columns.taken() and _is_numeric(lines, at)]
    if series is not None and series.columns:
        places = [_named_column(path, names, name) for name in series.columns]
    if not places:
        raise Misconfigured(
            "HAL-322",
            f"{path} has the columns {', '.join(names)}: none names files ({', '.join(PATHS[:3])}) and none "
            "holds numbers. Labels go in label, groups in group",
        )
    values, kept = array("f"), []
    bad: list[BadRow] = []
    runs: list[int] = []  # a line that is left out parts what is before it from what is after
    for number, cells in lines:
        read, why = _read_line(cells, names, places, columns, has_gaps=series is not None)
        if why is None:
            values.extend(read)
            kept.append(_Line(number, cells))
            runs.append(len(bad))
        else:
            bad.append(BadRow(f"line {number}", why))
    rows = np.frombuffer(values, dtype=np.float32).reshape(len(kept), len(places))
    label, group = (
        None if at is None else as_array([cells[at].strip() for _, cells in kept]) for at in columns[1:3]
    )
    told = RowNames([number for number, _ in kept], "line")
    unread = tuple(name for at, name in enumerate(names) if at not in {*places, *columns.taken()})
    numbers = Dataset(
        kind=Kind.TABLE,
        content=Content.ROWS,
        samples=rows,
        names=told,
        labels=label,
        groups=group,
        bad=tuple(bad),
        unread=unread,
    )
    return numbers if series is None else _windowed(path, numbers, rows, np.asarray(runs), series)


def _named_column(path: Path, names: Sequence[str], name: str) -> int:
    if name in names:
        return list(names).index(name)
    near = get_close_matches(name, list(names), 1)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    raise Misconfigured(
        "HAL-322", f"{path} has no column {name!r}, which the model takes; it has {', '.join(names)}.{meant}"
    )


def _windowed(path: Path, numbers: Dataset, rows: Array, runs: Array, series: Series) -> Dataset:
    window = series.window
    parted = [runs] if numbers.groups is None else [runs, numbers.groups]
    starts = starts_of(len(rows), parted, window, series.hop or window)
    if not len(starts):
        raise Misconfigured(
            "HAL-322", f"{path} has no {window} lines in a row of one group, which a window takes"
        )
    last = starts + window - 1
    overlap = (series.hop or window) < window
    groups = blocks_of(starts, window) if overlap and numbers.groups is None else None
    return Dataset(
        kind=numbers.kind,
        content=numbers.content,
        samples=Windows(rows, starts, window),
        names=[numbers.names[at] for at in starts],
        labels=None if numbers.labels is None else numbers.labels[last],
        groups=groups if numbers.groups is None else numbers.groups[last],
        bad=numbers.bad,
        unread=numbers.unread,
    )


def _read_line(
    cells: Sequence[str], names: Sequence[str], places: Sequence[int], columns: Columns, *, has_gaps: bool
) -> tuple[list[float], str | None]:
    """The numbers of a line, or why they cannot be used."""
    if len(cells) != len(names):
        return [], f"it has {len(cells)} cells, not {len(names)}"
    for word, at in (("label", columns.label), ("group", columns.group)):
        if at is not None and not cells[at].strip():
            return [], f"it has no {word}"
    found = []
    for at in places:
        value = _number(cells[at])
        if value is None:
            return [], f"{names[at]} is {cells[at]!r}, which is no number"
        if value != value and not has_gaps:
            return [], f"{names[at]} is empty"
        found.append(value)
    return found, None


def _is_numeric(lines: Sequence[_Line], at: int) -> bool:
    """Whether most of the first cells are numbers."""
    cells = [cells[at] for _, cells in lines[:_LOOKED_AT] if at < len(cells)]
    numbers = [_number(cell) for cell in cells]
    good = sum(each is not None for each in numbers)
    return 2 * good > len(cells) and any(each is not None and each == each for each in numbers)


def _number(cell: str) -> float | None:
    """The number, NaN for an empty cell, None for what is no number."""
    text = cell.strip()
    if text.lower() in _EMPTY:
        return float("nan")
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value == value and abs(value) != float("inf") else None


def _lines(path: Path) -> Iterator[_Line]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            start = file.read(8192)
            file.seek(0)
            reader = csv.reader(file, delimiter=_delimiter(start))
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield _Line(reader.line_num, cells)
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise Misconfigured("HAL-304", f"{path} is not a CSV table in UTF-8 ({exc})") from None


def _delimiter(start: str) -> str:
    """What parts the cells of the first line."""
    line = start.partition("\n")[0]
    return max(",;\t", key=line.count)
