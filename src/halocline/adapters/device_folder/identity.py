"""Who a device is to its hub: its key, its certificate, whom it trusts and where they are."""

import ssl
from pathlib import Path
from typing import Final

import msgspec

from halocline.adapters.device_folder.files import failing
from halocline.errors import Misconfigured, Untrusted
from halocline.whole_files import write_file, write_folder

IDENTITY: Final = "identity"
KEY, CHAIN, CA, PLACES = "key.pem", "certificate.pem", "ca.pem", "hub.json"


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Where the hub's doors are, and what this device is called there."""

    device: str
    channel: str
    """The device door, https://HOST:PORT."""
    join: str
    """The joining door, where a device whose certificate has ended comes home."""
    fingerprint: str
    """`sha256:…` of the root authority's certificate, as the invite said."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """A device's identity, in files."""

    places: Places
    ca: bytes
    chain: Path
    key: Path
    serial: str
    """The certificate's, hexadecimal."""
    not_before_s: float
    not_after_s: float


def read_identity(state: Path) -> Identity | None:
    """The identity in a state folder; None before the device has joined.

    Raises Misconfigured (HAL-725) where it is there and cannot be used.
    """
    folder = state / IDENTITY
    if not folder.is_dir():
        return None
    from halocline.adapters.certificates.facts import read_certificate

    with failing(state):
        chain, ca = (folder / CHAIN).read_bytes(), (folder / CA).read_bytes()
        stated = (folder / PLACES).read_bytes()
    try:
        places = msgspec.json.decode(stated, type=Places)
        certificate = read_certificate(chain)
    except (msgspec.DecodeError, UnicodeDecodeError, Untrusted) as error:
        raise Misconfigured(
            "HAL-725", f"the identity in {folder} is damaged ({error}). Move it away and join anew"
        ) from None
    return Identity(
        places=places,
        ca=ca,
        chain=folder / CHAIN,
        key=folder / KEY,
        serial=certificate.serial,
        not_before_s=certificate.not_before_s,
        not_after_s=certificate.not_after_s,
    )


def write_identity(state: Path, *, key: bytes, chain: str, ca: bytes, places: Places) -> None:
    """Make the device's identity: it is there whole, or as before. Raises as `replace_certificate` does."""
    check_certificate(chain, key, places.device)
    files = {KEY: key, CHAIN: chain.encode(), CA: ca, PLACES: msgspec.json.encode(places)}
    with failing(state):
        write_folder(state / IDENTITY, files)


def replace_certificate(state: Path, chain: str, roots: str) -> None:
    """Put a new certificate of the same key in the place of the old one, and trust these roots, where given.

    Raises Untrusted (HAL-715) for one that is not of this key and this device, HAL-725 for the folder.
    """
    identity = read_identity(state)
    assert identity is not None
    with failing(state):
        check_certificate(chain, identity.key.read_bytes(), identity.places.device)
        if roots and roots.encode() != identity.ca:
            check_roots(roots)
            write_file(state / IDENTITY / CA, roots.encode())  # first: they lead to the old certificate too
        write_file(identity.chain, chain.encode())


def check_roots(roots: str) -> None:
    """Whether the hub's answer names authorities. Raises Untrusted (HAL-715)."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=roots)
    except (ssl.SSLError, ValueError):
        raise Untrusted("HAL-715", "the hub sent roots to trust that are no PEM certificates") from None


def check_certificate(chain: str, key: bytes, device: str) -> None:
    """Whether the hub's answer is a certificate of this key and device. Raises Untrusted (HAL-715)."""
    import tempfile

    from halocline.adapters.certificates.facts import read_certificate

    found = read_certificate(chain.encode())
    if found.device != device:
        raise Untrusted("HAL-715", f"the hub sent a certificate of {found.device}, and this is {device}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with tempfile.TemporaryDirectory() as folder:
        pair = Path(folder) / "pair.pem"
        pair.touch(mode=0o600)
        pair.write_bytes(chain.encode() + key)
        try:
            context.load_cert_chain(pair)
        except (ssl.SSLError, OSError):
            raise Untrusted("HAL-715", "the hub sent a certificate of another key than ours") from None
