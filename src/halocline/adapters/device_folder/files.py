"""Files and folders that are there whole or not at all, also after a power cut."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from halocline.errors import Misconfigured

PRIVATE: Final = 0o600


def write_file(path: Path, data: bytes) -> None:
    """Put a file there, for its owner alone."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        _fill(handle, data)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Put a folder with these files there, where there is none."""
    made = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        for name, data in files.items():
            _fill(os.open(made / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), data)
        sync(made)
        made.rename(path)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    sync(path.parent)


def sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def failing(path: Path) -> Iterator[None]:
    """Raise Misconfigured (HAL-725) for what the system says against the state folder."""
    try:
        yield
    except OSError as error:
        raise Misconfigured(
            "HAL-725",
            f"the state folder {path} cannot be used: {error.strerror or error} ({error.filename or path}). "
            f"Give a folder that this user may write: --state DIR",
        ) from error


def _fill(handle: int, data: bytes) -> None:
    with os.fdopen(handle, "wb") as file:
        os.fchmod(file.fileno(), PRIVATE)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
