"""Read Parquet files: a column of pictures or sounds as bytes, or columns of numbers."""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from halocline.data.columns import columns_of
from halocline.data.dataset import BadRow, Content, Dataset, Kind, Progress, RowNames
from halocline.data.files import FORMS
from halocline.data.headers import look_at
from halocline.data.known import as_array, no_names
from halocline.data.listed import Listed, read_listed
from halocline.data.parquet_rows import ParquetRows, Piece, Samples, each_sample, pieces_of
from halocline.data.parquet_schema import class_names, is_text, samples_of
from halocline.errors import Misconfigured
from halocline.extras import need


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
    if found is not None and is_text(found.type):
        return _of_paths(files, where, found.name, known, group_by, progress)
    if group_by is not None:
        raise no_names(where, "add a column called group")
    samples, unread = samples_of(schema, columns.taken(), where)
    return _of_samples(pieces_of(files), samples, where, known, unread, progress)


def _of_samples(
    pieces: Sequence[Piece],
    samples: Samples,
    where: Path,
    known: dict[str, list[str | None] | None],
    unread: tuple[str, ...],
    progress: Progress | None,
) -> Dataset:
    kept, bad, contents = [], [], set()
    rows = sum(piece.file.metadata.row_group(piece.group).num_rows for piece in pieces)
    for number, sample in enumerate(each_sample(pieces, samples)):
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


def _judged(sample: Any) -> tuple[Content, str | None]:
    """What a sample is, and why it cannot be used."""
    if sample is None:
        return Content.ROWS, "it is empty"
    if isinstance(sample, bytes):
        seen = look_at(io.BytesIO(sample))
        return FORMS.get(seen.form, Content.ROWS), seen.why
    return Content.ROWS, "it has an empty cell" if np.isnan(sample).any() else None


def _column(files: Sequence[Any], schema: Any, at: int | None) -> list[str | None] | None:
    """The values of a column as text, None where a cell is empty."""
    if at is None:
        return None
    name = schema.names[at]
    names = class_names(schema, name)
    values = [value for file in files for value in file.read(columns=[name]).column(0).to_pylist()]
    return [None if value is None or value == "" else _told(value, names) for value in values]


def _told(value: Any, names: Sequence[str]) -> str:
    if names and isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    whole = isinstance(value, bool) or (isinstance(value, float) and value.is_integer())
    return str(int(value) if whole else value)


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
