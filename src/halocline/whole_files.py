"""Write files and folders that are there whole or not at all, also after a power cut."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
"""For its owner alone."""
PUBLIC: Final = 0o644


def write_file(path: Path, data: bytes, mode: int = PRIVATE) -> None:
    """Put a file there: a reader, also after a crash, finds the old one or the new one. Raises OSError."""
    write_parts(path, [data], mode)


def write_parts(path: Path, parts: Iterable[bytes], mode: int = PRIVATE) -> None:
    """As `write_file`, of a file that is made part by part; what making a part raises leaves the old one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        _fill(handle, parts, mode)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_folder(path: Path, files: Mapping[str, bytes], mode: int = PRIVATE) -> None:
    """Put a folder with these files there, where there is none. Raises OSError."""
    made = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        for name, data in files.items():
            _fill(os.open(made / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), [data], mode)
        sync(made)
        made.rename(path)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Make durable what a folder names (a rename is once its folder is), or a file holds. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _fill(handle: int, parts: Iterable[bytes], mode: int) -> None:
    with os.fdopen(handle, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())
