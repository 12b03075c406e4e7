"""Keep an authority in a folder: made whole or not at all, its keys encrypted, read back checked."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from halocline.errors import Misconfigured
from halocline.whole_files import write_file, write_folder

PASSPHRASE_FILE: Final = "passphrase"  # noqa: S105  # a name
_SHORTEST: Final = 16
"""OpenSSL hashes the passphrase of a PKCS #8 key 2048 times only: the passphrase itself must be strong."""


class Held(NamedTuple):
    """What the folder holds."""

    root: x509.Certificate
    root_key: ec.EllipticCurvePrivateKey | None
    """None where its owner keeps the file root.key somewhere safer: it is needed once in some years."""
    issuing: x509.Certificate
    issuing_key: ec.EllipticCurvePrivateKey


def open_or_make(folder: Path, make: Callable[[], Held], passphrase: str | None) -> Held:
    """What the folder holds; where it is not there it is made, and filled by `make`.

    Two processes that make it at once get the same one. `passphrase` is a reference, or None for a random
    one beside the keys. Raises Misconfigured: HAL-105 (the reference), HAL-718.
    """
    try:
        if not folder.exists():
            _make(folder, make(), passphrase)
        return _read(folder, passphrase)
    except OSError as error:
        raise Misconfigured(
            "HAL-718", f"{folder}: the authority cannot be kept or read there ({error}). See its permissions"
        ) from None


def put_issuing(folder: Path, issuing: x509.Certificate) -> None:
    """Put a renewed certificate of the issuing authority in the place of the one before, at once.

    Raises Misconfigured (HAL-718).
    """
    try:
        write_file(folder / "issuing.pem", issuing.public_bytes(Encoding.PEM))
    except OSError as error:
        raise Misconfigured(
            "HAL-718", f"{folder}: the issuing authority must be renewed, and cannot be written ({error})"
        ) from None


def _make(folder: Path, held: Held, passphrase: str | None) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    word = secrets.token_urlsafe(32).encode() if passphrase is None else secret_of(passphrase)
    files = {PASSPHRASE_FILE: word + b"\n"} if passphrase is None else {}
    for name, certificate, key in (
        ("root", held.root, held.root_key),
        ("issuing", held.issuing, held.issuing_key),
    ):
        assert key is not None  # what is made is made with both keys
        files[f"{name}.pem"] = certificate.public_bytes(Encoding.PEM)
        files[f"{name}.key"] = key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(word)
        )
    try:
        write_folder(folder, files)
    except OSError:
        if not (folder / "issuing.key").exists():  # otherwise another process was faster: its one stands
            raise


def _read(folder: Path, passphrase: str | None) -> Held:
    kept = folder / PASSPHRASE_FILE
    if passphrase is not None:
        word = secret_of(passphrase)
    elif kept.exists():
        word = kept.read_bytes().strip()
    else:
        raise Misconfigured(
            "HAL-718", f"{folder}: the keys are under a passphrase. Give it: --ca-passphrase file:PATH"
        )
    root, issuing = _certificate(folder, "root"), _certificate(folder, "issuing")
    root_key = _key(folder, "root", word, root) if (folder / "root.key").exists() else None
    issuing_key = _key(folder, "issuing", word, issuing)
    try:
        issuing.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        raise Misconfigured(
            "HAL-718", f"{folder}: issuing.pem is not signed by root.pem. Restore the folder from a backup"
        ) from None
    return Held(root, root_key, issuing, issuing_key)


def _certificate(folder: Path, name: str) -> x509.Certificate:
    pem = (folder / f"{name}.pem").read_bytes()
    try:
        return x509.load_pem_x509_certificate(pem)
    except (ValueError, x509.InvalidVersion) as error:
        raise Misconfigured("HAL-718", f"{folder}/{name}.pem is no certificate ({error})") from None


def _key(folder: Path, name: str, word: bytes, certificate: x509.Certificate) -> ec.EllipticCurvePrivateKey:
    pem = (folder / f"{name}.key").read_bytes()
    try:
        key = load_pem_private_key(pem, word)
    except (ValueError, TypeError):
        raise Misconfigured(
            "HAL-718", f"{folder}/{name}.key: the passphrase does not open it, or the file is damaged"
        ) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise Misconfigured(
            "HAL-718", f"{folder}: {name}.key does not belong to {name}.pem. Restore the folder from a backup"
        )
    return key


def secret_of(reference: str) -> bytes:
    """What a reference leads to. Raises Misconfigured (HAL-105), also where it is too short to be safe."""
    kind, _, place = reference.partition(":")
    if kind == "env" and place:
        value = os.environ.get(place, "")
    elif kind == "file" and place:
        try:
            value = Path(place).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Misconfigured("HAL-105", f"--ca-passphrase: {place} cannot be read ({error})") from None
    else:
        raise Misconfigured(
            "HAL-105", "--ca-passphrase is given by reference, env:NAME or file:PATH, never as itself"
        )
    value = value.strip()
    if len(value) < _SHORTEST:
        raise Misconfigured(
            "HAL-105",
            f"--ca-passphrase: {place} holds {len(value)} characters; at least {_SHORTEST} are needed. "
            "Try: openssl rand -base64 24",
        )
    return value.encode()
