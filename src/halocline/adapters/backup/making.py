"""Make a backup of a hub, also of one that runs: whole, at one moment, and nobody else's to read."""

import contextlib
import fcntl
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from halocline import __version__
from halocline.adapters.backup.manifest import (
    AUTHORITY,
    DATABASE,
    FILE,
    NAME,
    SUFFIX,
    Manifest,
    digest_of,
)
from halocline.errors import Misconfigured
from halocline.whole_files import sync

_NOT_KEPT: Final = {"lock", "starting.lock", "server.pem"}
"""Made anew at each start."""
_BUSY_S: Final = 30.0


def make_backup(state: Path, to: Path, *, now_s: float) -> Manifest:
    """Put the backup there: a folder, or one file where the name ends in .tar.

    Raises Misconfigured (HAL-760), and nothing is there then.
    """
    if not (state / AUTHORITY).is_file():
        raise Misconfigured("HAL-760", f"{state} is no hub's state folder: it has no {AUTHORITY}")
    if os.path.lexists(to):
        raise Misconfigured("HAL-760", f"{to} is there already. Give a --to that is not")
    if to.resolve().is_relative_to(state.resolve()):
        raise Misconfigured("HAL-760", f"{to} lies in the folder that it is to be a backup of")
    try:
        making = Path(tempfile.mkdtemp(prefix=f".{to.name}.", dir=to.absolute().parent))  # 0700
        try:
            folder = making / "backup"
            folder.mkdir(mode=0o700)
            manifest = _fill(state, folder, now_s)
            made = _packed(folder, making / "backup.tar") if to.suffix == SUFFIX else folder
            made.rename(to)
            sync(to.absolute().parent)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    except (OSError, sqlite3.Error) as error:
        raise Misconfigured("HAL-760", f"{state} could not be put into {to}: {error}") from None
    return manifest


def _fill(state: Path, folder: Path, now_s: float) -> Manifest:
    """The database last: no head of the audit log that was copied is then ahead of it."""
    with _still(state):
        for name in _names(state):
            target = folder / name
            target.parent.mkdir(mode=0o700, exist_ok=True)
            shutil.copyfile(state / name, target)
    if (state / DATABASE).is_file():
        _copy_database(state / DATABASE, folder / DATABASE)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest = Manifest(
        halocline=__version__,
        made_s=now_s,
        files={path.relative_to(folder).as_posix(): digest_of(path) for path in files},
    )
    (folder / NAME).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    for path in [*files, folder / NAME]:
        path.chmod(0o600)
        sync(path)
    sync(folder)
    return manifest


@contextlib.contextmanager
def _still(state: Path) -> Iterator[None]:
    """Meanwhile no hub replaces its authority: half of one and half of another is none."""
    with (state / "starting.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _names(state: Path) -> Iterator[str]:
    """What is to be copied; half-made files begin with a dot, and SQLite's own beside the database."""
    for path in sorted(state.rglob("*")):
        name = path.relative_to(state).as_posix()
        if (
            path.is_file()
            and FILE.fullmatch(name)
            and name not in _NOT_KEPT
            and not name.startswith(DATABASE)
        ):
            yield name


def _copy_database(source: Path, target: Path) -> None:
    """One moment of a database that others may write at the same time, in one file, looked through."""
    reading = sqlite3.connect(source, timeout=_BUSY_S)
    writing = sqlite3.connect(target, isolation_level=None)
    try:
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode=DELETE")
        (found,) = writing.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(f"{source} is damaged: {found}")
    finally:
        writing.close()
        reading.close()


def _packed(folder: Path, file: Path) -> Path:
    with tarfile.open(file, "x") as tar:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                tar.add(path, arcname=path.relative_to(folder).as_posix())
    file.chmod(0o600)
    sync(file)
    return file
