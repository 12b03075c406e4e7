"""Keep what was made in a folder of the cache: whole or not at all, and made again where it was damaged."""

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import msgspec

import halocline

MANIFEST = "manifest.json"

_T = TypeVar("_T")


def kept(folder: Path, write: Callable[[Path], None], read: Callable[[Path], _T]) -> _T:
    """What `read` finds in the folder; `write` fills it first where it is not there or not as written."""
    found = _whole(folder, read)
    if found is None:
        _make(folder, write)
        found = _whole(folder, read)
    assert found is not None, f"{folder} does not read back"
    return found


def key(*parts: object) -> str:
    """A short name for what depends on these, on this version, and on the packages that training uses."""
    packages = ("scikit-learn", "skl2onnx", "onnx", "numpy")
    known = [halocline.__version__, *parts, *(f"{name}={version(name)}" for name in packages)]
    return hashlib.sha256(" ".join(map(str, known)).encode()).hexdigest()[:16]


def _whole(folder: Path, read: Callable[[Path], _T]) -> _T | None:
    try:
        digests = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Mapping[str, str])
        if any(_sha256(folder / name) != digest for name, digest in digests.items()):
            return None
        return read(folder)
    except (OSError, ValueError, KeyError, msgspec.MsgspecError):
        return None


def _make(folder: Path, write: Callable[[Path], None]) -> None:
    """Fill the folder at once or not at all; what lay there, damaged, is replaced."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        write(building)
        digests = {
            str(path.relative_to(building)): _sha256(path) for path in building.rglob("*") if path.is_file()
        }
        (building / MANIFEST).write_bytes(msgspec.json.encode(digests))
        if folder.exists():
            folder.rename(building / "damaged")
        with contextlib.suppress(OSError):  # another process was faster: its folder is as good
            building.rename(folder)
        shutil.rmtree(folder / "damaged", ignore_errors=True)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
