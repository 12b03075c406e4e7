"""Restore a hub's backup into a folder of its own: checked file by file, all of it or nothing."""

import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

import msgspec

from halocline.adapters.backup.manifest import (
    AUTHORITY,
    DATABASE,
    FILE,
    NAME,
    VERSION,
    Manifest,
    digest_of,
)
from halocline.adapters.sql.restored import mark_restored
from halocline.errors import Misconfigured
from halocline.whole_files import sync

_PUBLIC: Final = {"ca.pem", "audit.pub"}
_CHAIN: Final = "hub"
"""The audit chain of a hub that keeps its own database."""


def restore_backup(source: Path, state: Path, *, now_s: float) -> Manifest:
    """Make the state folder from the backup.

    Raises Misconfigured: HAL-761 where something is there, HAL-762 where the backup is none or damaged,
    HAL-705 where a newer halocline made its database; everything is as before then.
    """
    if os.path.lexists(state) and not (state.is_dir() and not os.listdir(state)):
        raise Misconfigured(
            "HAL-761", f"{state} is not empty. Give a --state that is not there yet, or move it away"
        )
    try:
        state.absolute().parent.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=f".{state.name}.", dir=state.absolute().parent))  # 0700
        try:
            manifest = _unpack(source, making)
            if manifest.has_database:
                mark_restored(making / DATABASE, _CHAIN, made_s=manifest.made_s, now_s=now_s)
            sync(making)
            making.rename(state)
            sync(state.absolute().parent)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    except (OSError, tarfile.TarError) as error:
        raise Misconfigured("HAL-762", f"{source} could not be restored to {state}: {error}") from None
    return manifest


def _unpack(source: Path, folder: Path) -> Manifest:
    if source.is_dir():
        return _take(source, folder, lambda name: (source / name).open("rb"))
    with tarfile.open(source, "r:") as tar:

        def opened(name: str) -> IO[bytes]:
            try:
                file = tar.extractfile(name)
            except KeyError:
                file = None
            if file is None:
                raise FileNotFoundError(f"{name} is not in it")
            return file

        return _take(source, folder, opened)


def _take(source: Path, folder: Path, opened: Callable[[str], IO[bytes]]) -> Manifest:
    with opened(NAME) as file:
        manifest = _manifest(source, file.read())
    for name, digest in manifest.files.items():
        target = folder / name
        target.parent.mkdir(mode=0o700, exist_ok=True)
        with opened(name) as file, target.open("xb") as copy:
            shutil.copyfileobj(file, copy)
        if digest_of(target) != digest:
            raise Misconfigured("HAL-762", f"{source}: {name} was damaged since the backup was made")
        target.chmod(0o644 if name in _PUBLIC else 0o600)
        sync(target)
    return manifest


def _manifest(source: Path, data: bytes) -> Manifest:
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Misconfigured("HAL-762", f"{source} is no backup of a hub: {NAME} has {error}") from None
    if manifest.version != VERSION:
        raise Misconfigured(
            "HAL-762",
            f"{source} is a backup of version {manifest.version}, made by halocline {manifest.halocline}; "
            f"this one reads version {VERSION}. Install that one",
        )
    strange = [name for name in manifest.files if not FILE.fullmatch(name)]
    if strange or AUTHORITY not in manifest.files:
        why = f"it names {strange[0][:80]!r}" if strange else f"{AUTHORITY} is not in it"
        raise Misconfigured("HAL-762", f"{source} is no backup of a hub: {why}")
    return manifest
