"""Let devices in: by an invite or by someone's word; renew their certificates; let them come home."""

import hashlib
from base64 import b32encode, urlsafe_b64decode
from typing import Final

import msgspec

from halocline.decide.admission import Homecoming, InviteVerdict, may_come_home, may_use
from halocline.errors import Rejected, Untrusted
from halocline.fleet import (
    AuditEntry,
    Certificate,
    CertificateState,
    Device,
    DeviceState,
    Facts,
    Invite,
)
from halocline.hub import nonces
from halocline.hub.admitting import Peer, admit
from halocline.hub.authority import Authority, Proven
from halocline.hub.naming import check_labels
from halocline.hub.refusing import Repeats, audited
from halocline.hub.standing import accept, replace, revoke
from halocline.hub.store import Store, Transaction

__all__ = [
    "CHANCE_BYTES",
    "SECRET_BYTES",
    "JoinRules",
    "Joined",
    "Peer",
    "Repeats",
    "accept",
    "admit",
    "invite",
    "join",
    "nonce",
    "rejoin",
    "renew",
    "replace",
    "revoke",
]

SECRET_BYTES: Final = 16
"""An invite's secret."""
CHANCE_BYTES: Final = 16
"""What a call that may make an id, a code or a nonce needs: fresh random bytes."""
MAX_TTL_S: Final = 366 * 86_400.0
MAX_USES: Final = 100_000
REMEMBERED_S: Final = 7 * 86_400.0
"""So long after their end superseded certificates are still known by their state."""
_FACT_CHARS: Final = 128
_ID_BYTES: Final = 10


class JoinRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner of the hub decides about joining."""

    certificate_s: float = 86_400.0
    """So long a certificate is valid; devices renew from half of it on."""
    grace_s: float = 30 * 86_400.0
    """So long after its certificate's end a device comes home without anyone's word."""


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """A device, and its certificate with the issuing authority's (PEM), empty where it waits."""

    device: Device
    certificate: str = ""


def invite(
    store: Store,
    *,
    secret: bytes,
    by: str,
    now_s: float,
    ttl_s: float = 3600.0,
    uses: int = 1,
    labels: dict[str, str] | None = None,
    serials: list[str] | None = None,
    reason: str = "",
) -> Invite:
    """Keep an invite for whoever holds `secret` (fresh random bytes); `by` is a person's name.

    With `serials`, each of them joins once. Raises Rejected (HAL-101, HAL-102).
    """
    actor = f"person:{by}"
    with audited(store, actor=actor, action="invite.create", now_s=now_s):
        listed = None if serials is None else _listed(serials)
        made = Invite(
            digest=digest_of(secret),
            created_s=now_s,
            expires_s=now_s
            + _within("an invite holds for 1 s to 366 d (--ttl)", ttl_s, 1.0, MAX_TTL_S, " s"),
            uses=int(
                _within(
                    f"an invite has 1 to {MAX_USES} uses (--uses)",
                    uses if listed is None else len(listed),
                    1,
                    MAX_USES,
                )
            ),
            labels=labels or {},
            serials=listed,
            by=by,
        )
        check_labels(made.labels)
        details: dict[str, object] = {"expires_s": made.expires_s, "uses": made.uses, "labels": made.labels}
        with store.change() as tx:
            tx.put_invite(made)
            tx.append(
                AuditEntry(
                    at_s=now_s,
                    actor=actor,
                    action="invite.create",
                    object=made.digest,
                    reason=reason,
                    details=details,
                )
            )
    return made


def join(
    store: Store,
    authority: Authority,
    *,
    csr: str,
    invite: str = "",
    facts: Facts = Facts(),  # noqa: B008  # frozen
    address: str = "",
    chance: bytes,
    now_s: float,
    rules: JoinRules = JoinRules(),  # noqa: B008  # frozen
) -> Joined:
    """Let a new device in, or put it on the list of those that wait; the same key is the same device.

    `invite` is the secret as a JoinRequest carries it. Where the answer may have been lost, asking again
    brings another certificate and uses the invite no further. Raises Rejected (HAL-712) and Untrusted:
    HAL-713 (the invite), HAL-714 (the device is out), HAL-715 (it joined already).
    """
    with audited(store, actor=f"stranger:{address}", action="device.join", now_s=now_s):
        proven = authority.read_request(csr)
        desk = _Desk(authority, proven, _bounded(facts), chance, now_s, rules)
        with store.change() as tx:
            known = tx.device_by_key(proven.key)
            if known is None:
                return desk.take_in(tx, invite)
            return desk.take_again(tx, known, invite)


