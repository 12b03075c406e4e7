"""Read the rows, labels and groups of an .npy or .npz file."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from halocline.data.dataset import Content, Dataset, Kind, RowNames
from halocline.errors import Misconfigured
from halocline.records import Array

NAMES = ("x", "inputs")
"""What an .npz file may call its rows, where it holds more than one array."""
LABELS = ("y", "labels")
GROUPS = ("group", "groups")


def read_rows(path: Path) -> Array | dict[str, Array]:
    """The array of an .npy file, or of an .npz file its one array, its x or inputs, or else all by name.

    Raises Misconfigured (HAL-304). Pickled objects are refused: loading one runs code.
    """
    return _rows_of(_read(path))


def read_arrays(path: Path) -> Dataset:
    """An .npz file with x or inputs (or one array for each input), y or labels, group or groups.

    Labels and groups may be missing; an .npy file holds rows alone. Raises Misconfigured (HAL-304).
    """
    arrays = _read(path)
    labels, groups = _taken(path, arrays, LABELS), _taken(path, arrays, GROUPS)
    if not arrays:
        raise Misconfigured(
            "HAL-304", f"{path} holds no rows: give them as x, or as one array for each input"
        )
    inputs = _rows_of(arrays)
    unread = () if isinstance(inputs, dict) else tuple(n for n in arrays if arrays[n] is not inputs)
    one = next(iter(inputs.values())) if isinstance(inputs, dict) else inputs
    rows = len(one) if one.ndim else 0
    for name, values in (("y", labels), ("groups", groups)):
        if values is not None and values.ndim and len(values) != rows:
            raise Misconfigured(
                "HAL-304",
                f"{path}: {name} must have one value for each of the {rows} rows, got {len(values)}",
            )
    return Dataset(
        kind=Kind.ARRAYS,
        content=Content.ROWS,
        samples=inputs,
        names=RowNames(range(rows)),
        labels=labels,
        groups=groups,
        unread=unread,
    )


def _taken(path: Path, arrays: dict[str, Array], names: tuple[str, ...]) -> Array | None:
    """The array of one of the names, taken out; None where there is none."""
    found = [name for name in names if name in arrays]
    if len(found) > 1:
        raise Misconfigured("HAL-304", f"{path} holds both {' and '.join(found)}; keep one of them")
    return arrays.pop(found[0]) if found else None


def _rows_of(arrays: dict[str, Array]) -> Array | dict[str, Array]:
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    return next((arrays[name] for name in NAMES if name in arrays), arrays)


def _read(path: Path) -> dict[str, Array]:
    """Every array of the file, by name; that of an .npy file is x."""
    if not path.is_file():
        raise Misconfigured("HAL-304", f"{path} does not exist (looked in {Path.cwd()})")
    arrays: dict[str, Array] = {}
    reading = "x"
    try:
        loaded: Any = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            arrays["x"] = loaded
        else:
            with loaded:
                for reading in loaded.files:
                    arrays[reading] = loaded[reading]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as exc:
        if str(exc).startswith("Object arrays"):
            raise Misconfigured(
                "HAL-304",
                f"{path} holds Python objects in {reading!r}, not numbers or text. "
                f"Save it with np.save(…, x), names as np.array({reading}, dtype=str)",
            ) from None
        raise Misconfigured(
            "HAL-304", f"{path} is not an .npy or .npz file. Try: np.save({path.stem + '.npy'!r}, x)"
        ) from None
    if not arrays:
        raise Misconfigured("HAL-304", f"{path} holds no array")
    return arrays
