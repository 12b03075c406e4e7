"""Read data of whatever form lies at a path: the one reader that every command and example uses."""

import re
from pathlib import Path

from halocline.data.arrays import read_arrays
from halocline.data.dataset import Dataset, Progress, check_strict
from halocline.data.files import content_of, entries, walk
from halocline.data.folder import read_folder
from halocline.data.known import no_names, pattern_of
from halocline.data.table import names_files, read_table
from halocline.data.windows import Series
from halocline.errors import Misconfigured

FORMS = ".npz or .npy arrays, a folder of class folders, a .csv table, COCO .json annotations, .parquet files"
_ARRAYS = (".npz", ".npy")
_TABLES = (".csv", ".tsv")
_PACKED = (".zip", ".tar", ".gz", ".tgz", ".xz", ".7z", ".rar")


def read(
    path: str | Path,
    *,
    strict: bool = False,
    group_by: str | None = None,
    series: Series | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """The samples at the path, with labels, groups and boxes where the data say them.

    Read are an .npz file (x or inputs, y or labels, group or groups), a folder of class folders of JPEG,
    PNG, WAV or .npy files, a CSV table of files or of numbers, COCO annotations with their pictures, and
    Parquet. Samples are read when they are asked for, so that a set may be larger than the memory. Rows
    that cannot be used are in `bad`; with `strict` one is enough to refuse all. `group_by` is a regular
    expression that finds the group in a file's name. `series` cuts a table of numbers into windows.

    Raises Misconfigured (HAL-304, HAL-320 to HAL-322, HAL-324, HAL-325; HAL-103 for Parquet).
    """
    where = Path(path).expanduser()
    pattern = pattern_of(group_by)
    found = _read(where, pattern, series, progress)
    return check_strict(found, where) if strict else found


def _read(
    where: Path,
    group_by: re.Pattern[str] | None,
    series: Series | None,
    progress: Progress | None,
) -> Dataset:
    form = _form(where)
    if where.is_dir():
        return _in_folder(where, group_by, series, progress)
    if form in _ARRAYS:
        if group_by is not None:
            raise no_names(where, "add an array called group")
        return read_arrays(where)
    if form in _TABLES:
        return read_table(where, group_by=group_by, series=series, progress=progress)
    if form == ".json":
        from halocline.data.coco import read_coco

        return read_coco(where, group_by=group_by, progress=progress)
    if form == ".parquet":
        from halocline.data.parquet import read_parquet

        return read_parquet([where], group_by=group_by, progress=progress)
    raise _unknown(where)


def _in_folder(
    where: Path,
    group_by: re.Pattern[str] | None,
    series: Series | None,
    progress: Progress | None,
) -> Dataset:
    there = entries(where)
    shards = [path for path in there if path.suffix.lower() == ".parquet"]
    if shards:
        from halocline.data.parquet import read_parquet

        return read_parquet(shards, group_by=group_by, progress=progress)
    tables = [path for path in there if path.suffix.lower() in _TABLES]
    if tables and any(content_of(path) is not None for path in walk(where)):
        tables = [path for path in tables if names_files(path)]  # others are somebody's notes on the files
    if len(tables) == 1:
        return read_table(tables[0], group_by=group_by, series=series, progress=progress)
    if len(tables) > 1:
        raise _which(where, tables, "tables")
    notes = _annotations(there)
    if len(notes) > 1:
        raise _which(where, notes, "files of annotations")
    if notes:
        from halocline.data.coco import read_coco

        return read_coco(notes[0], group_by=group_by, progress=progress)
    packed = [path for path in there if _form(path) in (".npz", *_PACKED)]
    if packed and len(packed) == len(there):
        raise _which(where, packed, "files") if _form(packed[0]) == ".npz" else _unknown(packed[0])
    return read_folder(where, group_by=group_by, progress=progress)


def _annotations(there: list[Path]) -> list[Path]:
    """COCO files at the top, or in a folder called annotations."""
    from halocline.data.coco import is_coco

    homes = [
        *there,
        *(each for path in there if path.name == "annotations" and path.is_dir() for each in entries(path)),
    ]
    return [path for path in homes if path.suffix.lower() == ".json" and is_coco(path)]


def _form(where: Path) -> str:
    return where.suffix.lower()


def _which(where: Path, found: list[Path], what: str) -> Misconfigured:
    named = ", ".join(path.name for path in found[:5]) + (", …" if len(found) > 5 else "")
    return Misconfigured(
        "HAL-320", f"{where} holds {len(found)} {what} ({named}); give one of them, as in {found[0]}"
    )


def _unknown(where: Path) -> Misconfigured:
    if not where.exists():
        return Misconfigured("HAL-304", f"{where} does not exist (looked in {Path.cwd()})")
    if _form(where) in _PACKED:
        return Misconfigured("HAL-304", f"{where} is packed. Unpack it, and give the folder that comes out")
    if content_of(where) is not None:
        return Misconfigured(
            "HAL-304", f"{where} is one sample. Give its folder, or a table that names such files"
        )
    return Misconfigured("HAL-304", f"{where} is in no form that is read here. Read are {FORMS}")
