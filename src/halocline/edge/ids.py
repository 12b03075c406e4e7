"""Make request ids: UUIDv7 (RFC 9562, section 5.7), for uniqueness only; order is never read from them."""

import os
import time

_VERSION_7 = 0x7 << 76
_VARIANT = 0x2 << 62
_LOW_62_BITS = (1 << 62) - 1


def new_id() -> str:
    """A new UUIDv7 in its text form. Thread-safe; takes about a microsecond."""
    bits = int.from_bytes(os.urandom(10)) >> 6
    value = (
        (time.time_ns() // 1_000_000) << 80 | _VERSION_7 | (bits >> 62) << 64 | _VARIANT | bits & _LOW_62_BITS
    )
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
