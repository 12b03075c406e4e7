"""What waits on a device to travel to the hub: records, their order and urgency, and where each went."""

import struct
from enum import IntEnum, StrEnum
from typing import Final

import msgspec

from halocline.errors import Untrusted

NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$"
"""What ids, kinds and streams are called; they are not sealed, and are safe in a path and a log."""
REASON: Final = r"^[a-z][a-z0-9_]{0,47}$"
"""What a reason of refusal is called."""
_LENGTH: Final = struct.Struct(">I")


class Priority(IntEnum):
    """How urgent a record is: what is sent first, and kept longest when space runs out."""

    URGENT = 0
    HIGH = 1
    NORMAL = 2
    LOW = 3


class Position(msgspec.Struct, frozen=True, order=True):
    """A record's place in the order of its device. No clock is in it; numbers may be missing."""

    boot: int
    """How often the queue had been opened; it never goes back."""
    sequence: int
    """Counts from 1 in each boot."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a queued record without opening it."""

    id: str
    position: Position
    kind: str
    priority: Priority = Priority.NORMAL
    value: float = 0.0
    """How much it is worth beside others of its priority: the least is evicted first."""
    stream: str = ""
    """Records of one stream travel in their order; empty for none."""
    size_bytes: int
    """Of payload and head together, as they were given."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A record that is to travel now, whole, or one chunk of a large one.

    Where the queue is sealed to the hub, `session` is the wrapped key that `body` was sealed under, which
    only the hub can open (`halocline.adapters.sealing.Opener`). Otherwise `session` is empty, and the bodies
    of all chunks, joined, are a frame: `unframed` gives head and payload.
    """

    record: Record
    body: bytes
    session: bytes = b""
    chunk: int = 0
    chunks: int = 1

    @property
    def head(self) -> bytes:
        """The head of a whole record that is in the clear."""
        return unframed(self.body)[0]

    @property
    def payload(self) -> bytes:
        """The payload of a whole record that is in the clear."""
        return unframed(self.body)[1]


def framed(head: bytes, payload: bytes) -> bytes:
    """Head and payload as one."""
    return _LENGTH.pack(len(head)) + head + payload


def unframed(frame: bytes) -> tuple[bytes, bytes]:
    """Head and payload again. Raises Untrusted (HAL-815) where it is no frame."""
    if len(frame) >= _LENGTH.size:
        end = _LENGTH.size + _LENGTH.unpack_from(frame)[0]
        if end <= len(frame):
            return frame[_LENGTH.size : end], frame[end:]
    raise Untrusted(
        "HAL-815",
        f"a record's body of {len(frame)} bytes ends inside its head. Is it open, and are all chunks joined?",
    )


class Loss(StrEnum):
    """Why a record left the queue and did not arrive."""

    OVER_CAP = "over_cap"
    """Evicted: the queue was as large as it may be, and others were worth more."""
    DISK_FULL = "disk_full"
    """Evicted: the disk was full, and others were worth more."""
    EXPIRED = "expired"
    """Its time to live ended before it could be sent."""
    REFUSED = "refused"
    """The hub will never take it; the ledger adds why: `refused:REASON`."""


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything went that was accepted since boot `since_boot`."""

    since_boot: int
    """The boot in which these counters began at zero: the first, or one that found the queue damaged."""
    boot: int
    """How often the queue was opened."""
    accepted: int = 0
    """Each that was durable when `put` returned, repeats of an id not counted again."""
    arrived: int = 0
    """Acknowledged."""
    expired: int = 0
    """Those whose time to live ended."""
    evicted: dict[str, int] = msgspec.field(default_factory=dict)
    """By reason; what the hub refused as `refused:REASON`."""
    queued: int = 0
    """What waits."""
    queued_bytes: int = 0
    """As they lie on the disk."""
    damaged: int = 0
    """So many queues were set aside as damaged; what waited in them is lost in unknown number."""

    @property
    def lost(self) -> int:
        """How many were accepted and will not arrive."""
        return self.expired + sum(self.evicted.values())

    @property
    def closes(self) -> bool:
        """Whether each that was accepted is in exactly one place."""
        return self.accepted == self.arrived + self.lost + self.queued
