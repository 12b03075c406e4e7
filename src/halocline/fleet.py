"""What the hub knows: devices, their certificates and twins, invites, people, and the audit log."""

from enum import StrEnum
from typing import Any, Final

import msgspec

DEVICE_ID: Final = r"^dev-[a-z2-7]{16}$"
"""`dev-` and 80 random bits in base 32, small letters."""
NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
"""What labels, sites, models and people are called: it is safe in a path, a URL and a shell."""


class DeviceState(StrEnum):
    """How the hub stands to a device."""

    PENDING = "pending"
    """It asked to join, or came home too late, and waits for someone to accept it."""
    ENROLLED = "enrolled"
    REVOKED = "revoked"
    """Nothing that it shows lets it in any more."""
    REPLACED = "replaced"
    """Another device has its labels and its history."""


class CertificateState(StrEnum):
    """A certificate's way: it is current from its first use on, which supersedes the one before."""

    ISSUED = "issued"
    """Given, not used yet: the answer that carried it may have been lost."""
    CURRENT = "current"
    SUPERSEDED = "superseded"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a device says of itself when it joins; nothing is decided by it but an invite's serials."""

    serial: str = ""
    machine: str = ""
    """Architecture and system, as in `aarch64 Linux`."""
    agent: str = ""
    """The version of the agent."""


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One device; times are seconds since 1970, on the hub's clock."""

    id: str
    key: str
    """`sha256:…` of its public key (SubjectPublicKeyInfo, DER): the identity that outlives certificates."""
    state: DeviceState
    created_s: float
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    facts: Facts = Facts()
    code: str = ""
    """The short code that a pending device shows, so that someone can compare."""
    seen_s: float | None = None
    """Last contact over the channel."""
    boot: int = 0
    """The highest boot counter that it reported."""
    cloned_s: float | None = None
    """When two at once were seen with its identity."""
    replaces: str | None = None


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """One certificate that was issued to a device."""

    serial: str
    """Its serial number, hexadecimal, small letters."""
    device: str
    not_before_s: float
    not_after_s: float
    state: CertificateState = CertificateState.ISSUED
    superseded_s: float | None = None


class Invite(msgspec.Struct, frozen=True, kw_only=True):
    """The right to join, for whoever holds the secret; the hub keeps its digest alone."""

    digest: str
    """`sha256:…` of the secret."""
    created_s: float
    expires_s: float
    uses: int
    used: int = 0
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    serials: frozenset[str] | None = None
    """Where given, only devices that say one of these, each once."""
    by: str = ""
    """The person who made it."""


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the hub may set for one model pair of a device; None leaves it as the device's file says."""

    threshold: float | None = None
    deadline_s: float | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the hub wants of a device: its desired state."""

    models: dict[str, ModelSettings] = msgspec.field(default_factory=dict)
    poll_s: float | None = None
    """How often it looks for changes."""
    long_poll_s: float | None = None
    """So long it waits at the hub for a change, where the hub has room; 0 is not at all."""


class Desired(msgspec.Struct, frozen=True, kw_only=True):
    """The desired state and its generation, which counts up by one with each change; 0 is none yet."""

    generation: int = 0
    settings: Settings = Settings()


class ReportState(StrEnum):
    """What became of a generation on the device."""

    APPLIED = "applied"
    REFUSED = "refused"


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """What a device says of itself: the last generation that it dealt with, and what is in force."""

    generation: int = 0
    state: ReportState = ReportState.APPLIED
    reason: str = ""
    """Why it was refused."""
    models: dict[str, ModelSettings] = msgspec.field(default_factory=dict)
    """What is in force, for each model that it serves."""
    boot: int = 0
    at_s: float = 0.0
    """When the hub received it."""


class Twin(msgspec.Struct, frozen=True, kw_only=True):
    """Desired and reported state of one device."""

    desired: Desired = Desired()
    reported: Reported | None = None


class Role(StrEnum):
    """What a person may do; each role stands alone."""

    VIEWER = "viewer"
    """See devices."""
    OPERATOR = "operator"
    """See and change devices, invite and accept them."""
    ADMIN = "admin"
    """Everything, people and the audit log too."""
    AUDITOR = "auditor"
    """See devices and the audit log."""
    INSTALLER = "installer"
    """Accept the pending devices of one site, and see them."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Who may use the people's door."""

    name: str
    role: Role
    site: str = ""
    """An installer's: only devices with this label `site`."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What a person acts by; the hub keeps its digest alone."""

    digest: str
    person: str
    created_s: float
    expires_s: float
    actions: tuple[str, ...] = ()
    """What it is narrowed to, as in `device.see`; where it is empty, all that the person's role may do."""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    """The devices that it is narrowed to: those with all of these."""


class Acting(Person, frozen=True, kw_only=True):
    """A person by a token that narrows what their role may do."""

    actions: tuple[str, ...] = ()
    labels: dict[str, str] = msgspec.field(default_factory=dict)


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change, or a refusal; ids and digests, never what was sent."""

    at_s: float
    actor: str
    """`person:NAME`, `device:ID`, `hub`, or `stranger:ADDRESS`."""
    action: str
    """A noun and a verb, as in `device.revoke`."""
    object: str = ""
    outcome: str = "done"
    """`done`, or `refused`."""
    reason: str = ""
    """Why it was refused, or what the person gave as `--reason`."""
    details: dict[str, Any] = msgspec.field(default_factory=dict)


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """An audit entry in its place in a chain; `digest` covers everything above it and `previous`."""

    chain: str
    number: int
    entry: AuditEntry
    previous: str
    digest: str
