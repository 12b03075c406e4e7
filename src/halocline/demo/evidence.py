"""What an observer may look at: what callers asked and were told, what the cloud and the link logged."""

from collections.abc import Sequence

import msgspec


class Sent(msgspec.Struct, frozen=True):
    """A caller asked: which row, what the right answer is, when (monotonic), and how long it would wait."""

    request: str
    phase: str
    row: int
    truth: str
    sent_s: float
    deadline_s: float


class Received(msgspec.Struct, frozen=True):
    """A caller was given an answer to `request`; `id` is the reply's own."""

    request: str
    id: str
    label: str
    tier: str
    reason: str
    degraded: bool
    at_s: float


class Corrected(msgspec.Struct, frozen=True):
    """A caller was told the cloud's late verdict on the reply of that id."""

    id: str
    label: str
    at_s: float


class Ran(msgspec.Struct, frozen=True):
    """The cloud process logged that its model ran `rows` rows for the call `id`."""

    id: str
    rows: int


class Traffic(msgspec.Struct, frozen=True):
    """What the link itself counted while a phase ran."""

    up_bytes: int
    down_bytes: int


class Shown(msgspec.Struct, frozen=True):
    """The observer showed a device's certificate at the hub's device door: its digest, the TLS version that
    was spoken, and the status of the answer; 0 where there was none."""

    digest: str
    version: str
    status: int


class Door(msgspec.Struct, frozen=True):
    """How devices and hub speak: the TLS version of each connection that the link carried, as it saw it go
    by, what the device door did with a stranger, and what it did with each device's certificate."""

    carried: tuple[str, ...]
    stranger: str
    shown: tuple[Shown, ...]


class Evidence(msgspec.Struct, frozen=True):
    """All that the observer may look at. `phases` are in their order; `edge_labels` what the edge model,
    asked apart, says of each row."""

    phases: tuple[str, ...]
    sent: Sequence[Sent]
    received: Sequence[Received]
    corrected: Sequence[Corrected]
    ran: Sequence[Ran]
    traffic: dict[str, Traffic]
    edge_labels: dict[int, str]
    baseline: str = "cloud_only"
    normal: str = "normal"
    recovery: str | None = None
    door: Door | None = None