def renew(
    store: Store,
    authority: Authority,
    *,
    device_id: str,
    csr: str,
    now_s: float,
    rules: JoinRules = JoinRules(),  # noqa: B008  # frozen
) -> Joined:
    """A new certificate for an admitted device; the old one holds until the new one's first use.

    Raises Rejected (HAL-712), also where the request is for another key, and Untrusted (HAL-714, HAL-716).
    """
    actor = f"device:{device_id}"
    with audited(store, actor=actor, action="device.renew", about=device_id, now_s=now_s):
        proven = authority.read_request(csr)
        with store.change() as tx:
            device = tx.device(device_id)
            if device is None or device.key != proven.key:
                raise Rejected("HAL-712", f"the request is for another key than that of {device_id}")
            _refuse_out(device)
            if device.state is DeviceState.PENDING:
                raise Untrusted("HAL-716", f"{device_id} waits to be accepted")
            desk = _Desk(authority, proven, device.facts, b"", now_s, rules)
            return desk.issue(tx, device, actor, "device.renew")


def nonce(authority: Authority, *, chance: bytes, now_s: float) -> str:
    """What a device signs to come home; it holds for a minute."""
    return nonces.make(authority.nonce_key, chance=chance, now_s=now_s)


def rejoin(
    store: Store,
    authority: Authority,
    *,
    csr: str,
    nonce: str,
    signature: str,
    address: str = "",
    chance: bytes,
    now_s: float,
    rules: JoinRules = JoinRules(),  # noqa: B008  # frozen
) -> Joined:
    """Give a known key a new certificate, at once within the grace time, beyond it once it is accepted.

    Raises Rejected (HAL-712) and Untrusted: HAL-714 (the device is out), HAL-715 (the key is unknown),
    HAL-717 (nonce or signature).
    """
    with audited(store, actor=f"stranger:{address}", action="device.rejoin", now_s=now_s):
        proven = authority.read_request(csr)
        serial = nonces.check(authority.nonce_key, nonce, now_s=now_s)
        message = f"halocline rejoin 1\n{nonce}\n{csr}".encode()
        if not authority.has_signed(proven.public_key, _unbase64(signature), message):
            raise Untrusted("HAL-717", "the signature is not by the key of the request over this nonce")
        with store.change() as tx:
            if tx.certificate(_hexadecimal(serial)) is not None:
                raise Untrusted("HAL-717", "the nonce was used already. Ask for a new one")
            device = tx.device_by_key(proven.key)
            if device is None:
                raise Untrusted(
                    "HAL-715", "this hub knows no device with that key. Join it: halocline agent join INVITE"
                )
            desk = _Desk(authority, proven, device.facts, chance, now_s, rules)
            return desk.take_home(tx, device, "device.rejoin", serial)


def digest_of(secret: bytes) -> str:
    """What the hub keeps of a secret."""
    return f"sha256:{hashlib.sha256(secret).hexdigest()}"


