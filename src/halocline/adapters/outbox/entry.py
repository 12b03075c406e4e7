"""One record on its way into the queue, and its row there."""

from typing import Final

import msgspec

from halocline.decide.evict import Held
from halocline.errors import HaloclineError
from halocline.sync import Position, Priority, Record

ROW_BYTES: Final = 200
"""About what a row and its index entries take besides texts and bodies."""
_BOOT_AT: Final = 40
_PRIORITY_AT: Final = 61
POSITION_MASK: Final = (1 << _PRIORITY_AT) - 1
"""The bits of a place that are its position."""
MOST_BOOTS: Final = 1 << (_PRIORITY_AT - _BOOT_AT)


def place_of(priority: int, boot: int, sequence: int) -> int:
    """The row number: rows lie by priority, then by position, so that what is sent first comes first."""
    return priority << _PRIORITY_AT | boot << _BOOT_AT | sequence


def position_of(place: int) -> Position:
    """The position in a row number."""
    return Position((place & POSITION_MASK) >> _BOOT_AT, place & ((1 << _BOOT_AT) - 1))


def first_place(priority: int) -> int:
    """No row of that priority has a lower number."""
    return priority << _PRIORITY_AT


class Entry(msgspec.Struct):
    """What a caller puts, ready to be written; then what became of it."""

    id: str
    is_id_given: bool
    kind: str
    stream: str
    priority: Priority
    value: float
    ttl_s: float | None
    size_bytes: int
    bodies: list[bytes]
    session: int
    """0 where nothing is sealed."""
    wrapped: bytes
    tag: bytes
    """Tells whether another content is the same."""
    place: int = 0
    record: Record | None = None
    error: HaloclineError | None = None

    @property
    def stored_bytes(self) -> int:
        """About what it takes on the disk."""
        texts = len(self.id) + len(self.kind) + len(self.stream)
        return sum(map(len, self.bodies)) + texts + ROW_BYTES

    def placed(self, place: int) -> None:
        """It has its place in the order now."""
        self.place = place
        self.record = Record(
            id=self.id,
            position=position_of(place),
            kind=self.kind,
            priority=self.priority,
            value=self.value,
            stream=self.stream,
            size_bytes=self.size_bytes,
        )

    def held(self) -> Held:
        """As the choice of evictions sees it."""
        return Held(self.place, self.priority, self.value, self.stored_bytes)


class Row(msgspec.Struct, frozen=True):
    """A queued record, without its body."""

    place: int
    id: str
    kind: str
    stream: str
    priority: int
    value: float
    size_bytes: int
    stored_bytes: int
    chunks: int
    session: int

    def record(self) -> Record:
        """As callers see it."""
        return Record(
            id=self.id,
            position=position_of(self.place),
            kind=self.kind,
            priority=Priority(self.priority),
            value=self.value,
            stream=self.stream,
            size_bytes=self.size_bytes,
        )
