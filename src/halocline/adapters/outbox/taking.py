"""Choose what travels next: the most urgent first, each stream in its order."""

from collections.abc import Collection, Mapping

from halocline.adapters.outbox.entry import POSITION_MASK, Row
from halocline.adapters.outbox.store import Store


class Taking:
    """One choice of records and chunks, within limits; `chosen` has them in the order of travel."""

    def __init__(
        self,
        store: Store,
        now_s: float,
        *,
        max_records: int,
        max_bytes: int,
        besides: Collection[str],
        passed: Mapping[int, int],
        chunk_bytes: int,
    ) -> None:
        self.chosen: list[tuple[Row, int]] = []
        """Each with the number of a chunk."""
        self._store = store
        self._now_s = now_s
        self._max_records = max_records
        self._left_bytes = max_bytes
        self._besides = besides
        self._passed = passed
        self._chunk_bytes = chunk_bytes
        self._places: set[int] = set()
        self._blocked: set[str] = set()
        self._reached: dict[str, int] = {}
        self._is_full = False
        for row in store.by_urgency(now_s, self._blocked):
            self._consider(row)
            if self._is_full:
                break

    def _consider(self, row: Row) -> None:
        if row.stream:
            after = self._reached.get(row.stream, -1)
            # One more than fit: where so many come before it, there is no room for it.
            for earlier in self._store.ahead(row, after, self._now_s, self._max_records + 1):
                self._offer(earlier)
        self._offer(row)

    def _offer(self, row: Row) -> None:
        self._is_full = self._is_full or len(self._places) >= self._max_records
        if self._is_full or row.place in self._places or row.stream in self._blocked:
            return
        if row.id in self._besides:
            if row.stream:
                self._blocked.add(row.stream)
        elif row.chunks > 1:
            self._add_chunks(row)
        else:
            self._add(row, 0, row.stored_bytes)

    def _add_chunks(self, row: Row) -> None:
        for chunk in range(self._passed.get(row.place, 0), row.chunks):
            self._add(row, chunk, self._chunk_bytes)
        if row.stream:  # until it has arrived whole, nothing of its stream may go past it
            self._blocked.add(row.stream)

    def _add(self, row: Row, chunk: int, size_bytes: int) -> None:
        if self._is_full or (self.chosen and size_bytes > self._left_bytes):
            self._is_full = True
            return
        self.chosen.append((row, chunk))
        self._places.add(row.place)
        self._left_bytes -= size_bytes
        if row.stream:
            self._reached[row.stream] = row.place & POSITION_MASK
