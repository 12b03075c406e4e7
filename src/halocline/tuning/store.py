"""Keep what a cloud model answered, so that no row is ever paid for twice."""

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from halocline.errors import Misconfigured
from halocline.ports import Feed
from halocline.records import Array

if TYPE_CHECKING:
    import sqlite3

_AT_ONCE = 500
"""Keys a query: SQLite takes 999 parameters at least."""


class Kept(NamedTuple):
    """Class scores or packed outputs of one row, and when they were asked for (seconds since the epoch)."""

    scores: Array
    asked_s: float


class AnswerStore:
    """What one cloud model said, by what it was asked: one SQLite file.

    A put is on disk whole or not at all. It holds digests and answers, none of the rows. A file that is
    damaged is set aside and begun anew. Raises Misconfigured (HAL-111) where the folder cannot be
    written.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.path = folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.sqlite"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._db = self._opened()
        except OSError as exc:
            raise Misconfigured(
                "HAL-111", f"the cloud's answers cannot be kept in {folder}: {exc}. Try cache=FOLDER or False"
            ) from None

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Kept]:
        """What is known of these keys."""
        found: dict[bytes, Kept] = {}
        for at in range(0, len(keys), _AT_ONCE):
            some = keys[at : at + _AT_ONCE]
            marks = ",".join("?" * len(some))
            query = f"SELECT key, scores, asked_s FROM answers WHERE key IN ({marks})"  # noqa: S608 - marks only
            for key, packed, asked_s in self._db.execute(query, some):
                found[key] = Kept(_unpacked(packed), asked_s)
        return found

    def put(self, answers: Mapping[bytes, Array]) -> None:
        """Keep these, in one transaction."""
        now_s = time.time()
        rows = [(key, _packed(scores), now_s) for key, scores in answers.items()]
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", rows)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _opened(self) -> "sqlite3.Connection":
        import sqlite3  # only tuning pays for it

        for attempt in (1, 2):
            db = None
            try:
                db = sqlite3.connect(self.path, timeout=30)
                db.execute(
                    "CREATE TABLE IF NOT EXISTS answers "
                    "(key BLOB PRIMARY KEY, scores BLOB NOT NULL, asked_s REAL NOT NULL) WITHOUT ROWID"
                )
                if db.execute("PRAGMA quick_check").fetchone() == ("ok",):
                    return db
                problem = "it is damaged"
            except sqlite3.OperationalError as exc:  # no right to write, no room
                raise OSError(str(exc)) from None
            except sqlite3.DatabaseError as exc:
                problem = str(exc)
            if db is not None:
                db.close()
            if attempt == 1:
                with contextlib.suppress(FileNotFoundError):
                    os.replace(self.path, self.path.with_suffix(".damaged"))
        raise OSError(f"{self.path}: {problem}")


def row_keys(feed: Feed) -> Iterator[bytes]:
    """A digest of each row of a feed: equal for equal rows, whatever batch they stand in."""
    heads = [f"{name} {array.dtype.str} {array.shape[1:]} ".encode() for name, array in sorted(feed.items())]
    arrays = [np.ascontiguousarray(array) for _, array in sorted(feed.items())]
    for at in range(len(arrays[0])):
        digest = hashlib.sha256()
        for head, array in zip(heads, arrays, strict=True):
            digest.update(head)
            digest.update(_bytes_of(array[at]))
        yield digest.digest()


def digest_of(named: Mapping[str, Array]) -> str:
    """`sha256:…` of arrays by name: names, types, shapes and values."""
    digest = hashlib.sha256()
    for name, array in sorted(named.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(_bytes_of(np.ascontiguousarray(array)))
    return f"sha256:{digest.hexdigest()}"


def _bytes_of(values: Any) -> bytes:
    array = np.asarray(values)
    if array.dtype.kind == "O":  # strings: their addresses say nothing
        return msgspec.json.encode(array.tolist())
    return array.tobytes()


def _packed(scores: Array) -> bytes:
    return msgspec.msgpack.encode((scores.dtype.str, scores.tobytes()))


def _unpacked(packed: bytes) -> Array:
    dtype, values = msgspec.msgpack.decode(packed, type=tuple[str, bytes])
    return np.frombuffer(values, dtype=np.dtype(dtype))
