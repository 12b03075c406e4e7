"""Read the files of a data set's folder, or say in one line what is missing."""

import hashlib
import lzma
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from halocline.errors import Misconfigured
from halocline.records import Array


def check_folder(folder: Path, names: Iterable[str], what: str) -> None:
    """Raise Misconfigured (HAL-304) unless the folder is there and holds every one of the files."""
    if not folder.is_dir():
        raise Misconfigured(
            "HAL-304",
            f"{folder} is not a folder (looked in {Path.cwd()}). Give the folder of {what}: --from DIR",
        )
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise Misconfigured(
            "HAL-304",
            f"{folder} lacks {', '.join(missing)}, which {what} is read from. Is it another set's folder?",
        )


def read_array(path: Path) -> Array:
    """The array of an .npy file, or of an .npy.xz one. Raises Misconfigured (HAL-304)."""
    try:
        if path.suffix == ".xz":
            with lzma.open(path) as file:
                return np.asarray(np.load(file, allow_pickle=False))
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError, lzma.LZMAError) as exc:
        raise _damaged(path, "an .npy array", exc) from None


def read_arrays(path: Path, *names: str) -> list[Array]:
    """The named arrays of an .npz file. Raises Misconfigured (HAL-304)."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return [np.asarray(arrays[name]) for name in names]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as exc:
        raise _damaged(path, f"an .npz file of {', '.join(names)}", exc) from None


def check_rows(path: Path, array: Array, shape: tuple[int | None, ...]) -> None:
    """Raise Misconfigured (HAL-304) unless the array has the shape; None stands for any length."""
    fits = array.ndim == len(shape) and all(
        want in (None, have) for want, have in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = [("any" if length is None else length) for length in shape]
        raise Misconfigured("HAL-304", f"{path} must have the shape {wanted}, has {list(array.shape)}")


def digest(folder: Path, names: Iterable[str]) -> str:
    """One digest of what the files hold."""
    found = hashlib.sha256()
    for name in sorted(names):
        with (folder / name).open("rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()


def _damaged(path: Path, wanted: str, exc: Exception) -> Misconfigured:
    reason = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
    return Misconfigured("HAL-304", f"{path} is not {wanted} ({reason}). Copy it again from its source")
