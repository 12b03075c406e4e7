"""The durable queue of a device: what is put in has arrived, waits, or is counted as lost; nothing else."""

import contextlib
import hashlib
import logging
import os
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar

from halocline.adapters.outbox.clock import counted
from halocline.adapters.outbox.database import PAGE_BYTES
from halocline.adapters.outbox.entry import Entry
from halocline.adapters.outbox.failures import ERRORS, Failure, failure_of
from halocline.adapters.outbox.gathering import Gathering
from halocline.adapters.outbox.making import Maker, check_reason
from halocline.adapters.outbox.opening import open_store
from halocline.adapters.outbox.queue import Queue, disk_full
from halocline.adapters.outbox.spare import Spare
from halocline.adapters.outbox.store import Store
from halocline.adapters.sealing import Opener, Sealer
from halocline.decide.checks import check_number
from halocline.errors import Misconfigured, Transient
from halocline.sync import Ledger, Priority, Record, Waiting

T = TypeVar("T")

SPARE: Final = "outbox.spare"
CAP_BYTES: Final = 512 << 20
RECORD_LIMIT_BYTES: Final = 64 << 20
CHUNK_BYTES: Final = 64 << 10
"""Half a second on a line of 1 Mbit/s: so long an urgent record waits for what is under way."""
LEAST_WAL_PAGES: Final = 64
MOST_WAL_PAGES: Final = 1000
_WAL_SHARE: Final = 16
_ATTEMPTS: Final = 8
_EASE_BYTES: Final = 64 << 10
"""On a full disk so much goes at first, and with each attempt twice as much."""
_log = logging.getLogger("halocline.outbox")


