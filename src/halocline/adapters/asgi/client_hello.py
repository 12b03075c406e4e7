"""Read the name that a TLS client asks for off the first bytes that it sends (RFC 8446, RFC 6066)."""

from typing import Final

MAX_HELLO_BYTES: Final = 16_384
"""One with post-quantum key shares has about 2 KB."""
_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_SERVER_NAME: Final = 0
_HOST_NAME: Final = 0
_RECORD_HEAD: Final = 5
_FIXED: Final = 2 + 32
"""Version and random bytes."""


def server_name(data: bytes) -> str | None:
    """The name, in small letters; empty where none is asked for, None where the hello is not all here yet.

    Raises ValueError for what is no hello of TLS, or a larger one than any client sends.
    """
    hello = _hello(data)
    if hello is None:
        return None
    rest = _Reader(hello)
    rest.take(_FIXED)
    rest.vector(1)  # session
    rest.vector(2)  # ciphers
    rest.vector(1)  # compression
    if not rest:
        return ""
    extensions = _Reader(rest.vector(2))
    while extensions:
        kind = extensions.number(2)
        content = extensions.vector(2)
        if kind == _SERVER_NAME:
            return _host_name(_Reader(content))
    return ""


def _hello(data: bytes) -> bytes | None:
    """The hello itself, out of the records that carry it."""
    message = bytearray()
    at = 0
    while True:
        if data[at : at + 1] and data[at] != _HANDSHAKE:
            raise ValueError("no TLS handshake")
        if len(data) < at + _RECORD_HEAD:
            return None
        length = int.from_bytes(data[at + 3 : at + 5], "big")
        if not length:
            raise ValueError("an empty record")
        message += data[at + _RECORD_HEAD : at + _RECORD_HEAD + length]
        if message and message[0] != _CLIENT_HELLO:
            raise ValueError("no hello of a client")
        if len(message) >= 4:
            whole = 4 + int.from_bytes(message[1:4], "big")
            if whole > MAX_HELLO_BYTES:
                raise ValueError(f"a hello of {whole} bytes")
            if len(message) >= whole:
                return bytes(message[4:whole])
        at += _RECORD_HEAD + length
        if len(data) < at:
            return None


def _host_name(names: "_Reader") -> str:
    listed = _Reader(names.vector(2))
    while listed:
        kind, name = listed.number(1), listed.vector(2)
        if kind == _HOST_NAME:
            return name.decode("ascii").lower()
    return ""


class _Reader:
    """Bytes, taken from the front; taking more than there are raises ValueError."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __bool__(self) -> bool:
        return bool(self._data)

    def take(self, count: int) -> bytes:
        taken, self._data = self._data[:count], self._data[count:]
        if len(taken) < count:
            raise ValueError("a hello that ends too early")
        return taken

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def vector(self, head: int) -> bytes:
        return self.take(self.number(head))
