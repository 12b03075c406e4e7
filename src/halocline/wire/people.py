"""The messages between people's programs and the hub, JSON, on the people's door."""

from typing import Final

import msgspec

from halocline.decide.alerts import Alert
from halocline.fleet import Device, Link, Person, Role, Settings, Token, Twin
from halocline.hub.authority import Rotation

MAX_PAGE: Final = 500
"""The most devices that one answer has; so many where nobody says how many."""
MAX_INVITE_BYTES: Final = 16 * 1024 * 1024
"""The largest request for an invite: it may list 100,000 serial numbers."""


class InviteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /v1/invites (operator, admin)."""

    ttl_s: float = 3600.0
    uses: int = 1
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    serials: list[str] | None = None
    reason: str = ""


class InviteReply(msgspec.Struct, frozen=True, kw_only=True):
    """201: the invite itself, shown this once."""

    invite: str
    expires_s: float
    uses: int
    version: int = 1


class DeviceReply(msgspec.Struct, frozen=True, kw_only=True):
    """GET /v1/devices/ID: a device and its twin."""

    device: Device
    twin: Twin
    silent_s: float | None = None
    """Seconds since the last contact, on the hub's clock; None where there was none."""
    version: int = 1


class DevicesReply(msgspec.Struct, frozen=True, kw_only=True):
    """GET /v1/devices?label=KEY=VALUE&silent_s=N&state=…&after=ID&limit=N: a page, by id."""

    devices: list[DeviceReply]
    next: str | None = None
    """What `after` is for the next page; None where this is the last one."""
    version: int = 1


class AcceptRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /v1/devices/ID/accept; labels are added to the device's."""

    labels: dict[str, str] = msgspec.field(default_factory=dict)
    reason: str = ""


class LabelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """PUT /v1/devices/ID/labels: these are set, those in `remove` are taken away."""

    labels: dict[str, str] = msgspec.field(default_factory=dict)
    remove: list[str] = msgspec.field(default_factory=list)
    reason: str = ""


class SetRequest(msgspec.Struct, frozen=True, kw_only=True):
    """PUT /v1/devices/ID/desired: merged into what is desired already."""

    settings: Settings
    unset: list[str] = msgspec.field(default_factory=list)
    """Models that are to be as the device's file says again, before the settings are laid over."""
    force: bool = False
    """Also of a model that the device has not reported."""
    reason: str = ""


class RevokeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /v1/devices/ID/revoke."""

    reason: str = ""


class ReplaceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /v1/devices/ID/replace: the device `by`, which the answer shows, stands in its place."""

    by: str
    reason: str = ""


class MeReply(msgspec.Struct, frozen=True, kw_only=True):
    """GET /v1/me: whose token this is."""

    name: str
    role: Role
    site: str = ""
    expires_s: float
    actions: list[str] = msgspec.field(default_factory=list)
    """What the token is narrowed to; all of the role where it is empty."""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    """The devices that the token is narrowed to."""
    version: int = 1


class RotationState(msgspec.Struct, frozen=True, kw_only=True):
    """A new root stands beside an old one."""

    old: list[str]
    """`sha256:…` of the old roots, the newest first."""
    since_s: float
    behind: int
    """How many enrolled devices do not know the new root yet."""


class RotateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /v1/authority/rotate: replace the authority, or a part of it."""

    what: Rotation
    anyway: bool = False
    """Retire an old root that devices need still."""
    reason: str = ""


class StatusReply(msgspec.Struct, frozen=True, kw_only=True):
    """GET /v1/status: the hub itself."""

    hub_version: str
    now_s: float
    devices: dict[str, int]
    """How many, by state."""
    database: str
    """`sqlite` or `postgresql`."""
    ca_fingerprint: str
    """`sha256:…` of the root authority's certificate."""
    models: list[str]
    """The cloud models that devices are served."""
    rotation: RotationState | None = None
    waiting: int = 0
    """Devices that wait for a change at this process of the hub."""
    version: int = 1


class AlertsReply(msgspec.Struct, frozen=True, kw_only=True):
    """GET /v1/alerts: what is open, the oldest first."""

    alerts: list[Alert]
    version: int = 1


class AuditReply(msgspec.Struct, frozen=True, kw_only=True):
    """GET /v1/audit?chain=…&after=N&since_s=N&actor=…&object=…: a page of one chain, oldest first.

    Without a chain, of the first one.
    """

    entries: list[Link]
    chains: list[str]
    """The names of all chains, one for each process that ever wrote."""
    next: int | None = None
    """What `after` is for the next page; None where this is the last one."""
    version: int = 1


class PersonRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /v1/people (admin); answered 201 by a PersonReply."""

    name: str
    role: Role
    site: str = ""
    reason: str = ""


class PersonReply(msgspec.Struct, frozen=True, kw_only=True):
    """A person who may use the hub."""

    person: Person
    version: int = 1


class PeopleReply(msgspec.Struct, frozen=True, kw_only=True):
    """GET /v1/people (admin): everyone, by name."""

    people: list[Person]
    version: int = 1


class ReasonRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /v1/people/NAME/remove and POST /v1/tokens/DIGEST/revoke, of which a start is enough."""

    reason: str = ""


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /v1/tokens; without `person` for oneself, without a scope as narrow as the token in use."""

    person: str = ""
    ttl_s: float
    actions: list[str] = msgspec.field(default_factory=list)
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    reason: str = ""


class TokenReply(msgspec.Struct, frozen=True, kw_only=True):
    """201: a new token, shown this once. 200, for one that is revoked: what it was, `token` is empty."""

    token: str = ""
    known: Token
    version: int = 1


class TokensReply(msgspec.Struct, frozen=True, kw_only=True):
    """GET /v1/tokens?person=NAME: one's own; `person=*` is everyone's (admin)."""

    tokens: list[Token]
    version: int = 1
