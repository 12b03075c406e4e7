"""Decide who is let in: by an invite, by a certificate, or by a known key that was away."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from halocline.fleet import Certificate, CertificateState, Device, DeviceState, Invite

LINGER_S: Final = 60.0
"""So long after its successor's first use a certificate passes on connections that were open by then."""
CROSSING_S: Final = 10.0
"""A handshake may cross the successor's first use: connections so much younger count as open by then."""


class InviteVerdict(StrEnum):
    """Whether an invite lets a device in."""

    GOOD = "good"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    USED_UP = "used up"
    SERIAL = "serial"
    """The serial that the device says is not, or not any more, on the invite's list."""


class Passage(StrEnum):
    """Whether a certificate passes, for one request."""

    PASS = "pass"  # noqa: S105  # no password
    FIRST_USE = "first use"
    """It passes, and supersedes the device's other certificates."""
    UNKNOWN = "unknown"
    """The hub never gave it, or has forgotten: its database is older than the certificate."""
    EXPIRED = "expired"
    PENDING = "pending"
    REVOKED = "revoked"
    REPLACED = "replaced"
    SUPERSEDED = "superseded"
    """Its successor is in use, and the connection is old: connect again."""
    CLONE = "clone"
    """Its successor is in use, and yet someone connected with it: two have the identity."""


class Homecoming(StrEnum):
    """What becomes of a known key that asks for a new certificate."""

    NOW = "now"
    """It gets one."""
    WAIT = "wait"
    """It was away for too long: someone must accept it first."""
    PENDING = "pending"
    """It waits already."""
    NEVER = "never"


def may_use(invite: Invite | None, serial: str, *, now_s: float) -> InviteVerdict:
    """Whether a device that says this serial may join by the invite (None: nobody made it)."""
    if invite is None:
        return InviteVerdict.UNKNOWN
    if now_s >= invite.expires_s:
        return InviteVerdict.EXPIRED
    if invite.used >= invite.uses:
        return InviteVerdict.USED_UP
    if invite.serials is not None and serial not in invite.serials:
        return InviteVerdict.SERIAL
    return InviteVerdict.GOOD


def may_pass(
    shown: Certificate, known: Certificate | None, device: Device | None, *, opened_s: float, now_s: float
) -> Passage:
    """Whether the certificate that was shown passes, by what the hub knows of it and of its device.

    `opened_s` is when the connection was opened, on the same clock as `now_s`.
    """
    if known is None or device is None or not shown.device == known.device == device.id:
        return Passage.UNKNOWN
    out = _OUT.get(device.state)
    if out is not None:
        return out
    if now_s > shown.not_after_s:
        return Passage.EXPIRED
    match known.state:
        case CertificateState.ISSUED:
            return Passage.FIRST_USE
        case CertificateState.CURRENT:
            return Passage.PASS
    since_s = known.superseded_s or 0.0
    if opened_s > since_s + CROSSING_S:
        return Passage.CLONE
    return Passage.PASS if now_s <= since_s + LINGER_S else Passage.SUPERSEDED


def may_come_home(
    device: Device, certificates: Sequence[Certificate], *, now_s: float, grace_s: float
) -> Homecoming:
    """Whether a device that proved its key gets a new certificate.

    The grace time counts from the end of its last certificate. Where none is left that is not superseded,
    someone accepted the device since: that stands until it comes for its certificate.
    """
    if device.state in (DeviceState.REVOKED, DeviceState.REPLACED):
        return Homecoming.NEVER
    if device.state is DeviceState.PENDING:
        return Homecoming.PENDING
    ends = [one.not_after_s for one in certificates if one.state is not CertificateState.SUPERSEDED]
    return Homecoming.WAIT if ends and now_s > max(ends) + grace_s else Homecoming.NOW


def goes_back(known_boot: int, told_boot: int) -> bool:
    """Whether a boot counter is behind one that was told before: two devices count with one identity."""
    return told_boot < known_boot


_OUT: Final = {
    DeviceState.PENDING: Passage.PENDING,
    DeviceState.REVOKED: Passage.REVOKED,
    DeviceState.REPLACED: Passage.REPLACED,
}
