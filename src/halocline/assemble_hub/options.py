"""Everything that a hub can be told, and whether it can be meant."""

from typing import Final

import msgspec

from halocline.errors import Misconfigured

_LEAST_HEADS_S: Final = 1.0


class HubOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `halocline hub serve` can be told."""

    state: str
    database: str | None = None
    host: str = "127.0.0.1"
    device_port: int = 8443
    people_port: int = 8444
    join_port: int = 8445
    names: tuple[str, ...] = ()
    """Host names and addresses by which others reach this machine; the first is told to devices."""
    device_url: str | None = None
    """Where devices are told that their door stands, if not at the first name and the port listened on."""
    people_url: str | None = None
    join_url: str | None = None
    cloud_models: tuple[str, ...] = ()
    """`NAME=PATH`, a path, or `NAME=URL` of a model on another server."""
    cloud_deadline_s: float = 10.0
    """So long a model on another server may take to answer."""
    ca_passphrase: str | None = None
    issuer_cert: str | None = None
    """A company's own issuing authority and all above it, PEM, in place of an authority made here."""
    issuer_key: str | None = None
    issuer_passphrase: str | None = None
    """A reference, env:NAME or file:PATH."""
    people_cert: str | None = None
    """What the people's door shows in place of the hub's own certificate."""
    people_key: str | None = None
    alert_webhook: str | None = None
    """Where alerts are sent."""
    alert_secret: str | None = None
    """A reference, env:NAME or file:PATH."""
    require_reason: bool = False
    """Whether people must say why they change something."""
    joins_per_s: float = 20.0
    max_connections: int = 8192
    max_waiting: int = 1000
    """So many devices may wait for a change at once."""
    drain_s: float = 30.0
    audit_heads: str | None = None
    """Where signed heads of the audit log go; a folder in the state folder where none is given."""
    audit_heads_every_s: float = 3600.0
    json: bool = False


def check(options: HubOptions) -> None:
    """Raise Misconfigured for a number out of its range (HAL-101) or half of two options (HAL-102)."""
    for one, other in (("issuer_cert", "issuer_key"), ("people_cert", "people_key")):
        if (getattr(options, one) is None) != (getattr(options, other) is None):
            raise Misconfigured(
                "HAL-102", f"{_flag(one)} and {_flag(other)} are given together: one is missing"
            )
    if options.issuer_cert is None and options.issuer_passphrase is not None:
        raise Misconfigured("HAL-102", "--issuer-passphrase is for --issuer-key, which is not given")
    for name in ("device_port", "people_port", "join_port"):
        port = getattr(options, name)
        if not 0 <= port <= 65_535:
            raise Misconfigured("HAL-101", f"{_flag(name)} must be in [0, 65535], got {port}")
    for name, least in (
        ("joins_per_s", 0.01),
        ("cloud_deadline_s", 0.001),
        ("max_connections", 1),
        ("max_waiting", 0),
        ("drain_s", 0),
        ("audit_heads_every_s", _LEAST_HEADS_S),
    ):
        value = getattr(options, name)
        if not least <= value < float("inf"):
            raise Misconfigured("HAL-101", f"{_flag(name)} must be {least} or more and finite, got {value}")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
