"""What outlives a restart of the agent: boot counter, trusted time, settings in force, last report."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from halocline.decide.trusted_time import TrustedTime
from halocline.errors import Misconfigured
from halocline.fleet import Desired, Reported

FILE: Final = "state.db"
_MADE: Final = "CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT"
_PUT: Final = "INSERT INTO fact VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"

T = TypeVar("T")
U = TypeVar("U")


class DeviceMemory:
    """One small SQLite file; each change is durable when it returns. Thread-safe.

    Raises Misconfigured (HAL-725) where the file cannot be read or written.
    """

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        self._path = path
        self._lock = threading.Lock()
        with self._failing():
            mode = "ro" if readonly else "rwc"
            self._db = sqlite3.connect(
                f"file:{path.absolute().as_posix().replace('?', '%3f').replace('#', '%23')}?mode={mode}",
                uri=True,
                check_same_thread=False,
                isolation_level=None,
            )
            if not readonly:
                path.chmod(0o600)
                self._db.execute("PRAGMA synchronous = FULL")
                self._db.execute(_MADE)

    @property
    def boot(self) -> int:
        """How often the agent was started."""
        return self._get("boot", int, 0)

    def count_boot(self) -> None:
        """Count this start."""
        self._put(boot=self.boot + 1)

    def applied(self) -> Desired:
        """The last desired state that was put in force."""
        return self._get("applied", Desired, Desired())

    def reported(self) -> Reported | None:
        """The last report that was made."""
        return self._get("reported", Reported, None)

    def keep(self, applied: Desired, reported: Reported) -> None:
        """Remember both, at once."""
        self._put(applied=applied, reported=reported)

    def time(self) -> TrustedTime:
        """What was known of the time."""
        return self._get("time", TrustedTime, TrustedTime())

    def keep_time(self, time: TrustedTime) -> None:
        """Remember it."""
        self._put(time=time)

    def close(self) -> None:
        """End. May be called again."""
        with self._lock:
            self._db.close()

    def _get(self, name: str, kind: type[T], otherwise: U) -> T | U:
        with self._lock, self._failing():
            row = self._db.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
            return otherwise if row is None else msgspec.json.decode(row[0], type=kind)

    def _put(self, **values: object) -> None:
        rows = [(name, msgspec.json.encode(value)) for name, value in values.items()]
        with self._lock, self._failing():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(_PUT, rows)
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, msgspec.DecodeError) as error:
            raise Misconfigured(
                "HAL-725",
                f"{self._path} cannot be used: {error}. Is the disk full or read-only? Where the file is "
                "damaged, move it away: the hub sends the settings again",
            ) from error
