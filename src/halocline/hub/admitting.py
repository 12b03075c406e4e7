"""Let a certificate pass, or not, for one request on the devices' door."""

from typing import Final

import msgspec

from halocline.decide.admission import Passage, may_pass
from halocline.errors import Untrusted
from halocline.fleet import AuditEntry, Certificate, CertificateState, Device
from halocline.hub import clones
from halocline.hub.refusing import Repeats, audited
from halocline.hub.store import Store, Transaction

TOUCH_S: Final = 30.0
"""The time of the last contact is written no more often: a request should not cost a durable write."""

_REFUSALS: Final[dict[Passage, tuple[str, str]]] = {
    Passage.UNKNOWN: (
        "HAL-715",
        "this hub does not know certificate {serial} of {device}. Come home by the joining door or join anew",
    ),
    Passage.EXPIRED: (
        "HAL-715",
        "certificate {serial} of {device} has expired. Come home over the joining door",
    ),
    Passage.SUPERSEDED: (
        "HAL-715",
        "certificate {serial} of {device} was superseded by a newer one. Connect again with that",
    ),
    Passage.CLONE: (
        "HAL-715",
        "a new connection uses certificate {serial} of {device}, which was superseded: find the other copy",
    ),
    Passage.PENDING: ("HAL-716", "{device} waits to be accepted. Try: halocline device accept {device}"),
    Passage.REVOKED: ("HAL-714", "{device} was revoked. To let it in again, join it anew with a new key"),
    Passage.REPLACED: ("HAL-714", "{device} was replaced by another device. To use it again, join it anew"),
}


class Peer(msgspec.Struct, frozen=True):
    """Who is at the other end of a connection, by the certificate that passed the handshake."""

    certificate: Certificate
    """As read off the certificate itself."""
    opened_s: float
    """When the connection was opened, on the hub's clock."""


def admit(store: Store, peer: Peer, now_s: float, *, repeats: Repeats | None = None) -> Device:
    """The device, if its certificate passes now; a first use supersedes its others, in one change.

    Where `repeats` are given, the same refusal is written down once a minute at most.
    Raises Untrusted: HAL-714 (out for good), HAL-715 (come home), HAL-716 (waits to be accepted).
    """
    with store.look() as tx:
        device, passage = _judged(tx, peer, now_s)
    if passage is Passage.PASS and device is not None and not _is_due(device, now_s):
        return device
    refusal = _refusal(passage, peer)
    if refusal is None or repeats is None:
        return _admitted(store, peer, now_s)
    serial = peer.certificate.serial
    if repeats.is_one(serial, passage, now_s=now_s):
        raise refusal
    try:
        return _admitted(store, peer, now_s)
    except Untrusted:
        repeats.remember(serial, passage, now_s=now_s)
        raise


def _judged(tx: Transaction, peer: Peer, now_s: float) -> tuple[Device | None, Passage]:
    shown = peer.certificate
    device = tx.device(shown.device)
    known = tx.certificate(shown.serial)
    return device, may_pass(shown, known, device, opened_s=peer.opened_s, now_s=now_s)


def _is_due(device: Device, now_s: float) -> bool:
    return device.seen_s is None or now_s - device.seen_s >= TOUCH_S


def _admitted(store: Store, peer: Peer, now_s: float) -> Device:
    """Judge again within the change that writes what follows."""
    shown = peer.certificate
    passage = Passage.UNKNOWN
    with store.change() as tx:
        device, passage = _judged(tx, peer, now_s)
        if device is not None and passage is Passage.CLONE:
            clones.note(tx, device, f"superseded certificate {shown.serial} used again", now_s=now_s)
        if device is not None and passage is Passage.FIRST_USE:
            _make_current(tx, shown, now_s)
        if device is not None and passage in (Passage.PASS, Passage.FIRST_USE):
            tx.touch(device.id, seen_s=now_s, boot=device.boot)
            return device
    refusal = _refusal(passage, peer)
    assert refusal is not None  # every other passage has returned
    with audited(
        store, actor=f"device:{shown.device}", action="device.connect", about=shown.device, now_s=now_s
    ):
        raise refusal


def _refusal(passage: Passage, peer: Peer) -> Untrusted | None:
    if passage not in _REFUSALS:
        return None
    code, text = _REFUSALS[passage]
    shown = peer.certificate
    return Untrusted(code, text.format(serial=shown.serial[:16], device=shown.device))


def _make_current(tx: Transaction, shown: Certificate, now_s: float) -> None:
    for one in tx.certificates(shown.device):
        if one.serial == shown.serial:
            tx.put_certificate(msgspec.structs.replace(one, state=CertificateState.CURRENT))
        elif one.state is not CertificateState.SUPERSEDED:
            superseded = msgspec.structs.replace(one, state=CertificateState.SUPERSEDED, superseded_s=now_s)
            tx.put_certificate(superseded)
    tx.append(
        AuditEntry(
            at_s=now_s,
            actor=f"device:{shown.device}",
            action="certificate.use",
            object=shown.device,
            details={"serial": shown.serial},
        )
    )
