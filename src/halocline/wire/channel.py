"""The messages between a device and the hub, JSON; unknown fields are passed over, sizes are bounded."""

import re
from typing import Final, TypeVar

import msgspec

from halocline.errors import Rejected
from halocline.fleet import Desired, Facts, Reported

MAX_MESSAGE_BYTES: Final = 64 * 1024
"""The largest message of this channel; a certificate request has 500."""

START_HEADER: Final = "halocline-start"
"""With GET /v1/twin: the device's boot counter and its start, as in `7-3f9a1c2e`."""
WAIT: Final = "wait_s"
"""GET /v1/twin?wait_s=30 asks a hub to answer 304 only after so long, and a change at once."""
WAITED_HEADER: Final = "halocline-waited"
"""With an answer to such a request: the hub let it wait. Without it, it has no room: poll it instead."""
WAITED: Final = (WAITED_HEADER.encode(), b"1")
_START: Final = re.compile(r"([0-9]{1,10})-([0-9a-f]{8})")

T = TypeVar("T", bound=msgspec.Struct)


class JoinRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /v1/join on the joining door: a device asks for its first certificate."""

    csr: str
    """A PKCS #10 request, PEM; only its public key and the proof of possession count (RFC 2986)."""
    invite: str = ""
    """The invite's secret, base64url; empty asks to be accepted by someone."""
    facts: Facts = Facts()
    version: int = 1


class JoinReply(msgspec.Struct, frozen=True, kw_only=True):
    """200: the device is in. 202: it waits, and asks again with the same key; `certificate` is empty."""

    device: str
    certificate: str = ""
    """Its certificate and the issuing authority's, PEM."""
    ca: str = ""
    """The roots to trust from now on, PEM, the newest first."""
    channel: str = ""
    """The device door, https://HOST:PORT."""
    code: str = ""
    """What a person compares before accepting."""
    now_s: float = 0.0
    """The hub's time."""
    version: int = 1


class NonceReply(msgspec.Struct, frozen=True, kw_only=True):
    """GET /v1/nonce on the joining door: what to sign to come home; it holds for a minute, once."""

    nonce: str
    now_s: float
    version: int = 1


class RejoinRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /v1/rejoin on the joining door: a known key asks for a new certificate."""

    csr: str
    nonce: str
    signature: str
    """ECDSA P-256 with SHA-256 over `halocline rejoin 1\\n` + nonce + `\\n` + csr, DER, base64url."""
    version: int = 1


class RenewRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /v1/certificate on the device door; answered by a JoinReply."""

    csr: str
    version: int = 1


class TwinReply(msgspec.Struct, frozen=True, kw_only=True):
    """GET /v1/twin on the device door; the ETag is `"GENERATION"`, 304 where it is the same."""

    desired: Desired
    now_s: float
    version: int = 1


class ReportRequest(msgspec.Struct, frozen=True, kw_only=True):
    """PUT /v1/twin/reported on the device door."""

    reported: Reported
    version: int = 1


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer that is no success: `error` is for people, `code` one of the catalogue's."""

    error: str
    code: str = ""


def encode(message: msgspec.Struct) -> bytes:
    """The bytes of a message."""
    return msgspec.json.encode(message)


def decode(data: bytes, kind: type[T], *, max_bytes: int = MAX_MESSAGE_BYTES) -> T:
    """The message in these bytes. Raises Rejected (HAL-701) saying where it is not one."""
    if len(data) > max_bytes:
        raise Rejected("HAL-701", f"a message of {len(data)} bytes; the limit is {max_bytes}")
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Rejected("HAL-701", f"no {kind.__name__}: {str(error)[:200]}") from None


def encode_start(boot: int, start: str) -> str:
    """The header's value."""
    return f"{boot}-{start}"


def decode_start(text: str) -> tuple[int, str]:
    """Boot counter and start. Raises Rejected (HAL-701)."""
    found = _START.fullmatch(text)
    if found is None:
        raise Rejected("HAL-701", f"{START_HEADER} must be BOOT-START, as in 7-3f9a1c2e, got {text[:40]!r}")
    return int(found[1]), found[2]
