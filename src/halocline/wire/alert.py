"""The message that a hub posts when an alert opens or closes, and how it is signed.

`Halocline-Timestamp` holds seconds since 1970, `Halocline-Signature` holds `v1=` and, in hexadecimal, the
HMAC-SHA256 of timestamp, a dot, and the body as it came, keyed by the secret. A receiver computes it anew,
compares in constant time, and refuses timestamps that are more than five minutes off. A message may come
twice: `Halocline-Delivery` is the same then.
"""

import hmac
from hashlib import sha256
from typing import Final, Literal

import msgspec

from halocline.decide.alerts import Alert

TIMESTAMP: Final = "Halocline-Timestamp"
SIGNATURE: Final = "Halocline-Signature"
DELIVERY: Final = "Halocline-Delivery"


class AlertMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The body, JSON."""

    event: Literal["opened", "closed"]
    at_s: float
    """When the hub noticed, seconds since 1970."""
    hub: str
    """The people's door of the hub, where `alert list` has what is open now."""
    alert: Alert
    version: int = 1


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """What `Halocline-Signature` holds."""
    return f"v1={hmac.new(secret, timestamp.encode() + b'.' + body, sha256).hexdigest()}"
