"""Read the rows that a command is given with --data."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from halocline.errors import Misconfigured
from halocline.records import Array

NAMES = ("x", "inputs")
"""What an .npz file may call its rows, where it holds more than one array."""


def read_rows(path: Path) -> Array | dict[str, Array]:
    """The array of an .npy file, or of an .npz file its one array, its x or inputs, or else all by name.

    Raises Misconfigured (HAL-304). Pickled objects are refused: loading one runs code.
    """
    if not path.is_file():
        raise Misconfigured("HAL-304", f"{path} does not exist (looked in {Path.cwd()})")
    try:
        loaded: Any = np.load(path, allow_pickle=False)
        arrays: dict[str, Array] = {}
        if isinstance(loaded, np.ndarray):
            arrays["x"] = loaded
        else:
            with loaded:
                arrays.update({name: loaded[name] for name in loaded.files})
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as exc:
        if str(exc).startswith("Object arrays"):
            raise Misconfigured(
                "HAL-304", f"{path} holds Python objects, not numbers or text. Save it with np.save(…, x)"
            ) from None
        raise Misconfigured(
            "HAL-304", f"{path} is not an .npy or .npz file. Try: np.save({path.stem + '.npy'!r}, x)"
        ) from None
    if not arrays:
        raise Misconfigured("HAL-304", f"{path} holds no array")
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    return next((arrays[name] for name in NAMES if name in arrays), arrays)
