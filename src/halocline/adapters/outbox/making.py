"""Make what a caller puts into an entry: checked, sealed, cut into chunks."""

import hashlib
import math
import os
import re
import threading
from numbers import Real
from typing import Final

from halocline.adapters.outbox.entry import Entry, position_of
from halocline.adapters.outbox.store import Known
from halocline.adapters.sealing import Sealer, Session, bound
from halocline.edge.ids import new_id
from halocline.errors import Rejected
from halocline.sync import NAME, REASON, Priority, framed

SESSION_SEALS: Final = 1 << 20
"""After so many bodies another session begins: far below what a key of AES-GCM may seal."""
_LONGEST_TTL_S: Final = 1e10
_is_name: Final = re.compile(NAME).fullmatch
_is_reason: Final = re.compile(REASON).fullmatch
_PRIORITIES: Final = tuple(Priority)


class Maker:
    """Makes entries under one session after the other. Thread-safe."""

    def __init__(
        self,
        sealer: Sealer | None,
        first_session: int,
        *,
        record_limit_bytes: int,
        chunk_bytes: int,
        tag_key: bytes | None,
    ) -> None:
        self._sealer = sealer
        self._first_session = first_session
        self._record_limit_bytes = record_limit_bytes
        self._chunk_bytes = chunk_bytes
        # A digest that lies beside what is sealed would tell who guesses the content that he is right.
        self._tags_last = tag_key is not None
        self._tag_key = tag_key if tag_key is not None else os.urandom(32)
        self._lock = threading.Lock()
        self._session: tuple[int, Session] | None = None
        if sealer is not None:
            self._session = first_session, sealer.session()

    def entry(
        self,
        payload: bytes,
        kind: str,
        priority: int,
        value: float,
        ttl_s: float | None,
        stream: str,
        head: bytes,
        record_id: str | None,
    ) -> Entry:
        """The entry. Raises Rejected (HAL-811)."""
        _check_name("kind", kind)
        if stream:
            _check_name("stream", stream)
        if record_id is not None:
            _check_name("id", record_id)
        _check_numbers(priority, value, ttl_s)
        frame = self._framed(head, payload)
        made_id = record_id if record_id is not None else new_id()
        number, session = self._current()
        return Entry(
            id=made_id,
            is_id_given=record_id is not None,
            kind=kind,
            stream=stream,
            priority=_PRIORITIES[priority],
            value=float(value),
            ttl_s=ttl_s,
            size_bytes=len(head) + len(payload),
            bodies=self._bodies(session, made_id, kind, stream, frame),
            session=number,
            wrapped=session.wrapped if session else b"",
            tag=hashlib.blake2b(frame, digest_size=16, key=self._tag_key).digest(),
        )

    def is_same(self, entry: Entry, known: Known) -> bool:
        """Whether what is queued is the same record, as far as it can be told.

        What an earlier process sealed to the hub is compared by its size: nothing else of it is known here.
        """
        row = known.row
        if (row.kind, row.stream, row.size_bytes) != (entry.kind, entry.stream, entry.size_bytes):
            return False
        comparable = self._tags_last or row.session >= self._first_session
        return known.tag == entry.tag or not comparable

    def is_like(self, entry: Entry, other: Entry) -> bool:
        """Whether two entries of this process are the same record."""
        return (entry.kind, entry.stream, entry.tag) == (other.kind, other.stream, other.tag)

    def _current(self) -> tuple[int, Session | None]:
        if self._session is None:
            return 0, None
        if self._session[1].seals >= SESSION_SEALS:
            with self._lock:
                number, session = self._session
                if session.seals >= SESSION_SEALS:
                    assert self._sealer is not None
                    self._session = number + 1, self._sealer.session()
        return self._session

    def _framed(self, head: bytes, payload: bytes) -> bytes:
        for name, given in (("payload", payload), ("head", head)):
            if not isinstance(given, bytes | bytearray | memoryview):
                raise Rejected("HAL-811", f"a record's {name} must be bytes, got {type(given).__name__}")
        size_bytes = len(head) + len(payload)
        if size_bytes > self._record_limit_bytes:
            raise Rejected(
                "HAL-811",
                f"a record may have {self._record_limit_bytes} bytes in this outbox, got {size_bytes}. "
                "Send less of it, or raise record_limit_bytes",
            )
        return framed(bytes(head), bytes(payload))

    def _bodies(
        self, session: Session | None, record_id: str, kind: str, stream: str, frame: bytes
    ) -> list[bytes]:
        if len(frame) <= self._chunk_bytes:
            pieces = [frame]
        else:
            pieces = [frame[at : at + self._chunk_bytes] for at in range(0, len(frame), self._chunk_bytes)]
        if session is None:
            return pieces
        chunks = len(pieces)
        return [
            session.seal(bound(record_id, kind, stream, chunk, chunks), piece)
            for chunk, piece in enumerate(pieces)
        ]


def repeated(entry: Entry, place: int, is_same: bool) -> None:
    """Tell who put an id that is taken: the place of the first, or that this is another record."""
    if is_same:
        entry.placed(place)
        return
    at = position_of(place)
    entry.error = Rejected(
        "HAL-812",
        f"id {entry.id} is queued already with other content (boot {at.boot}, sequence {at.sequence}). "
        "Give each record an id of its own, or none",
    )


def check_reason(reason: str) -> None:
    """Raise Rejected (HAL-811) unless a refusal may be counted under that reason."""
    if not isinstance(reason, str) or not _is_reason(reason):
        raise Rejected("HAL-811", f"a reason of refusal is a word like too_large ({REASON}), got {reason!r}")


def _check_name(what: str, name: object) -> None:
    if not isinstance(name, str) or not _is_name(name):
        raise Rejected(
            "HAL-811",
            f"a record's {what} must match {NAME}, got {name!r:.60}",
        )


def _check_numbers(priority: object, value: object, ttl_s: object) -> None:
    if not isinstance(priority, int) or isinstance(priority, bool) or not 0 <= priority <= 3:
        raise Rejected("HAL-811", f"a record's priority is 0 (urgent) to 3, got {priority!r:.40}")
    if not _is_number(value):
        raise Rejected("HAL-811", f"a record's value is a finite number, got {value!r:.40}")
    if ttl_s is not None and not (_is_number(ttl_s) and 0 < ttl_s <= _LONGEST_TTL_S):  # type: ignore[operator]
        raise Rejected(
            "HAL-811", f"a record's ttl_s is in (0, {_LONGEST_TTL_S:g}] or None, got {ttl_s!r:.40}"
        )


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