class Outbox:
    """A queue in a folder of its own. A record is durable when `put` returns. Thread-safe, for one process.

    `hub_key` is the raw X25519 public key of the hub that alone may open what waits here; with `key`, 32
    secret bytes, it is sealed here and taken in the clear; with neither it lies here in the clear. Id, kind,
    stream, priority, value, sizes and times are never sealed.

    `cap_bytes` is how much may wait: beyond it, and on a full disk, the lowest priority goes first, then the
    least value, then the oldest. Records above `chunk_bytes` travel in chunks. `now_s` is the clock that
    times to live are measured by; without one, the time that the queue is open counts.

    Raises Misconfigured (HAL-101, HAL-103, HAL-813, HAL-816) and, where a full disk leaves no space to start,
    Transient (HAL-814).
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        hub_key: bytes | None = None,
        key: bytes | None = None,
        cap_bytes: int = CAP_BYTES,
        record_limit_bytes: int = RECORD_LIMIT_BYTES,
        chunk_bytes: int = CHUNK_BYTES,
        now_s: Callable[[], float] | None = None,
    ) -> None:
        for name, given in (("cap", cap_bytes), ("record_limit", record_limit_bytes), ("chunk", chunk_bytes)):
            check_number(f"outbox.{name}_bytes", given, 1024, 1 << 50, whole=True)
        sealer = _sealer(hub_key, key)
        self._opener = Opener.under(key) if key is not None else None
        self._folder = Path(folder)
        self._cap_bytes = cap_bytes
        self._chunk_bytes = chunk_bytes
        self._given_now_s = now_s
        self._spare = Spare(self._folder / SPARE, 2 * _wal_pages(cap_bytes) * PAGE_BYTES)
        store, self._boots = open_store(self._folder, self._spare, _wal_pages(cap_bytes))
        self._spare.keep()
        self._maker = Maker(
            sealer,
            store.last_session + 1,
            record_limit_bytes=min(record_limit_bytes, cap_bytes // 2),
            chunk_bytes=chunk_bytes,
            tag_key=None if hub_key is not None else hashlib.sha256(b"tags" + (key or b"")).digest(),
        )
        self._queue = self._queue_of(store)
        self._lock = threading.Lock()
        self._is_open = True
        self._tight_bytes: int | None = None
        """What may wait while the disk is full: without its spare space the file must not grow."""
        self._process = os.getpid()
        self._gathering = Gathering(self._commit)
        self._safely(lambda: self._queue.store.forget_sessions())

    @property
    def boot(self) -> int:
        """How often the queue was opened, a new start after damage included; it never goes back."""
        return self._boots.boot

    def put(
        self,
        payload: bytes,
        *,
        kind: str,
        priority: int = Priority.NORMAL.value,
        value: float = 0.0,
        ttl_s: float | None = None,
        stream: str = "",
        head: bytes = b"",
        id: str | None = None,  # noqa: A002 - what a record's name is called everywhere
    ) -> Record:
        """Queue a record; it is durable when this returns, and counted. Safe to repeat with the same id.

        Raises Rejected (HAL-811: it cannot be queued as it is; HAL-812: the id is taken by other content) and
        Transient (HAL-814: the disk is full, and nothing worth less is left; HAL-817: the disk fails).
        """
        if os.getpid() != self._process:
            raise self._of_another()
        entry = self._maker.entry(payload, kind, priority, value, ttl_s, stream, head, id)
        self._gathering.join(entry)
        if entry.error is not None:
            raise entry.error
        assert entry.record is not None
        return entry.record

    def take(
        self, max_records: int = 256, max_bytes: int = 1 << 20, *, besides: Collection[str] = ()
    ) -> list[Waiting]:
        """What should travel next, the most urgent first; it stays until it is acknowledged or refused.

        `besides` has the ids that are under way already. A record of a stream comes after all that are before
        it in the stream, whatever their priority, and not while one of them is under way. A large record
        comes in chunks, from the first that has not `passed`: each take lets a more urgent record go first.
        The first piece is given even if it is larger than `max_bytes`.
        """
        check_number("max_records", max_records, 1, 1 << 20, whole=True)
        asked = frozenset(besides)
        return self._safely(lambda: self._queue.take(max_records, max_bytes, asked))

    def passed(self, id: str, chunks: int) -> None:  # noqa: A002
        """The other side holds so many chunks of this record; remembered until the process ends."""
        self._safely(lambda: self._queue.passed(id, chunks))

    def acknowledge(self, ids: Iterable[str]) -> int:
        """These are durable at the other side: they leave the queue. How many of them were in it."""
        wanted = list(dict.fromkeys(ids))
        return self._safely(lambda: self._queue.remove(wanted, None)) if wanted else 0

    def refuse(self, id: str, reason: str) -> bool:  # noqa: A002
        """The other side will never take it: it leaves the queue, counted by reason. Whether it was in it."""
        check_reason(reason)
        return bool(self._safely(lambda: self._queue.remove([id], reason)))

    def ledger(self) -> Ledger:
        """Where everything went; it closes at every moment."""
        return self._safely(lambda: self._queue.store.counters.ledger(self._boots.damaged))

    def close(self) -> None:
        """End; what waits is there at the next start. May be called again."""
        if os.getpid() != self._process:
            return
        with self._lock:
            if self._is_open:
                self._is_open = False
                self._queue.store.close()

    def __enter__(self) -> "Outbox":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _commit(self, entries: Sequence[Entry]) -> None:
        with self._lock:
            tight_bytes = self._tight_bytes
            for attempt in range(_ATTEMPTS):
                try:
                    self._check_usable()
                    self._queue.append(entries, tight_bytes)
                    self._tight_bytes = None if self._spare.keep() else tight_bytes
                    return
                except ERRORS as error:
                    if self._mend(error, attempt) is Failure.FULL:
                        held_bytes = self._queue.store.counters.queued_bytes
                        held_bytes = held_bytes if tight_bytes is None else min(held_bytes, tight_bytes)
                        tight_bytes = max(held_bytes - (_EASE_BYTES << attempt), 0)
        raise disk_full()

    def _safely(self, work: Callable[[], T]) -> T:
        with self._lock:
            for attempt in range(_ATTEMPTS):
                self._check_usable()
                try:
                    return work()
                except ERRORS as error:
                    self._mend(error, attempt)
        raise disk_full()

    def _mend(self, error: BaseException, attempt: int) -> Failure:
        """Make it worth trying again, or raise; what was wrong."""
        failure = failure_of(error)
        if failure is Failure.FULL:
            self._spare.free()
            with contextlib.suppress(*ERRORS):
                self._queue.store.write_back()
        elif failure is Failure.DAMAGED and not attempt:
            self._start_anew()
        else:
            raise Transient(
                "HAL-817",
                f"the outbox in {self._folder} cannot be used now: {error}. Putting it again is safe",
            ) from error
        return failure

    def _start_anew(self) -> None:
        self._queue.store.close()
        store, self._boots = open_store(
            self._folder, self._spare, _wal_pages(self._cap_bytes), is_damaged=True
        )
        self._queue = self._queue_of(store)

    def _queue_of(self, store: Store) -> Queue:
        return Queue(
            store,
            self._maker,
            opener=self._opener,
            cap_bytes=self._cap_bytes,
            chunk_bytes=self._chunk_bytes,
            clock_s=self._given_now_s or counted(store.counters.now_s),
        )

    def _check_usable(self) -> None:
        if os.getpid() != self._process:
            raise self._of_another()
        if not self._is_open:
            raise Transient("HAL-817", f"the outbox in {self._folder} is closed. Open it again")

    def _of_another(self) -> Misconfigured:
        return Misconfigured(
            "HAL-813",
            f"the outbox in {self._folder} was opened before this process was forked: open it after the fork",
        )


def _wal_pages(cap_bytes: int) -> int:
    """How long the log may get: 4 MiB beside a large queue, less beside a small one."""
    return min(max(cap_bytes // PAGE_BYTES // _WAL_SHARE, LEAST_WAL_PAGES), MOST_WAL_PAGES)


def _sealer(hub_key: bytes | None, key: bytes | None) -> Sealer | None:
    if hub_key is not None and key is not None:
        raise Misconfigured("HAL-816", "an outbox is sealed to hub_key or under key, got both: leave one out")
    if hub_key is not None:
        return Sealer.for_hub(hub_key)
    return Sealer.under(key) if key is not None else None
