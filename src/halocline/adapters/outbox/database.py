"""Open the file of a queue, durable at each commit; set a damaged one aside."""

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Any, Final

from halocline.adapters.outbox.entry import POSITION_MASK
from halocline.errors import Misconfigured
from halocline.whole_files import sync

VERSION: Final = 1
_WAIT_S: Final = 0.2
"""For another owner, who may be about to end."""
PAGE_BYTES: Final = 4096
_SETTINGS: Final = (
    # Nobody else opens the file, so that no shared memory is needed, which could fail on a full disk.
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA temp_store = MEMORY",
)
_SCHEMA: Final = """
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL,
    boot INTEGER NOT NULL, since_boot INTEGER NOT NULL, now_s REAL NOT NULL,
    accepted INTEGER NOT NULL, arrived INTEGER NOT NULL, expired INTEGER NOT NULL,
    queued INTEGER NOT NULL, queued_bytes INTEGER NOT NULL
) STRICT;
CREATE TABLE loss (reason TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE session (number INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;
CREATE TABLE record (
    place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, stream TEXT NOT NULL,
    priority INTEGER NOT NULL, value REAL NOT NULL, expires_s REAL, size_bytes INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL, chunks INTEGER NOT NULL, session INTEGER NOT NULL, tag BLOB NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX record_worth ON record (priority DESC, value);
CREATE INDEX record_stream ON record (stream, place & POSITION) WHERE stream <> '';
CREATE INDEX record_expiry ON record (expires_s) WHERE expires_s IS NOT NULL;
CREATE TABLE chunk (
    place INTEGER NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL, UNIQUE (place, number)
) STRICT;
INSERT INTO state VALUES (1, VERSION, 0, 0, 0, 0, 0, 0, 0, 0);
""".replace("POSITION", str(POSITION_MASK)).replace("VERSION", str(VERSION))
FILES: Final = ("", "-wal", "-shm", "-journal")
"""What SQLite puts beside a database, by the ends of the names."""


class Damaged(Exception):
    """The file is no database, or its inside is torn."""


def connect(path: Path) -> Any:
    """A connection to the file, which is made where it is not there."""
    return sqlite3.connect(
        path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )


def opened(path: Path, wal_pages: int) -> Any:
    """The database, with its schema, for this process alone. Raises Damaged, Misconfigured (HAL-813).

    After `wal_pages` its log is written back into it.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    database = connect(path)
    try:
        for setting in _SETTINGS:
            database.execute(setting).fetchall()
        database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        database.execute(f"PRAGMA wal_autocheckpoint = {wal_pages}").fetchall()
        database.execute(f"PRAGMA journal_size_limit = {2 * wal_pages * PAGE_BYTES}").fetchall()
        _check_version(database, path)
    except BaseException:
        database.close()
        raise
    sync(path.parent)
    return database


def _check_version(database: Any, path: Path) -> None:
    if not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        database.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA.split(";\n"):
            database.execute(statement)
        database.execute("COMMIT")
    row = database.execute("SELECT version FROM state").fetchone()
    if row is None or not isinstance(row[0], int) or row[0] < 1:
        raise Damaged
    if row[0] != VERSION:
        raise Misconfigured(
            "HAL-813",
            f"{path} is an outbox of form {row[0]}, this Halocline knows form {VERSION}. "
            "Try the Halocline that wrote it, or another folder",
        )


def set_aside(path: Path, boot: int) -> Path:
    """Rename a damaged database and what lies beside it; the new name of it. Raises OSError."""
    for number in range(1000):
        aside = path.with_name(f"{path.name}.damaged-{boot}" + (f"-{number}" if number else ""))
        if not aside.exists():
            break
    for end in FILES:
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}{end}", f"{aside}{end}")
    sync(path.parent)
    return aside
