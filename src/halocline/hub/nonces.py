"""Decide whether a nonce is one of ours and fresh, without keeping it; each has its serial number."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from halocline.errors import Untrusted

NONCE_S: Final = 60.0
_TIME_BYTES: Final = 8
_CHANCE_BYTES: Final = 16
_SERIAL_BYTES: Final = 16


def make(key: bytes, *, chance: bytes, now_s: float) -> str:
    """A nonce that holds for a minute at every process with the same key; `chance` is 16 random bytes."""
    body = int(now_s * 1000).to_bytes(_TIME_BYTES, "big") + chance[:_CHANCE_BYTES]
    return urlsafe_b64encode(body + _tag(key, body)).decode()


def check(key: bytes, nonce: str, *, now_s: float) -> int:
    """The serial number of the certificate that this nonce may bring, always the same one.

    A certificate with that number exists from the nonce's use on: that is how it is used once, at all
    processes and over restarts. Raises Untrusted (HAL-717).
    """
    try:
        data = urlsafe_b64decode(nonce)
    except ValueError:
        data = b""
    body, tag = data[: _TIME_BYTES + _CHANCE_BYTES], data[_TIME_BYTES + _CHANCE_BYTES :]
    if not hmac.compare_digest(tag, _tag(key, body)):
        raise Untrusted("HAL-717", "the nonce is none of this hub's. Ask for one: GET /v1/nonce")
    age_s = now_s - int.from_bytes(body[:_TIME_BYTES], "big") / 1000
    if not -NONCE_S < age_s <= NONCE_S:
        raise Untrusted(
            "HAL-717", f"the nonce is {age_s:.0f} s old; it holds for {NONCE_S:.0f} s. Ask for a new one"
        )
    digest = bytearray(hmac.digest(key, b"serial" + data, "sha256")[:_SERIAL_BYTES])
    digest[0] = digest[0] & 0x7F | 0x40  # positive, and never of fewer bytes (RFC 5280, section 4.1.2.2)
    return int.from_bytes(digest, "big")


def _tag(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, b"nonce" + body, hashlib.sha256)
