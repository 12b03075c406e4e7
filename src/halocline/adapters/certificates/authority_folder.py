"""Keep an authority in a folder: made whole or not at all, its keys encrypted, read back checked."""

import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from halocline.errors import Misconfigured
from halocline.whole_files import sync, write_file, write_folder

SigningKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

PASSPHRASE_FILE: Final = "passphrase"  # noqa: S105  # a name
BETWEEN, OLD_ROOTS = "between.pem", "old-roots.pem"
_SHORTEST: Final = 16
"""OpenSSL hashes the passphrase of a PKCS #8 key 2048 times only: the passphrase itself must be strong."""


class Held(NamedTuple):
    """What the folder holds."""

    root: x509.Certificate
    root_key: SigningKey | None
    """None where its owner keeps the file root.key somewhere safer: it is needed once in some years."""
    issuing: x509.Certificate
    issuing_key: SigningKey
    between: tuple[x509.Certificate, ...] = ()
    """What leads from the issuing authority to a root, beside the root itself: a company's own authorities,
    or the new root signed by the one before it."""
    old_roots: tuple[x509.Certificate, ...] = ()
    """Roots that were replaced and are trusted still, the newest first."""


def open_or_make(folder: Path, make: Callable[[], Held], passphrase: str | None) -> Held:
    """What the folder holds; where it is not there it is made, and filled by `make`.

    Two processes that make it at once get the same one. `passphrase` is a reference, or None for a random
    one beside the keys. Raises Misconfigured: HAL-105 (the reference), HAL-718.
    """
    try:
        if not folder.exists() and not _settled(folder):
            _make(folder, make(), passphrase)
        return _read(folder, passphrase)
    except OSError as error:
        raise Misconfigured(
            "HAL-718", f"{folder}: the authority cannot be kept or read there ({error}). See its permissions"
        ) from None


def replace(folder: Path, held: Held, passphrase: str | None) -> None:
    """Put another authority in the place of the one in the folder: after a crash it is either, whole.

    One process at a time may do so. Raises Misconfigured (HAL-718), and the one before stands.
    """
    following, before = _beside(folder)
    try:
        for rest in (following, before):
            shutil.rmtree(rest, ignore_errors=True)
        word, beside = _word(folder, passphrase)
        write_folder(following, {**beside, **_files(held, word)})
        folder.rename(before)
        following.rename(folder)
        sync(folder.parent)
        shutil.rmtree(before, ignore_errors=True)
    except OSError as error:
        raise Misconfigured(
            "HAL-718", f"{folder}: the authority cannot be replaced there ({error})"
        ) from None


def _beside(folder: Path) -> tuple[Path, Path]:
    return folder.with_name(f"{folder.name}-next"), folder.with_name(f"{folder.name}-before")


def _settled(folder: Path) -> bool:
    """Finish a replacement that was cut off between its two renames; whether there was one."""
    following, before = _beside(folder)
    if not following.exists() or not before.exists():
        return False
    following.rename(folder)
    sync(folder.parent)
    shutil.rmtree(before, ignore_errors=True)
    return True


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
    try:
        write_folder(folder, {**files, **_files(held, word)})
    except OSError:
        if not (folder / "issuing.key").exists():  # otherwise another process was faster: its one stands
            raise


def _files(held: Held, word: bytes) -> dict[str, bytes]:
    files = {"root.pem": _pem(held.root), "issuing.pem": _pem(held.issuing)}
    for name, key in (("root", held.root_key), ("issuing", held.issuing_key)):
        if key is not None:
            files[f"{name}.key"] = key.private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(word)
            )
    for name, several in ((BETWEEN, held.between), (OLD_ROOTS, held.old_roots)):
        if several:
            files[name] = _pem(*several)
    return files


def _pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


def _read(folder: Path, passphrase: str | None) -> Held:
    word, _ = _word(folder, passphrase)
    (root,), (issuing,) = _certificates(folder, "root.pem"), _certificates(folder, "issuing.pem")
    root_key = _key(folder, "root", word, root) if (folder / "root.key").exists() else None
    issuing_key = _key(folder, "issuing", word, issuing)
    try:
        issuing.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        raise Misconfigured(
            "HAL-718", f"{folder}: issuing.pem is not signed by root.pem. Restore the folder from a backup"
        ) from None
    between, old_roots = (
        _certificates(folder, name) if (folder / name).exists() else () for name in (BETWEEN, OLD_ROOTS)
    )
    return Held(root, root_key, issuing, issuing_key, between, old_roots)


def _word(folder: Path, passphrase: str | None) -> tuple[bytes, dict[str, bytes]]:
    """What the keys are encrypted with, and the file that holds it, where one does."""
    if passphrase is not None:
        return secret_of(passphrase), {}
    kept = folder / PASSPHRASE_FILE
    if not kept.exists():
        raise Misconfigured(
            "HAL-718", f"{folder}: the keys are under a passphrase. Give it: --ca-passphrase file:PATH"
        )
    data = kept.read_bytes()
    return data.strip(), {PASSPHRASE_FILE: data}


def _certificates(folder: Path, name: str) -> tuple[x509.Certificate, ...]:
    """All in a file, at least one."""
    pem = (folder / name).read_bytes()
    try:
        return tuple(x509.load_pem_x509_certificates(pem))
    except (ValueError, x509.InvalidVersion) as error:
        raise Misconfigured("HAL-718", f"{folder}/{name} is no certificate ({error})") from None


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
    """What the reference --ca-passphrase leads to. Raises Misconfigured (HAL-105), also for a short one."""
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
