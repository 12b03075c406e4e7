"""Read a folder of class folders, or a folder of files without labels."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from halocline.data.dataset import BadRow, Dataset, Kind, Progress
from halocline.data.files import READ, content_of, entries, walk
from halocline.data.listed import Listed, read_listed
from halocline.errors import Misconfigured

_NAMED = 5
_PARTS = frozenset(("train", "test", "val", "valid", "validation", "calibration", "tune"))
"""What people call the parts of a set: never the names of its classes."""


def read_folder(
    folder: Path, *, group_by: re.Pattern[str] | None = None, progress: Progress | None = None
) -> Dataset:
    """Each folder in it is a class and holds that class's files, at any depth; files alone have no labels.

    What is not read is named in `unread`. Raises Misconfigured (HAL-320, HAL-321, HAL-325).
    """
    there = entries(folder)
    loose = [path for path in there if path.is_file() and content_of(path) is not None]
    classes = {path: [*walk(path)] for path in there if path.is_dir()}
    found = {path: [file for file in files if content_of(file)] for path, files in classes.items()}
    found = {path: files for path, files in found.items() if files}
    if not found and not loose:
        raise _nothing(folder, [*walk(folder)])
    unread = _unread([path for path in there if path.is_file()] + [f for fs in classes.values() for f in fs])
    if not found:
        rows = [Listed(path, path.name) for path in loose]
        return read_listed(rows, folder, Kind.FOLDER, unread=unread, group_by=group_by, progress=progress)
    _check_classes(folder, sorted(found))
    rows = [
        Listed(path, path.relative_to(folder).as_posix(), label=home.name)
        for home, files in found.items()
        for path in files
    ]
    bad = [BadRow(path.name, "it lies beside the class folders and so has no class") for path in loose]
    return read_listed(
        rows, folder, Kind.FOLDER, bad=bad, unread=unread, group_by=group_by, progress=progress
    )


def _check_classes(folder: Path, homes: Sequence[Path]) -> None:
    parts = [home for home in homes if home.name.lower() in _PARTS]
    if parts and len(parts) == len(homes):
        names = " and ".join(home.name for home in parts)
        raise Misconfigured(
            "HAL-320", f"{folder} holds {names}, which are parts of a set and no classes. Try: {parts[0]}"
        )
    if len(homes) > 1:
        return
    (home,) = homes
    inner = any(path.is_dir() for path in entries(home))
    meant = f" Is {home} the data?" if inner else ""
    raise Misconfigured(
        "HAL-320",
        f"{folder} holds one class folder, {home.name!r}: nothing can be told apart. Put the files of each "
        f"other class in a folder of its own beside it; for data without labels give {home}.{meant}",
    )


def _nothing(folder: Path, files: Sequence[Path]) -> Misconfigured:
    kinds = Counter(path.suffix.lower() or path.name for path in files)
    if not kinds:
        return Misconfigured("HAL-320", f"{folder} holds no files. Read are: {READ}")
    seen = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(_NAMED))
    return Misconfigured(
        "HAL-320", f"{folder} holds nothing that can be read, only {seen}. Read are: {READ}, and a .csv table"
    )


def _unread(files: Sequence[Path]) -> tuple[str, ...]:
    """How many files of which endings were passed over."""
    kinds = Counter(path.suffix.lower() or path.name for path in files if content_of(path) is None)
    return tuple(f"{count} {kind} file{'' if count == 1 else 's'}" for kind, count in sorted(kinds.items()))
