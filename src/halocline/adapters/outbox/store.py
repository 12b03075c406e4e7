"""The rows of a queue, and the counters that are written in the same transaction as what they count."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from halocline.adapters.outbox import database
from halocline.adapters.outbox.entry import POSITION_MASK, Entry, Row, first_place
from halocline.decide.evict import Held
from halocline.sync import Ledger, Loss

T = TypeVar("T")

_RUN: Final = 64
"""So many rows go into one statement: each statement lets every other thread of the process go first."""
_COLUMNS: Final = "place, id, kind, stream, priority, value, size_bytes, stored_bytes, chunks, session"
_POSITION: Final = f"place & {POSITION_MASK}"
"""As the index of streams has it."""
_LIVE: Final = "(expires_s IS NULL OR expires_s > ?)"
_RECORD: Final = f"({', '.join('?' * 13)})"
_ROW_TYPES: Final = (int, str, str, str, int, float, int, int, int, int)
_STATE_TYPES: Final = (int, int, float, int, int, int, int, int)
_CHUNK: Final = "INSERT INTO chunk VALUES (?, ?, ?)"
_STATE: Final = (
    "UPDATE state SET boot = ?, since_boot = ?, now_s = ?, accepted = ?, arrived = ?, expired = ?, "
    "queued = ?, queued_bytes = ?"
)


class Counters(msgspec.Struct):
    """What the ledger is made of."""

    boot: int
    since_boot: int
    now_s: float
    accepted: int
    arrived: int
    expired: int
    queued: int
    queued_bytes: int
    evicted: dict[str, int] = msgspec.field(default_factory=dict)

    def ledger(self, damaged: int) -> Ledger:
        """As callers see it."""
        return Ledger(
            since_boot=self.since_boot,
            boot=self.boot,
            accepted=self.accepted,
            arrived=self.arrived,
            expired=self.expired,
            evicted={reason: count for reason, count in sorted(self.evicted.items()) if count},
            queued=self.queued,
            queued_bytes=self.queued_bytes,
            damaged=damaged,
        )


class Known(msgspec.Struct, frozen=True):
    """A queued record that has the id of one that is put."""

    row: Row
    tag: bytes


class Store:
    """One open database. Not thread-safe; raises what the database raises."""

    def __init__(self, path: Path, wal_pages: int) -> None:
        self._database = database.opened(path, wal_pages)
        try:
            self.counters = self._counters()
            self.last_session = self._number("SELECT max(number) FROM session")
            self._soonest_s = self._soonest()
        except BaseException:
            self._database.close()
            raise
        self._sessions: set[int] = set()

    @contextlib.contextmanager
    def changing(self) -> Iterator[Counters]:
        """Change rows and counters as one; durable when it ends, undone where it raises."""
        counters = msgspec.structs.replace(self.counters, evicted=dict(self.counters.evicted))
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield counters
            self._write(counters)
            self._database.execute("COMMIT")
        except BaseException:
            # A full disk may have undone it already.
            with contextlib.suppress(Exception):
                self._database.execute("ROLLBACK")
            self._soonest_s = -math.inf  # what was read on the way may not be so: look again
            raise
        self.counters = counters

    def known(self, ids: Sequence[str]) -> dict[str, Known]:
        """Those of the ids that are queued."""
        query = f"SELECT {_COLUMNS}, tag FROM record WHERE id IN"  # noqa: S608 - of constants
        return {row[1]: Known(_row_of(row[:-1]), row[-1]) for row in self._in(query, ids)}

    def by_worth(self) -> Iterator[Held]:
        """Every record by rising worth, read as far as it is asked for."""
        rows = self._database.execute(
            "SELECT place, priority, value, stored_bytes FROM record ORDER BY priority DESC, value, place"
        )
        try:
            for row in rows:
                yield Held(*row)
        finally:
            rows.close()

    def insert(self, counters: Counters, entries: Sequence[Entry], now_s: float) -> None:
        """Put these in."""
        for session, wrapped in {entry.session: entry.wrapped for entry in entries if entry.session}.items():
            if session not in self._sessions:
                self._database.execute("INSERT OR IGNORE INTO session VALUES (?, ?)", (session, wrapped))
        for run in _runs(entries):
            values = ", ".join([_RECORD] * len(run))
            row = [value for entry in run for value in _row(entry, now_s)]
            self._database.execute(f"INSERT INTO record VALUES {values}", row)  # noqa: S608 - of question marks
        for entry in entries:
            if len(entry.bodies) > 1:
                for number, body in enumerate(entry.bodies):
                    self._database.execute(_CHUNK, (entry.place, number, body))
            if entry.ttl_s is not None:
                self._soonest_s = min(self._soonest_s, now_s + entry.ttl_s)
        counters.queued += len(entries)
        counters.queued_bytes += sum(entry.stored_bytes for entry in entries)

    def keeps(self, entries: Sequence[Entry]) -> None:
        """The sessions of these are on the disk, now that the change is."""
        self._sessions.update(entry.session for entry in entries)

    def delete(self, counters: Counters, places: Sequence[int]) -> None:
        """Take these out, which are all there."""
        for gone in self._in("DELETE FROM record WHERE place IN", places, "RETURNING stored_bytes"):
            counters.queued -= 1
            counters.queued_bytes -= gone[0]
        self._in("DELETE FROM chunk WHERE place IN", places)

    def expire(self, counters: Counters, now_s: float, most: int) -> list[int]:
        """Take out at most so many of those whose time has ended, and say which."""
        query = "SELECT place FROM record WHERE expires_s <= ? ORDER BY expires_s LIMIT ?"
        places = [row[0] for row in self._database.execute(query, (now_s, most)).fetchall()]
        self.delete(counters, places)
        counters.expired += len(places)
        self._soonest_s = self._soonest()
        return places

    def expires(self, now_s: float) -> bool:
        """Whether the time of any has ended."""
        if self._soonest_s == -math.inf:
            self._soonest_s = self._soonest()
        return self._soonest_s <= now_s

    def by_urgency(self, now_s: float, blocked: set[str]) -> Iterator[Row]:
        """Every live record, the most urgent first; streams blocked by then are left out, page by page."""
        query = (
            f"SELECT {_COLUMNS} FROM record WHERE place > ? AND {_LIVE} "  # noqa: S608 - of constants
            "AND (stream = '' OR stream NOT IN (SELECT value FROM json_each(?))) ORDER BY place LIMIT ?"
        )
        place = first_place(0)
        while True:
            names = msgspec.json.encode(sorted(blocked)).decode()
            page = self._database.execute(query, (place, now_s, names, _RUN)).fetchall()
            for row in page:
                yield _row_of(row)
            if len(page) < _RUN:
                return
            place = page[-1][0]

    def ahead(self, row: Row, after: int, now_s: float, most: int) -> list[Row]:
        """Those of its stream before it and after that position, in their order; at most so many."""
        query = (
            f"SELECT {_COLUMNS} FROM record WHERE stream = ? AND stream <> '' "  # noqa: S608 - of constants
            f"AND {_POSITION} > ? AND {_POSITION} < ? AND {_LIVE} ORDER BY {_POSITION} LIMIT ?"
        )
        asked = (row.stream, after, row.place & POSITION_MASK, now_s, most)
        return [_row_of(found) for found in self._database.execute(query, asked).fetchall()]

    def body(self, place: int) -> bytes:
        """What a record holds that is no large one."""
        return self._bytes("SELECT body FROM record WHERE place = ?", (place,))

    def chunk(self, place: int, number: int) -> bytes:
        """A chunk of a large record."""
        return self._bytes("SELECT body FROM chunk WHERE place = ? AND number = ?", (place, number))

    def wrapped(self, session: int) -> bytes:
        """The wrapped key of a session."""
        return self._bytes("SELECT wrapped FROM session WHERE number = ?", (session,))

    def forget_sessions(self) -> None:
        """Drop the sessions that are older than every record."""
        oldest = [
            row[0]
            for priority in range(4)
            for row in self._database.execute(
                "SELECT session FROM record WHERE place > ? AND place < ? ORDER BY place LIMIT 1",
                (first_place(priority), min(first_place(priority + 1), (1 << 63) - 1)),
            ).fetchall()
        ]
        before = min(oldest, default=self.last_session + 1)
        self._database.execute("DELETE FROM session WHERE number < ?", (before,))

    def write_back(self) -> None:
        """Let the log begin anew, in the space that it has."""
        self._database.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()

    def close(self) -> None:
        """End. May be called again."""
        self._database.close()

    def _counters(self) -> Counters:
        row = self._database.execute(
            "SELECT boot, since_boot, now_s, accepted, arrived, expired, queued, queued_bytes FROM state"
        ).fetchone()
        losses = self._database.execute("SELECT reason, count FROM loss").fetchall()
        _check_types(row, _STATE_TYPES)
        counters = Counters(*row)
        counters.evicted = dict(losses)
        return counters

    def _write(self, now: Counters) -> None:
        self._database.execute(
            _STATE,
            (
                now.boot,
                now.since_boot,
                now.now_s,
                now.accepted,
                now.arrived,
                now.expired,
                now.queued,
                now.queued_bytes,
            ),
        )
        for reason, count in now.evicted.items():
            if self.counters.evicted.get(reason) != count:
                self._database.execute("INSERT OR REPLACE INTO loss VALUES (?, ?)", (reason, count))

    def _in(self, query: str, values: Sequence[Any], end: str = "") -> list[Any]:
        found = []
        for run in _runs(values):
            marks = ", ".join("?" * len(run))
            found += self._database.execute(f"{query} ({marks}) {end}", run).fetchall()
        return found

    def _soonest(self) -> float:
        soonest = self._database.execute(
            "SELECT min(expires_s) FROM record WHERE expires_s IS NOT NULL"
        ).fetchone()[0]
        return math.inf if soonest is None else soonest

    def _number(self, query: str) -> int:
        return self._database.execute(query).fetchone()[0] or 0

    def _bytes(self, query: str, asked: tuple[int, ...]) -> bytes:
        row = self._database.execute(query, asked).fetchone()
        if row is None:
            raise database.Damaged
        return bytes(row[0])


def count_lost(counters: Counters, reason: Loss | str, count: int) -> None:
    """Count records as lost for that reason."""
    if count:
        counters.evicted[str(reason)] = counters.evicted.get(str(reason), 0) + count


def _runs(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for at in range(0, len(values), _RUN):
        yield values[at : at + _RUN]


def _row_of(values: tuple[Any, ...]) -> Row:
    _check_types(values, _ROW_TYPES)
    return Row(*values)


def _check_types(values: tuple[Any, ...], types: tuple[type, ...]) -> None:
    """Raise Damaged where a row is not what was written: a torn page can still look like one."""
    if tuple(map(type, values)) != types:
        raise database.Damaged


def _row(entry: Entry, now_s: float) -> tuple[Any, ...]:
    return (
        entry.place,
        entry.id,
        entry.kind,
        entry.stream,
        int(entry.priority),
        entry.value,
        None if entry.ttl_s is None else now_s + entry.ttl_s,
        entry.size_bytes,
        entry.stored_bytes,
        len(entry.bodies),
        entry.session,
        entry.tag,
        entry.bodies[0] if len(entry.bodies) == 1 else b"",
    )
