"""What became of a hub's backups, in a file of its state folder, so that the hub that runs there knows."""

import logging
from pathlib import Path
from typing import Final

import msgspec

from halocline.adapters.backup.manifest import AUTHORITY, RECORD
from halocline.decide.backups import Backups
from halocline.whole_files import PUBLIC, write_file

_LOG: Final = logging.getLogger("halocline.backup")


def read_backups(state: Path) -> Backups:
    """What is known; nothing where no backup was made, or the file cannot be read."""
    try:
        return msgspec.json.decode((state / RECORD).read_bytes(), type=Backups)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Backups()


def note_made(state: Path, *, now_s: float) -> None:
    """A backup was made."""
    _keep(state, Backups(made_s=now_s))


def note_failed(state: Path, cause: str, *, now_s: float) -> None:
    """A backup failed: since the first failure after the last good one."""
    known = read_backups(state)
    failed_s = now_s if known.failed_s is None else known.failed_s
    _keep(state, msgspec.structs.replace(known, failed_s=failed_s, cause=cause))


def _keep(state: Path, backups: Backups) -> None:
    """Others than the hub's own user may make backups, and the hub must be able to read of it."""
    if not (state / AUTHORITY).is_file():
        return  # it is no hub's folder
    try:
        write_file(state / RECORD, msgspec.json.encode(backups), PUBLIC)
    except OSError as error:
        _LOG.warning("the hub cannot be told what became of this backup: %s", error)
