"""Say what a file's name promises, and whether the file keeps it."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from halocline.data.dataset import Content
from halocline.data.headers import Look, look_at
from halocline.errors import Misconfigured
from halocline.records import Array

CONTENT = {
    ".jpg": Content.PICTURES,
    ".jpeg": Content.PICTURES,
    ".png": Content.PICTURES,
    ".wav": Content.SOUNDS,
    ".npy": Content.ROWS,
}
"""What is read, by the ending of a file's name."""
FORMS = {"jpeg": Content.PICTURES, "png": Content.PICTURES, "wav": Content.SOUNDS}
READ = "JPEG and PNG pictures, WAV sounds, .npy rows"
_CLUTTER = frozenset(("thumbs.db", "desktop.ini", "__macosx"))
"""What file managers and archives leave behind."""


def content_of(path: Path) -> Content | None:
    """What the file's name promises; None for what is not read."""
    return CONTENT.get(path.suffix.lower())


def entries(folder: Path) -> list[Path]:
    """What is in the folder, by name, without what is hidden or left there by other programs.

    Raises Misconfigured (HAL-304).
    """
    try:
        there = sorted(folder.iterdir())
    except OSError as exc:
        raise Misconfigured("HAL-304", f"{folder} cannot be looked into ({exc.strerror})") from None
    return [path for path in there if path.name[0] != "." and path.name.lower() not in _CLUTTER]


def walk(folder: Path) -> Iterator[Path]:
    """Every file under the folder, by name, without what is hidden."""
    for path in entries(folder):
        if path.is_symlink() and folder.resolve().is_relative_to(path.resolve()):
            continue  # it leads back up, and round and round
        if path.is_dir():
            yield from walk(path)
        else:
            yield path


def look(path: Path) -> Look:
    """Look at the file, as `headers.look_at` does; rows are read by their head, too."""
    try:
        if content_of(path) is Content.ROWS:
            return _rows(path)
        with path.open("rb") as file:
            seen = look_at(file)
    except FileNotFoundError:
        return Look(why="it does not exist")
    except OSError as exc:
        return Look(why=f"it cannot be read ({exc.strerror})")
    promised, found = content_of(path), FORMS.get(seen.form)
    if seen.why is None and promised is not None and found is not promised:
        return seen._replace(why=f"it is called {path.suffix} and holds a {seen.form} file")
    return seen


class RowFiles(Sequence[Array]):
    """One array a file, read when it is asked for."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [np.load(path, allow_pickle=False) for path in self.paths[at]]
        return np.load(self.paths[at], allow_pickle=False)


def samples_of(paths: Sequence[Path], content: Content) -> Sequence[Any]:
    """The files as raw samples: paths of pictures and sounds, the arrays of rows."""
    return RowFiles(paths) if content is Content.ROWS else paths


def _rows(path: Path) -> Look:
    if not os.path.getsize(path):
        return Look(why="it is empty")
    try:
        np.load(path, allow_pickle=False, mmap_mode="r")
    except (ValueError, EOFError) as exc:
        if "Object arrays" in str(exc) or "Python objects" in str(exc):
            return Look(why="it holds Python objects, not numbers")
        return Look(why="it is not a whole .npy file")
    return Look("npy")
