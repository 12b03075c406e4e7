"""Ask a cloud about rows as they come, each once: what it said before, in this run or another, is known."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np

from halocline.errors import HaloclineError
from halocline.ports import Feed
from halocline.records import Array
from halocline.tuning.intake import count, joined, sliced
from halocline.tuning.store import AnswerStore, row_keys
from halocline.wire import oip

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the rows done and the rows to do."""

BATCH_BYTES = 4 << 20
"""A call carries at most so much: servers refuse more than they allow."""


class CloudCost(msgspec.Struct, frozen=True, kw_only=True):
    """What asking the cloud took: rows asked now and rows known already, calls, bytes of request bodies.

    `oldest_s` is when the oldest of the known answers was asked for, in seconds since the epoch.
    """

    rows_asked: int = 0
    rows_known: int = 0
    calls: int = 0
    bytes_up: int = 0
    oldest_s: float | None = None


class Desk:
    """Takes rows, asks about those that are not known when they fill a call, and remembers in what order.

    `answers` gives one array a row of a call, which is what the store keeps; `read` makes of it what
    `finish` gives, and is called once for each distinct row.
    """

    def __init__(
        self,
        answers: Callable[[Feed], Sequence[Array]],
        store: AnswerStore | None,
        batch_rows: int,
        rows: int,
        progress: Progress | None,
        read: Callable[[Array], Any] = lambda row: row,
    ) -> None:
        self._read = read
        self._answers = answers
        self._store = store
        self._batch_rows = batch_rows
        self._rows = rows
        self._progress = progress
        self._keys: list[bytes] = []
        self._known: dict[bytes, Any] = {}
        self._waiting: dict[bytes, None] = {}  # in the order of the rows of `_feeds`
        self._feeds: list[Feed] = []
        self._step: int | None = None
        self._asked = self._calls = self._bytes_up = 0
        self._oldest_s: float | None = None

    def take(self, feed: Feed) -> None:
        """These rows come next."""
        if self._step is None:
            self._step = _step(feed, self._batch_rows)
        keys = list(row_keys(feed))
        self._keys += keys
        first = {key: at for at, key in reversed(list(enumerate(keys)))}  # equal rows are asked about once
        new = [key for key in first if key not in self._known and key not in self._waiting]
        self._recall(new)
        new = sorted((key for key in new if key not in self._known), key=first.__getitem__)
        if new:
            self._waiting |= dict.fromkeys(new)
            places = np.asarray([first[key] for key in new], dtype=np.int64)
            self._feeds.append({name: array[places] for name, array in feed.items()})
        while len(self._waiting) >= self._step:
            self._ask(self._step)

    def finish(self) -> tuple[list[Any], CloudCost]:
        """What the cloud says of all rows taken, one a row, and what that cost."""
        if self._waiting:
            self._ask(len(self._waiting))
        if self._progress is not None:
            self._progress(self._rows, self._rows)
        cost = CloudCost(
            rows_asked=self._asked,
            rows_known=len(self._keys) - self._asked,
            calls=self._calls,
            bytes_up=self._bytes_up,
            oldest_s=self._oldest_s,
        )
        return [self._known[key] for key in self._keys], cost

    def _recall(self, keys: Sequence[bytes]) -> None:
        if self._store is None:
            return
        kept = self._store.get(keys)
        self._known |= {key: self._read(row.scores) for key, row in kept.items()}
        times_s = [row.asked_s for row in kept.values()]
        if self._oldest_s is not None:
            times_s.append(self._oldest_s)
        self._oldest_s = min(times_s, default=None)

    def _ask(self, rows: int) -> None:
        done = len(self._keys) - len(self._waiting)
        if self._progress is not None:
            self._progress(done, self._rows)
        all_of_them = joined(self._feeds)
        body = sliced(all_of_them, 0, rows)
        try:
            rows_said = self._answers(body)
        except HaloclineError as exc:
            raise type(exc)(exc.code, f"{exc.message} {self._so_far(done)}") from None
        came = dict(zip(list(self._waiting)[:rows], rows_said, strict=True))
        self._calls += 1
        self._asked += len(came)
        self._bytes_up += body_bytes(body)
        self._known |= {key: self._read(row) for key, row in came.items()}
        for key in came:
            del self._waiting[key]
        self._feeds = [sliced(all_of_them, rows, len(self._waiting))] if self._waiting else []
        if self._store is not None:
            self._store.put(came)

    def _so_far(self, done: int) -> str:
        if not done or self._store is None:
            return f"{done} of {self._rows} rows were answered"
        return f"{done} of {self._rows} rows are answered and kept: the next run goes on from there"


def body_bytes(feed: Feed) -> int:
    """A request body for these rows, by the protocol; what a cloud in this process would have been sent."""
    return oip.encode_request(feed, request_id="0" * 36, binary=True).total_bytes


def _step(feed: Feed, batch_rows: int) -> int:
    row_bytes = max(1, sum(array.nbytes for array in feed.values()) // count(feed))
    return max(1, min(batch_rows, BATCH_BYTES // row_bytes))
