"""What can be done with an open queue, each as one durable change."""

from collections.abc import Callable, Collection, Sequence
from typing import Final

import msgspec

from halocline.adapters.outbox.entry import Entry, Row, place_of
from halocline.adapters.outbox.failures import ERRORS, Failure, failure_of
from halocline.adapters.outbox.making import Maker, repeated
from halocline.adapters.outbox.store import Counters, Store, count_lost
from halocline.adapters.outbox.taking import Taking
from halocline.adapters.outbox.under_way import UnderWay
from halocline.adapters.sealing import Opener
from halocline.decide.evict import evictions
from halocline.errors import Rejected, Transient
from halocline.sync import Loss, Waiting

_EXPIRE_AT_ONCE: Final = 256
_MOST_REASONS: Final = 64
"""A hub that makes up reasons does not fill the disk with them."""


class Queue:
    """An open store, its order, cap and clock. Not thread-safe; raises what the database raises."""

    def __init__(
        self,
        store: Store,
        maker: Maker,
        *,
        opener: Opener | None,
        cap_bytes: int,
        chunk_bytes: int,
        clock_s: Callable[[], float],
    ) -> None:
        self.store = store
        self._maker = maker
        self._opener = opener
        self._cap_bytes = cap_bytes
        self._chunk_bytes = chunk_bytes
        self._clock_s = clock_s
        self._sequence = 0
        self._passed: dict[int, int] = {}
        self._under_way = UnderWay()

    def append(self, entries: Sequence[Entry], tight_bytes: int | None) -> None:
        """Put these in, and tell each what became of it.

        With `tight_bytes` the disk is full: no more than that may wait, and who puts what would have to go at
        once is told so.
        """
        now_s = self._clock_s()
        with self.store.changing() as counters:
            ended = self._expire(counters, now_s)
            new, repeats = self._sorted(entries)
            for entry in new:
                self._sequence += 1
                entry.placed(place_of(entry.priority, counters.boot, self._sequence))
            stay, evicted = self._with_room(counters, new, tight_bytes)
            self.store.insert(counters, stay, now_s)
        self.store.keeps(stay)
        self._under_way.lose(ended, Loss.EXPIRED)
        self._under_way.lose(evicted, _pressure(tight_bytes))
        for entry, first in repeats:
            entry.error = first.error
            if entry.error is None:
                repeated(entry, first.place, is_same=self._maker.is_like(entry, first))

    def remove(self, ids: Sequence[str], reason: str | None) -> int:
        """Take these out, as arrived or, with a reason, as refused; how many were there."""
        with self.store.changing() as counters:
            counters.now_s = self._clock_s()
            places = [known.row.place for known in self.store.known(ids).values()]
            self._delete(counters, places)
            if reason is None:
                counters.arrived += len(places)
                self._correct(counters, ids)
            else:
                count_lost(counters, _named(counters, reason), len(places))
        self._under_way.end(places, ids)
        return len(places)

    def take(self, max_records: int, max_bytes: int, besides: Collection[str]) -> list[Waiting]:
        """What should travel next."""
        now_s = self._clock_s()
        if self.store.expires(now_s):
            self._expire_alone(now_s)
        taking = Taking(
            self.store,
            now_s,
            max_records=max_records,
            max_bytes=max_bytes,
            besides=besides,
            passed=self._passed,
            chunk_bytes=self._chunk_bytes,
        )
        pieces = [self._waiting(row, chunk) for row, chunk in taking.chosen]
        self._under_way.begin((row.place, row.id) for row, _ in taking.chosen)
        return pieces

    def passed(self, record_id: str, chunks: int) -> None:
        """So many of its chunks need not travel again."""
        known = self.store.known([record_id]).get(record_id)
        if known is None:
            return
        if not 0 <= chunks < known.row.chunks:
            raise Rejected(
                "HAL-811",
                f"{chunks} chunks of {record_id} cannot have passed: it has {known.row.chunks}, "
                "and is acknowledged when the last has arrived",
            )
        self._passed[known.row.place] = chunks

    def _expire(self, counters: Counters, now_s: float) -> list[int]:
        counters.now_s = now_s
        return self.store.expire(counters, now_s, _EXPIRE_AT_ONCE) if self.store.expires(now_s) else []

    def _expire_alone(self, now_s: float) -> None:
        try:
            with self.store.changing() as counters:
                ended = self._expire(counters, now_s)
        except ERRORS as error:
            if failure_of(error) is not Failure.FULL:
                raise
            return  # what has ended is not given, and can be taken out when there is space to write that
        self._under_way.lose(ended, Loss.EXPIRED)

    def _correct(self, counters: Counters, ids: Sequence[str]) -> None:
        """What left the queue while it was under way, and arrived, was not lost."""
        for loss in self._under_way.arrived(ids):
            counters.arrived += 1
            if loss is Loss.EXPIRED:
                counters.expired -= 1
            else:
                count_lost(counters, loss, -1)

    def _sorted(self, entries: Sequence[Entry]) -> tuple[list[Entry], list[tuple[Entry, Entry]]]:
        """Those that are not queued, and those that repeat one of these; who repeats a queued one is told."""
        asked = [entry.id for entry in entries if entry.is_id_given]
        known = self.store.known(asked) if asked else {}
        new: dict[str, Entry] = {}
        repeats = []
        for entry in entries:
            entry.error = None
            if entry.id in known:
                found = known[entry.id]
                repeated(entry, found.row.place, is_same=self._maker.is_same(entry, found))
            elif entry.id in new:
                repeats.append((entry, new[entry.id]))
            else:
                new[entry.id] = entry
        return list(new.values()), repeats

    def _with_room(
        self, counters: Counters, new: Sequence[Entry], tight_bytes: int | None
    ) -> tuple[list[Entry], list[int]]:
        """Count the new, evict what must go; those of the new that stay, and the queued that went."""
        counters.accepted += len(new)
        is_tight = tight_bytes is not None and tight_bytes < self._cap_bytes
        may_bytes = tight_bytes if tight_bytes is not None and is_tight else self._cap_bytes
        over_bytes = counters.queued_bytes + sum(entry.stored_bytes for entry in new) - may_bytes
        if over_bytes <= 0:
            return list(new), []
        coming = [entry.held() for entry in new]
        gone = {held.place for held in evictions(self.store.by_worth(), coming, over_bytes)}
        stay = [entry for entry in new if entry.place not in gone]
        evicted = sorted(gone - {held.place for held in coming})
        turned_away = [entry for entry in new if entry.place in gone] if is_tight else []
        for entry in turned_away:
            entry.error = disk_full()
        if turned_away and not stay:
            evicted = []  # nothing of more worth goes for what does not stay
        self._delete(counters, evicted)
        counters.accepted -= len(turned_away)
        count_lost(counters, _pressure(tight_bytes), len(evicted) + len(new) - len(stay) - len(turned_away))
        return stay, evicted

    def _delete(self, counters: Counters, places: Sequence[int]) -> None:
        self.store.delete(counters, places)
        for place in places:
            self._passed.pop(place, None)

    def _waiting(self, row: Row, chunk: int) -> Waiting:
        body = self.store.chunk(row.place, chunk) if row.chunks > 1 else self.store.body(row.place)
        session = self.store.wrapped(row.session) if row.session else b""
        waiting = Waiting(record=row.record(), body=body, session=session, chunk=chunk, chunks=row.chunks)
        if self._opener is None or not session:
            return waiting
        return msgspec.structs.replace(waiting, body=self._opener.body(waiting), session=b"")


def _pressure(tight_bytes: int | None) -> Loss:
    return Loss.OVER_CAP if tight_bytes is None else Loss.DISK_FULL


def disk_full() -> Transient:
    """What a caller is told whose record finds no space."""
    return Transient(
        "HAL-814",
        "the disk is full, and what waits in the outbox is worth as much as this record; it was not queued. "
        "Free some space; putting it again is safe",
    )


def _named(counters: Counters, reason: str) -> str:
    named = f"{Loss.REFUSED}:{reason}"
    is_one_too_many = named not in counters.evicted and len(counters.evicted) >= _MOST_REASONS
    return f"{Loss.REFUSED}:other" if is_one_too_many else named
