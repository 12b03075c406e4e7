"""Sign heads of an audit log with Ed25519, keep them as files, and read them back checked."""

import hashlib
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from halocline.decide.audit_chain import Head
from halocline.errors import Misconfigured, Rejected
from halocline.whole_files import PUBLIC, write_file

_MEANS: Final = b"halocline audit head 1\n"
"""Before what is signed: a signature by this key over anything else is none over a head."""
_LARGEST_BYTES: Final = 65_536


class SignedHead(msgspec.Struct, frozen=True, kw_only=True):
    """A head, and by which key it is signed."""

    version: int = 1
    head: Head
    key: str
    """The public key, in hexadecimal."""
    signature: str
    """Over the head, in hexadecimal."""


class HeadKey:
    """The private key that signs."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def make(cls) -> "HeadKey":
        """A new key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, path: Path) -> "HeadKey":
        """The key in this file. Raises Misconfigured (HAL-708)."""
        try:
            key = load_pem_private_key(path.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise _no_key(path, str(error)) from None
        if not isinstance(key, Ed25519PrivateKey):
            raise _no_key(path, "it is another kind of key")
        return cls(key)

    @property
    def private_pem(self) -> bytes:
        """To be kept where nobody else reads."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def public_pem(self) -> bytes:
        """To be given to whoever checks."""
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, head: Head) -> SignedHead:
        """The head with this key's word for it."""
        public = self._key.public_key().public_bytes_raw()
        return SignedHead(head=head, key=public.hex(), signature=self._key.sign(_told(head)).hex())


class HeadFolder:
    """Where signed heads are put, a file for each; none is ever written over."""

    def __init__(self, path: Path) -> None:
        """Make the folder, and see that it can be written. Raises Misconfigured (HAL-707)."""
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path):
                pass
        except OSError as error:
            raise self._unusable(error) from None

    def newest(self, chain: str) -> SignedHead | None:
        """The head that is furthest on in that chain. Raises Rejected (HAL-759) where it is damaged."""
        named = re.compile(rf"{re.escape(chain)}-[0-9]{{12}}-[0-9a-f]{{12}}\.json")
        files = [file for file in self.path.iterdir() if named.fullmatch(file.name)]
        return _read(max(files)) if files else None

    def put(self, signed: SignedHead) -> Path:
        """Put the head there, durably; the file. Raises Misconfigured (HAL-707)."""
        head = signed.head
        # The digest in the name: where a log was rewritten, the head that tells of it stays beside the new.
        short = head.digest.removeprefix("sha256:")[:12]
        path = self.path / f"{head.chain}-{head.number:012d}-{short}.json"
        data = msgspec.json.format(msgspec.json.encode(signed), indent=1) + b"\n"
        try:
            write_file(path, data, PUBLIC)
        except OSError as error:
            raise self._unusable(error) from None
        return path

    def _unusable(self, error: OSError) -> Misconfigured:
        return Misconfigured(
            "HAL-707",
            f"heads of the audit log cannot be put into {self.path}: {error.strerror or error}. "
            "Give --audit-heads a folder that the hub may write",
        )


def read_heads(places: Iterable[Path]) -> list[SignedHead]:
    """The heads in these files, and in all .json files of these folders. Raises Rejected (HAL-759)."""
    files = [
        file for place in places for file in (sorted(place.glob("*.json")) if place.is_dir() else [place])
    ]
    return [_read(file) for file in files]


def read_public(path: Path) -> str:
    """The public key in this PEM file, in hexadecimal. Raises Misconfigured (HAL-708)."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise _no_key(path, str(error)) from None
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path, "it is another kind of key")
    return key.public_bytes_raw().hex()


def is_signed(signed: SignedHead) -> bool:
    """Whether the signature is by the key that the head names."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signed.key))
        key.verify(bytes.fromhex(signed.signature), _told(signed.head))
    except (ValueError, InvalidSignature):
        return False
    return True


def fingerprint(key: str) -> str:
    """A short name of a public key, for people to compare."""
    return f"sha256:{hashlib.sha256(bytes.fromhex(key)).hexdigest()[:16]}"


def _told(head: Head) -> bytes:
    return _MEANS + msgspec.json.encode(head, order="deterministic")


def _read(file: Path) -> SignedHead:
    try:
        with file.open("rb") as opened:
            return msgspec.json.decode(opened.read(_LARGEST_BYTES), type=SignedHead)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Rejected(
            "HAL-759", f"{file} is no head of an audit log, as the hub writes them: {error}"
        ) from None


def _no_key(path: Path, why: str) -> Misconfigured:
    why = re.sub(r"\s+", " ", why)[:120]
    return Misconfigured("HAL-708", f"{path} was expected to hold an Ed25519 key, PEM, and does not: {why}")
