"""The hub's own authority: a root, an issuing authority under it, and the certificates that this signs."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from halocline.adapters.certificates import authority_folder, forms, request
from halocline.adapters.certificates.facts import DEVICE_URI
from halocline.errors import Misconfigured
from halocline.fleet import Certificate
from halocline.hub.authority import Proven

ROOT_S: Final = 20 * 365 * 86_400.0
ISSUING_S: Final = 5 * 365 * 86_400.0
RENEWED_S: Final = 365 * 86_400.0
"""So long before its end the issuing authority's certificate is renewed, at an opening."""
SERVER_S: Final = 30 * 86_400.0
BACKDATED_S: Final = 300.0
"""Certificates begin this much before they are made: other clocks are behind."""


class ServerIdentity(msgspec.Struct, frozen=True):
    """What a door of the hub shows."""

    chain: str
    """Its certificate, the issuing authority's and the root, PEM: who knows only the root's fingerprint
    finds it there."""
    key: str
    """Its private key, PKCS #8, PEM, not encrypted."""
    not_before_s: float
    not_after_s: float


class CertificateAuthority:
    """An authority over a folder of its own. Thread-safe."""

    def __init__(
        self, root: x509.Certificate, issuing: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> None:
        self._root = root
        self._issuing = issuing
        self._key = key
        secret = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        self._nonce_key = HKDF(hashes.SHA256(), 32, None, b"halocline nonce 1").derive(secret)

    @classmethod
    def open(cls, folder: Path, *, now_s: float, passphrase: str | None = None) -> Self:
        """The authority in the folder; where there is none it is made, whole or not at all.

        `passphrase` is a reference, `env:NAME` or `file:PATH`; without it the keys are encrypted by a random
        one in a file of the folder. Raises Misconfigured: HAL-105 (the reference), HAL-718 (the authority).
        """
        held = authority_folder.open_or_make(folder, lambda: _made(now_s), passphrase)
        return cls(held.root, _issuing_for(folder, held, now_s), held.issuing_key)

    @property
    def root_pem(self) -> str:
        """The root certificate."""
        return _pem(self._root)

    @property
    def fingerprint(self) -> str:
        """`sha256:…` of the root certificate, DER."""
        return f"sha256:{self._root.fingerprint(hashes.SHA256()).hex()}"

    @property
    def nonce_key(self) -> bytes:
        """A secret that is the same in every process with this authority, for nonces alone."""
        return self._nonce_key

    def read_request(self, csr: str) -> Proven:
        """The key of a certificate request; nothing else in it counts. Raises Rejected (HAL-712)."""
        return request.read_request(csr)

    def has_signed(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        """Whether the signature over the message is one by the key's private half."""
        return request.has_signed(public_key, signature, message)

    def issue_device(
        self, public_key: bytes, device_id: str, *, now_s: float, valid_s: float, serial: int | None = None
    ) -> tuple[str, Certificate]:
        """A certificate for a device and the issuing authority's (PEM), and what to keep of it.

        It ends no later than the issuing authority. Without `serial`, the number is random.
        Raises Rejected (HAL-712) for a key of a kind that is not taken.
        """
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device_id)])
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(DEVICE_URI + device_id)])
        number = x509.random_serial_number() if serial is None else serial
        builder = self._leaf(name, now_s, valid_s, number).public_key(request.read_public_key(public_key))
        builder = forms.with_use(builder, names, ExtendedKeyUsageOID.CLIENT_AUTH)
        leaf = self._signed(builder)
        kept = Certificate(
            serial=f"{number:x}",
            device=device_id,
            not_before_s=leaf.not_valid_before_utc.timestamp(),
            not_after_s=leaf.not_valid_after_utc.timestamp(),
        )
        return _pem(leaf) + _pem(self._issuing), kept

    def issue_server(
        self, names: Sequence[str], *, now_s: float, valid_s: float = SERVER_S
    ) -> ServerIdentity:
        """A key and a certificate for a server with these names and addresses.

        Raises Misconfigured (HAL-102) for what is neither.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "halocline hub")])
        builder = self._leaf(subject, now_s, valid_s, x509.random_serial_number())
        builder = builder.public_key(key.public_key())
        listed = x509.SubjectAlternativeName([forms.general_name(name) for name in names])
        leaf = self._signed(forms.with_use(builder, listed, ExtendedKeyUsageOID.SERVER_AUTH))
        return ServerIdentity(
            chain=_pem(leaf) + _pem(self._issuing) + _pem(self._root),
            key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
            not_before_s=leaf.not_valid_before_utc.timestamp(),
            not_after_s=leaf.not_valid_after_utc.timestamp(),
        )

    def _leaf(self, subject: x509.Name, now_s: float, valid_s: float, serial: int) -> x509.CertificateBuilder:
        end_s = min(now_s + valid_s, self._issuing.not_valid_after_utc.timestamp())
        return forms.begun(subject, self._issuing.subject, now_s - BACKDATED_S, end_s, serial)

    def _signed(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return builder.add_extension(issuer, critical=False).sign(self._key, hashes.SHA256())


def _issuing_for(folder: Path, held: authority_folder.Held, now_s: float) -> x509.Certificate:
    """The issuing authority's certificate, renewed where it ends soon; name and key stay."""
    end = held.issuing.not_valid_after_utc
    if now_s < end.timestamp() - RENEWED_S:
        return held.issuing
    if held.root_key is not None and now_s < held.root.not_valid_after_utc.timestamp() - RENEWED_S:
        issuing = _issuing(held.root, held.root_key, held.issuing.subject, held.issuing_key, now_s)
        authority_folder.put_issuing(folder, issuing)
        return issuing
    if now_s < end.timestamp():
        return held.issuing
    raise Misconfigured(
        "HAL-718",
        f"{folder}: the issuing authority's certificate ended on {end:%Y-%m-%d}. Is the clock right? "
        "To renew it, put root.key back into the folder and start again",
    )


def _made(now_s: float) -> authority_folder.Held:
    """A root that signs one issuing authority, which signs no further one."""
    root_key, issuing_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    mark = os.urandom(4).hex()
    name = forms.authority_name("root", mark)
    begun = forms.begun(name, name, now_s - BACKDATED_S, now_s + ROOT_S)
    root = forms.authority(begun, root_key, root_key, 1)
    issuing = _issuing(root, root_key, forms.authority_name("issuing", mark), issuing_key, now_s)
    return authority_folder.Held(root, root_key, issuing, issuing_key)


def _issuing(
    root: x509.Certificate,
    root_key: ec.EllipticCurvePrivateKey,
    name: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now_s: float,
) -> x509.Certificate:
    end_s = min(now_s + ISSUING_S, root.not_valid_after_utc.timestamp())
    return forms.authority(forms.begun(name, root.subject, now_s - BACKDATED_S, end_s), key, root_key, 0)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
