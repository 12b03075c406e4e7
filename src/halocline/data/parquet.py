"""Read Parquet files: a column of pictures or sounds as bytes, or columns of numbers."""

import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from halocline.data.columns import PATHS, columns_of
from halocline.data.dataset import BadRow, Content, Dataset, Kind, Progress, RowNames
from halocline.data.files import FORMS
from halocline.data.headers import look_at
from halocline.data.known import as_array, no_names
from halocline.data.listed import Listed, read_listed
from halocline.errors import Misconfigured
from halocline.extras import need
from halocline.records import Array


class _Piece(NamedTuple):
    """One row group of one file, and the number of its first row in the whole."""

    file: Any
    group: int
    first: int


class _Samples(NamedTuple):
    """Which columns hold the samples, and how those of one table become a sequence of samples."""

    columns: tuple[str, ...]
    cut: Callable[[Any], Sequence[Any] | Array]


class ParquetRows(Sequence[Any]):
    """Samples of Parquet files, one row group in memory at a time."""

    def __init__(self, pieces: Sequence[_Piece], samples: _Samples, rows: Array) -> None:
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


def samples_in(piece: _Piece, samples: _Samples) -> Sequence[Any] | Array:
    """The samples of one row group."""
    return samples.cut(piece.file.read_row_group(piece.group, columns=list(samples.columns)))


def read_parquet(
    paths: Sequence[Path], *, group_by: re.Pattern[str] | None = None, progress: Progress | None = None
) -> Dataset:
    """A column of bytes (or of bytes with a path, as public sets have it), of paths, of lists, or numbers.

    Label and group are found by name; class names in the file's own description of its columns are used.
    Raises Misconfigured (HAL-103, HAL-304, HAL-321, HAL-322, HAL-325).
    """
    need("parquet", "pyarrow", what="a Parquet file")
    files = [_opened(path) for path in paths]
    schema = files[0].schema_arrow
    for path, file in zip(paths, files, strict=True):
        if file.schema_arrow.names != schema.names:
            raise Misconfigured("HAL-322", f"{path} has other columns than {paths[0].name}; give one of them")
    where = paths[0] if len(paths) == 1 else paths[0].parent
    columns = columns_of(schema.names, where)
    known = {
        word: _column(files, schema, at) for word, at in (("label", columns.label), ("group", columns.group))
    }
    found = None if columns.path is None else schema.field(columns.path)
    if found is not None and _is_text(found.type):
        return _of_paths(files, where, found.name, known, group_by, progress)
    if group_by is not None:
        raise no_names(where, "add a column called group")
    samples, unread = _samples_of(schema, columns.taken(), where)
    return _of_samples(_pieces(files), samples, where, known, unread, progress)


def _of_samples(
    pieces: Sequence[_Piece],
    samples: _Samples,
    where: Path,
    known: dict[str, list[str | None] | None],
    unread: tuple[str, ...],
    progress: Progress | None,
) -> Dataset:
    kept, bad, contents = [], [], set()
    rows = sum(piece.file.metadata.row_group(piece.group).num_rows for piece in pieces)
    for number, sample in enumerate(_each(pieces, samples)):
        if progress is not None and number % 100 == 0:
            progress(number, rows)
        content, why = _judged(sample)
        why = why or next(
            (f"it has no {word}" for word, values in known.items() if values and values[number] is None), None
        )
        if why is None:
            kept.append(number)
            contents.add(content)
        else:
            bad.append(BadRow(f"row {number}", why))
    if progress is not None:
        progress(rows, rows)
    if len(contents) > 1:
        raise Misconfigured(
            "HAL-321", f"{where} mixes {' and '.join(sorted(contents))}; a model takes one kind"
        )
    label, group = (
        None if values is None else as_array([values[at] or "" for at in kept]) for values in known.values()
    )
    return Dataset(
        kind=Kind.PARQUET,
        content=contents.pop() if contents else Content.ROWS,
        samples=ParquetRows(pieces, samples, np.asarray(kept, dtype=np.int64)),
        names=RowNames(kept),
        labels=label,
        groups=group,
        bad=tuple(bad),
        unread=unread,
    )


def _of_paths(
    files: Sequence[Any],
    where: Path,
    name: str,
    known: dict[str, list[str | None] | None],
    group_by: re.Pattern[str] | None,
    progress: Progress | None,
) -> Dataset:
    paths = [value for file in files for value in file.read(columns=[name]).column(0).to_pylist()]
    home = where if where.is_dir() else where.parent
    rows, bad = [], []
    for at, named in enumerate(paths):
        label, group = (None if values is None else values[at] for values in known.values())
        if named:
            rows.append(Listed(home / named, named, label, group))
        else:
            bad.append(BadRow(f"row {at}", "it names no file"))
    return read_listed(rows, where, Kind.PARQUET, bad=bad, group_by=group_by, progress=progress)


