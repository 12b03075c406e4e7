"""Seal what waits in a queue, so that a copied disk shows none of it: to the hub's key, or under one's own.

A session has a random AES-256-GCM key that lives in memory alone. It is wrapped once, by HPKE (RFC 9180:
X25519, HKDF-SHA256, AES-256-GCM) to the hub's public key or by AES-256-GCM under a key of one's own, and the
wrapped key lies beside the records. Each body has the number of its seal as nonce, so that none comes twice
under one key, and is bound to the record's id, kind and stream and to its place among the record's chunks.
"""

import itertools
import os
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from halocline.errors import Misconfigured, Untrusted
from halocline.extras import need
from halocline.sync import Record, Waiting

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hpke import Suite

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
OVERHEAD_BYTES: Final = 8 + 16
"""What sealing adds to a body: the number of the seal before it, the tag behind it."""
_NUMBER: Final = struct.Struct(">Q")
_INFO: Final = b"halocline outbox session 1"


def bound(record_id: str, kind: str, stream: str, chunk: int = 0, chunks: int = 1) -> bytes:
    """What a body is bound to besides its key."""
    return f"{record_id}\0{kind}\0{stream}\0{chunk}\0{chunks}".encode()


class Session:
    """A key in memory, and the same key wrapped for whoever may open what it seals. Thread-safe."""

    def __init__(self, wrapped: bytes, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self.wrapped = wrapped
        self._seal = AESGCM(key).encrypt
        self._numbers = itertools.count()
        self.seals = 0
        """About how many bodies it has sealed."""

    def seal(self, bound_to: bytes, clear: bytes) -> bytes:
        """The body, sealed; no two have the same nonce."""
        number = _NUMBER.pack(next(self._numbers))  # one step of the interpreter: no thread gets another's
        self.seals += 1
        return number + self._seal(bytes(NONCE_BYTES - 8) + number, clear, bound_to)


class Sealer:
    """Makes sessions whose keys only one other party can unwrap."""

    def __init__(self, wrap: Callable[[bytes], bytes]) -> None:
        self._wrap = wrap

    @classmethod
    def for_hub(cls, public_key: bytes) -> "Sealer":
        """To a hub's raw X25519 key of 32 bytes: nothing on this device opens it. Raises Misconfigured."""
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

        key = X25519PublicKey.from_public_bytes(_checked(public_key, "the hub's public key"))
        return cls(lambda secret: _suite().encrypt(secret, key, info=_INFO))

    @classmethod
    def under(cls, key: bytes) -> "Sealer":
        """Under a secret key of 32 bytes: whoever has the key opens it. Raises Misconfigured."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        cipher = AESGCM(_checked(key, "the queue's own key"))

        def wrap(secret: bytes) -> bytes:
            nonce = os.urandom(NONCE_BYTES)
            return nonce + cipher.encrypt(nonce, secret, _INFO)

        return cls(wrap)

    def session(self) -> Session:
        """A new session."""
        key = os.urandom(KEY_BYTES)
        return Session(self._wrap(key), key)


class Opener:
    """Opens what was sealed: on the hub by its private key, alone by the queue's own key."""

    _KEPT = 1024
    """So many sessions it remembers; unwrapping one again costs no more than time."""

    def __init__(self, unwrap: Callable[[bytes], bytes]) -> None:
        self._unwrap = unwrap
        self._ciphers: dict[bytes, Callable[[bytes, bytes, bytes], bytes]] = {}

    @classmethod
    def of_hub(cls, private_key: bytes) -> "Opener":
        """By a hub's raw X25519 private key. Raises Misconfigured."""
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        key = X25519PrivateKey.from_private_bytes(_checked(private_key, "the hub's private key"))
        return cls(lambda wrapped: _suite().decrypt(wrapped, key, info=_INFO))

    @classmethod
    def under(cls, key: bytes) -> "Opener":
        """By the queue's own key. Raises Misconfigured."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        cipher = AESGCM(_checked(key, "the queue's own key"))
        return cls(lambda wrapped: cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _INFO))

    def body(self, waiting: Waiting) -> bytes:
        """The body in the clear; all chunks of a record joined are a frame. Raises Untrusted (HAL-815)."""
        if not waiting.session:
            return waiting.body
        record = waiting.record
        bound_to = bound(record.id, record.kind, record.stream, waiting.chunk, waiting.chunks)
        return self.opened(waiting.session, bound_to, waiting.body, record)

    def opened(self, session: bytes, bound_to: bytes, body: bytes, record: Record | None = None) -> bytes:
        """A body in the clear. Raises Untrusted (HAL-815) where it does not belong to key and record."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher(session)(bytes(NONCE_BYTES - 8) + body[:8], body[8:], bound_to)
        except (InvalidTag, ValueError) as error:
            which = f"record {record.id}" if record else "a record"
            raise Untrusted(
                "HAL-815",
                f"{which} does not open: it was sealed to another key, or it was changed on its way. "
                "Was the device given this hub's key?",
            ) from error

    def _cipher(self, session: bytes) -> Callable[[bytes, bytes, bytes], bytes]:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        cipher = self._ciphers.get(session)
        if cipher is None:
            cipher = AESGCM(self._unwrap(session)).decrypt
            if len(self._ciphers) >= self._KEPT:
                self._ciphers.clear()
            self._ciphers[session] = cipher
        return cipher


def new_pair() -> tuple[bytes, bytes]:
    """A hub's private and public key, raw X25519."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    private = X25519PrivateKey.generate()
    return private.private_bytes_raw(), private.public_key().public_bytes_raw()


def _suite() -> "Suite":
    from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def _checked(key: bytes, what: str) -> bytes:
    need("agent", "cryptography", what="a sealed queue")
    if not isinstance(key, bytes) or len(key) != KEY_BYTES:
        got = f"{len(key)} bytes" if isinstance(key, bytes) else type(key).__name__
        raise Misconfigured("HAL-816", f"{what} must be {KEY_BYTES} raw bytes, got {got}")
    return key