class _Desk(msgspec.Struct, frozen=True):
    """One request for a certificate, and all that deciding on it takes."""

    authority: Authority
    proven: Proven
    facts: Facts
    chance: bytes
    now_s: float
    rules: JoinRules

    def take_in(self, tx: Transaction, secret: str) -> Joined:
        """A key that nobody knows."""
        device = Device(
            id=f"dev-{_letters(self.chance[:_ID_BYTES])}",
            key=self.proven.key,
            state=DeviceState.PENDING,
            created_s=self.now_s,
            facts=self.facts,
            code=self._code(),
        )
        if not secret:
            tx.put_device(device)
            _write(tx, self.now_s, f"device:{device.id}", "device.ask", device.id, key=device.key)
            return Joined(device=device)
        return self._enrol(tx, device, self._use(tx, secret))

    def take_again(self, tx: Transaction, device: Device, secret: str) -> Joined:
        """A key that is known, on the door for those who are not."""
        _refuse_out(device)
        if device.state is DeviceState.PENDING:
            return self._enrol(tx, device, self._use(tx, secret)) if secret else Joined(device=device)
        certificates = tx.certificates(device.id)
        if all(one.state is CertificateState.ISSUED for one in certificates):
            return self.take_home(tx, device, "device.join")
        if not secret:
            raise Untrusted(
                "HAL-715",
                f"this key joined already, as {device.id}. It comes home with its key, or an invite",
            )
        return self._enrol(tx, device, self._use(tx, secret))

    def take_home(self, tx: Transaction, device: Device, action: str, serial: int | None = None) -> Joined:
        """A known key that shows it is there."""
        certificates = tx.certificates(device.id)
        match may_come_home(device, certificates, now_s=self.now_s, grace_s=self.rules.grace_s):
            case Homecoming.NOW:
                return self.issue(tx, device, f"device:{device.id}", action, serial)
            case Homecoming.WAIT:
                return self._make_wait(tx, device, certificates)
            case Homecoming.PENDING:
                return Joined(device=device)
            case Homecoming.NEVER:
                _refuse_out(device)
        raise AssertionError("every homecoming is dealt with above")

    def issue(
        self, tx: Transaction, device: Device, actor: str, action: str, serial: int | None = None
    ) -> Joined:
        """Sign, keep and tell; what ended long ago is forgotten: a device has 700 certificates a year."""
        pem, certificate = self.authority.issue_device(
            self.proven.public_key,
            device.id,
            now_s=self.now_s,
            valid_s=self.rules.certificate_s,
            serial=serial,
        )
        tx.put_certificate(certificate)
        tx.forget_certificates(device.id, ended_before_s=self.now_s - REMEMBERED_S)
        _write(tx, self.now_s, actor, action, device.id, serial=certificate.serial, key=device.key)
        return Joined(device=device, certificate=pem)

    def _enrol(self, tx: Transaction, device: Device, used: Invite) -> Joined:
        enrolled = msgspec.structs.replace(
            device,
            state=DeviceState.ENROLLED,
            labels={**device.labels, **used.labels},
            facts=self.facts,
            code="",
        )
        tx.put_device(enrolled)
        return self.issue(tx, enrolled, f"device:{device.id}", "device.join")

    def _use(self, tx: Transaction, secret: str) -> Invite:
        """Count the invite down by this device."""
        digest = digest_of(_unbase64(secret))
        found = tx.invite(digest)
        serial = self.facts.serial
        verdict = may_use(found, serial, now_s=self.now_s)
        if found is None or verdict is not InviteVerdict.GOOD:
            raise Untrusted("HAL-713", _NO_INVITE[verdict].format(serial=serial or "no serial"))
        left = None if found.serials is None else found.serials - {serial}
        used = msgspec.structs.replace(found, used=found.used + 1, serials=left)
        tx.put_invite(used)
        _write(tx, self.now_s, "hub", "invite.use", digest, used=used.used, uses=used.uses)
        return used

    def _make_wait(self, tx: Transaction, device: Device, certificates: list[Certificate]) -> Joined:
        """Back onto the list; that its certificates count no more is how its acceptance will be told."""
        waiting = msgspec.structs.replace(device, state=DeviceState.PENDING, code=self._code())
        tx.put_device(waiting)
        for one in certificates:
            if one.state is not CertificateState.SUPERSEDED:
                ended = msgspec.structs.replace(
                    one, state=CertificateState.SUPERSEDED, superseded_s=self.now_s
                )
                tx.put_certificate(ended)
        _write(tx, self.now_s, f"device:{device.id}", "device.ask", device.id, key=device.key)
        return Joined(device=waiting)

    def _code(self) -> str:
        """Of chance, not of the key: a key that fits a code could be searched for."""
        letters = _letters(self.chance[_ID_BYTES : _ID_BYTES + 5]).upper()
        return f"{letters[:4]}-{letters[4:]}"


_NO_INVITE: Final = {
    InviteVerdict.UNKNOWN: "this hub has no such invite. Is it for another hub? Ask for a new one: "
    "halocline device invite",
    InviteVerdict.EXPIRED: "the invite has expired. Ask for a new one: halocline device invite",
    InviteVerdict.USED_UP: "the invite is used up. Ask for a new one, or for more uses: "
    "halocline device invite --uses N",
    InviteVerdict.SERIAL: "the invite is for listed serials, and {serial} is not, or no more, among them. "
    "Give the device's own: halocline agent join --serial S",
}


def _refuse_out(device: Device) -> None:
    if device.state in (DeviceState.REVOKED, DeviceState.REPLACED):
        raise Untrusted(
            "HAL-714", f"{device.id} was {device.state}: its key never comes in again. Join it with a new key"
        )


def _listed(serials: list[str]) -> frozenset[str]:
    for serial in serials:
        if not serial or len(serial) > _FACT_CHARS or not serial.isprintable():
            raise Rejected(
                "HAL-102", f"a serial has 1 to {_FACT_CHARS} printable characters, got {serial[:80]!r}"
            )
    return frozenset(serials)


def _within(rule: str, value: float, least: float, most: float, unit: str = "") -> float:
    if not least <= value <= most:
        raise Rejected("HAL-101", f"{rule}, got {value:g}{unit}")
    return value


def _bounded(facts: Facts) -> Facts:
    def clean(text: str) -> str:
        return "".join(char for char in text[:_FACT_CHARS] if char.isprintable())

    return Facts(serial=clean(facts.serial), machine=clean(facts.machine), agent=clean(facts.agent))


def _unbase64(text: str) -> bytes:
    """The bytes, or none where it is not base64url; padding may be left out."""
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""


def _letters(data: bytes) -> str:
    return b32encode(data).decode().lower()


def _hexadecimal(serial: int) -> str:
    return f"{serial:x}"


def _write(tx: Transaction, now_s: float, actor: str, action: str, about: str, **details: object) -> None:
    tx.append(AuditEntry(at_s=now_s, actor=actor, action=action, object=about, details=dict(details)))
