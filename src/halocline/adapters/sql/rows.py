"""Values of the hub as rows of its tables, and back."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import RowMapping

from halocline.fleet import (
    AuditEntry,
    Certificate,
    CertificateState,
    Desired,
    Device,
    DeviceState,
    Facts,
    Invite,
    Link,
    Person,
    Reported,
    Role,
    Settings,
    Token,
    Twin,
)


def device_row(device: Device) -> dict[str, Any]:
    """All of a device but its labels and its twin."""
    return {
        "id": device.id,
        "key": device.key,
        "state": device.state.value,
        "created_s": device.created_s,
        "facts": _text(device.facts),
        "code": device.code,
        "seen_s": device.seen_s,
        "boot": device.boot,
        "cloned_s": device.cloned_s,
        "replaces": device.replaces,
    }


def device_of(row: RowMapping, labels: Mapping[str, str]) -> Device:
    """The device in this row."""
    return Device(
        id=row["id"],
        key=row["key"],
        state=DeviceState(row["state"]),
        created_s=row["created_s"],
        labels=dict(labels),
        facts=msgspec.json.decode(row["facts"], type=Facts),
        code=row["code"],
        seen_s=row["seen_s"],
        boot=row["boot"],
        cloned_s=row["cloned_s"],
        replaces=row["replaces"],
    )


def desired_row(desired: Desired) -> dict[str, Any]:
    """The desired state, beside its device."""
    return {"desired_generation": desired.generation, "desired": _text(desired.settings)}


def reported_row(reported: Reported) -> dict[str, Any]:
    """The reported state, beside its device."""
    return {"reported": _text(reported)}


def twin_of(row: RowMapping) -> Twin:
    """The twin in the row of its device."""
    return Twin(
        desired=Desired(
            generation=row["desired_generation"], settings=msgspec.json.decode(row["desired"], type=Settings)
        ),
        reported=None if row["reported"] is None else msgspec.json.decode(row["reported"], type=Reported),
    )


def certificate_row(certificate: Certificate) -> dict[str, Any]:
    """A certificate but for its place among those of its device."""
    return {
        "serial": certificate.serial,
        "device": certificate.device,
        "not_before_s": certificate.not_before_s,
        "not_after_s": certificate.not_after_s,
        "state": certificate.state.value,
        "superseded_s": certificate.superseded_s,
    }


def certificate_of(row: RowMapping) -> Certificate:
    """The certificate in this row."""
    return Certificate(
        serial=row["serial"],
        device=row["device"],
        not_before_s=row["not_before_s"],
        not_after_s=row["not_after_s"],
        state=CertificateState(row["state"]),
        superseded_s=row["superseded_s"],
    )


def invite_row(invite: Invite) -> dict[str, Any]:
    """An invite."""
    serials = None if invite.serials is None else msgspec.json.encode(sorted(invite.serials)).decode()
    return {
        "digest": invite.digest,
        "created_s": invite.created_s,
        "expires_s": invite.expires_s,
        "uses": invite.uses,
        "used": invite.used,
        "labels": _text(invite.labels),
        "serials": serials,
        "made_by": invite.by,
    }


def invite_of(row: RowMapping) -> Invite:
    """The invite in this row."""
    serials = row["serials"]
    return Invite(
        digest=row["digest"],
        created_s=row["created_s"],
        expires_s=row["expires_s"],
        uses=row["uses"],
        used=row["used"],
        labels=msgspec.json.decode(row["labels"], type=dict[str, str]),
        serials=None if serials is None else msgspec.json.decode(serials, type=frozenset[str]),
        by=row["made_by"],
    )


def person_of(row: RowMapping) -> Person:
    """The person in this row."""
    return Person(name=row["name"], role=Role(row["role"]), site=row["site"])


def token_of(row: RowMapping) -> Token:
    """The token in this row."""
    return Token(
        digest=row["digest"],
        person=row["person"],
        created_s=row["created_s"],
        expires_s=row["expires_s"],
        actions=() if row["actions"] is None else msgspec.json.decode(row["actions"], type=tuple[str, ...]),
        labels={} if row["labels"] is None else msgspec.json.decode(row["labels"], type=dict[str, str]),
    )


def token_row(token: Token) -> dict[str, Any]:
    """A token."""
    return {
        "digest": token.digest,
        "person": token.person,
        "created_s": token.created_s,
        "expires_s": token.expires_s,
        "actions": _text(token.actions) if token.actions else None,
        "labels": _text(token.labels) if token.labels else None,
    }


def link_row(link: Link) -> dict[str, Any]:
    """An audit entry in its place."""
    return {
        "chain": link.chain,
        "number": link.number,
        "entry": _text(link.entry),
        "previous": link.previous,
        "digest": link.digest,
    }


def link_of(row: RowMapping) -> Link:
    """The audit entry in this row."""
    return Link(
        chain=row["chain"],
        number=row["number"],
        entry=msgspec.json.decode(row["entry"], type=AuditEntry),
        previous=row["previous"],
        digest=row["digest"],
    )


def _text(value: Any) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()