def _samples_of(schema: Any, taken: set[int], where: Path) -> tuple[_Samples, tuple[str, ...]]:
    """Where the samples are, and the columns that are not read."""
    fields = list(schema)
    for kind, cut in ((_is_bytes, _bytes_in), (_is_list, _lists_in)):
        found = [field.name for field in fields if kind(field.type)]
        named = [name for name in found if name.lower() in (*PATHS, "x", "inputs")] or found
        if len(named) > 1:
            raise Misconfigured(
                "HAL-322", f"{where} has several columns of samples ({', '.join(named)}); call one of them x"
            )
        if named:
            unread = [
                each.name for at, each in enumerate(fields) if at not in taken and each.name != named[0]
            ]
            return _Samples((named[0],), cut), tuple(unread)
    numbers = [each.name for at, each in enumerate(fields) if at not in taken and _is_number(each.type)]
    if not numbers:
        raise Misconfigured(
            "HAL-322",
            f"{where} has the columns {', '.join(schema.names)}: none holds pictures or sounds as bytes, "
            "lists, or numbers",
        )
    return _Samples(tuple(numbers), _numbers_in), _others(schema, taken, numbers)


def _others(schema: Any, taken: set[int], names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for at, name in enumerate(schema.names) if at not in taken and name not in names)


def _judged(sample: Any) -> tuple[Content, str | None]:
    """What a sample is, and why it cannot be used."""
    if sample is None:
        return Content.ROWS, "it is empty"
    if isinstance(sample, bytes):
        seen = look_at(io.BytesIO(sample))
        return FORMS.get(seen.form, Content.ROWS), seen.why
    return Content.ROWS, "it has an empty cell" if np.isnan(sample).any() else None


def _each(pieces: Sequence[_Piece], samples: _Samples) -> Iterator[Any]:
    for piece in pieces:
        yield from samples_in(piece, samples)


def _bytes_in(table: Any) -> list[bytes | None]:
    values = table.column(0).to_pylist()
    return [value["bytes"] if isinstance(value, dict) else value for value in values]


def _lists_in(table: Any) -> list[Array | None]:
    return [
        None if value is None else np.asarray(value, dtype=np.float32)
        for value in table.column(0).to_pylist()
    ]


def _numbers_in(table: Any) -> Array:
    columns = [table.column(name).to_numpy().astype(np.float32) for name in table.column_names]
    return np.stack(columns, axis=1)


def _is_bytes(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return any(kind.field(at).name == "bytes" for at in range(kind.num_fields))
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _is_list(kind: Any) -> bool:
    from pyarrow import types

    while types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        kind = kind.value_type
        if _is_number(kind):
            return True
    return False


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind))


def _column(files: Sequence[Any], schema: Any, at: int | None) -> list[str | None] | None:
    """The values of a column as text, None where a cell is empty."""
    if at is None:
        return None
    name = schema.names[at]
    names = _class_names(schema, name)
    values = [value for file in files for value in file.read(columns=[name]).column(0).to_pylist()]
    return [None if value is None or value == "" else _told(value, names) for value in values]


def _told(value: Any, names: Sequence[str]) -> str:
    if names and isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    whole = isinstance(value, bool) or (isinstance(value, float) and value.is_integer())
    return str(int(value) if whole else value)


def _class_names(schema: Any, name: str) -> list[str]:
    """The names of a column's classes, where the file says them as public sets do."""
    try:
        said = json.loads((schema.metadata or {})[b"huggingface"])
        return [str(each) for each in said["info"]["features"][name]["names"]]
    except (KeyError, TypeError, ValueError):
        return []


def _pieces(files: Sequence[Any]) -> list[_Piece]:
    pieces, first = [], 0
    for file in files:
        for group in range(file.metadata.num_row_groups):
            pieces.append(_Piece(file, group, first))
            first += file.metadata.row_group(group).num_rows
    return pieces


def _opened(path: Path) -> Any:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        return ParquetFile(path)
    except FileNotFoundError:
        raise Misconfigured("HAL-304", f"{path} does not exist (looked in {Path.cwd()})") from None
    except (OSError, pyarrow.ArrowInvalid) as exc:
        reason = str(exc).splitlines()[0]
        raise Misconfigured("HAL-304", f"{path} is not a whole Parquet file ({reason})") from None
