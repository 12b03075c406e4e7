"""Tell which TLS version a connection speaks, by the server's first bytes on the wire (RFC 8446, 4.1.3)."""

import struct
from typing import Final

_HANDSHAKE: Final = 22
_SERVER_HELLO: Final = 2
_SUPPORTED_VERSIONS: Final = 43
_VERSIONS: Final = {0x0304: "1.3", 0x0303: "1.2", 0x0302: "1.1", 0x0301: "1.0"}


def tls_version(opening: bytes) -> str:
    """`1.3` and the like; `none` for bytes that are no TLS handshake."""
    try:
        return _version(opening)
    except (struct.error, IndexError):
        return "none"


def _version(opening: bytes) -> str:
    if opening[0] != _HANDSHAKE or opening[5] != _SERVER_HELLO:
        return "none"
    # After the record's head (5), the message's (4), the legacy version (2) and the random (32).
    (legacy,) = struct.unpack_from(">H", opening, 9)
    at = 43
    at += 1 + opening[at]  # the session id
    at += 2 + 1  # cipher suite, compression
    found = _extensions(opening, at)
    version = struct.unpack(">H", found[_SUPPORTED_VERSIONS])[0] if _SUPPORTED_VERSIONS in found else legacy
    return _VERSIONS.get(version, f"{version:#06x}")


def _extensions(opening: bytes, at: int) -> dict[int, bytes]:
    if at >= 9 + int.from_bytes(opening[6:9]):
        return {}  # a message of TLS 1.2 may have none
    (left,) = struct.unpack_from(">H", opening, at)
    at, end = at + 2, at + 2 + left
    found = {}
    while at < end:
        kind, length = struct.unpack_from(">HH", opening, at)
        found[kind] = opening[at + 4 : at + 4 + length]
        at += 4 + length
    return found
