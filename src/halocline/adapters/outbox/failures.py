"""Tell what a database's error means: a full disk, a damaged file, another owner, or what may pass."""

import errno
import sqlite3
from enum import Enum, auto
from typing import Final

from halocline.adapters.outbox.database import Damaged


class Failure(Enum):
    """What can be done about it."""

    FULL = auto()
    DAMAGED = auto()
    TAKEN = auto()
    OTHER = auto()


ERRORS: Final = (sqlite3.Error, OSError, Damaged)
_FAILURES: Final = {
    sqlite3.SQLITE_FULL: Failure.FULL,
    sqlite3.SQLITE_CORRUPT: Failure.DAMAGED,
    sqlite3.SQLITE_NOTADB: Failure.DAMAGED,
    sqlite3.SQLITE_BUSY: Failure.TAKEN,
    sqlite3.SQLITE_LOCKED: Failure.TAKEN,
}
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def failure_of(error: BaseException) -> Failure:
    """What that error means."""
    if isinstance(error, OSError):
        return Failure.FULL if error.errno in _FULL else Failure.OTHER
    if isinstance(error, Damaged) or "no such table" in str(error) or "no such column" in str(error):
        return Failure.DAMAGED
    return _FAILURES.get((getattr(error, "sqlite_errorcode", None) or 0) & 0xFF, Failure.OTHER)
