"""The hub's own authority: a root, an issuing authority under it, and the certificates that this signs."""

from collections.abc import Callable, Sequence
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

from halocline.adapters.certificates import authority_folder, forms, making, request
from halocline.adapters.certificates.authority_folder import Held
from halocline.adapters.certificates.facts import DEVICE_URI
from halocline.errors import Misconfigured, Rejected
from halocline.fleet import Certificate
from halocline.hub.authority import Proven, Rotation

RENEWED_S: Final = 365 * 86_400.0
"""So long before its end the issuing authority's certificate is renewed, at an opening."""
SERVER_S: Final = 30 * 86_400.0


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
    """An authority over a folder of its own, or a company's. Thread-safe."""

    def __init__(self, held: Held, keep: Callable[[Held], None] | None = None) -> None:
        self._take(held)
        self._keep = keep

    @classmethod
    def open(cls, folder: Path, *, now_s: float, passphrase: str | None = None) -> Self:
        """The authority in the folder; where there is none it is made, whole or not at all.

        `passphrase` is a reference, `env:NAME` or `file:PATH`; without it the keys are encrypted by a random
        one in a file of the folder. Raises Misconfigured: HAL-105 (the reference), HAL-718 (the authority).
        """
        return cls(
            _opened(folder, now_s, passphrase),
            lambda held: authority_folder.replace(folder, held, passphrase),
        )

    def reopen(self, folder: Path, *, now_s: float, passphrase: str | None = None) -> None:
        """Go on with what the folder holds now: another process may have replaced it. Raises as `open`."""
        self._take(_opened(folder, now_s, passphrase))

    def go_on_with(self, held: Held) -> None:
        """Sign with this from now on."""
        self._take(held)

    def _take(self, held: Held) -> None:
        secret = held.issuing_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        nonce_key = HKDF(hashes.SHA256(), 32, None, b"halocline nonce 1").derive(secret)
        self._held, self._nonce_key = held, nonce_key

    @property
    def root_pem(self) -> str:
        """The root certificate, the newest where there are several."""
        return _pem(self._held.root)

    @property
    def roots_pem(self) -> str:
        """Every root that is trusted now, the newest first."""
        held = self._held
        return _pem(held.root, *held.old_roots)

    @property
    def fingerprint(self) -> str:
        """`sha256:…` of the newest root certificate, DER."""
        return _fingerprint(self._held.root)

    @property
    def old_fingerprints(self) -> list[str]:
        """The same of the roots that were replaced and are trusted still, the newest first."""
        return [_fingerprint(each) for each in self._held.old_roots]

    @property
    def rotating_since_s(self) -> float | None:
        """From when on certificates are under the newest root, where an older one is trusted still."""
        held = self._held
        return held.between[0].not_valid_before_utc.timestamp() if held.old_roots else None

    @property
    def nonce_key(self) -> bytes:
        """A secret that is the same in every process with this authority, for nonces alone."""
        return self._nonce_key

    def rotate(self, what: Rotation, *, now_s: float) -> None:
        """Go on with a new issuing authority, with a new root beside the old, or without the old.

        Raises Rejected (HAL-782) where that cannot be, Misconfigured (HAL-718) where it cannot be kept; all
        is as before then.
        """
        if self._keep is None:
            raise Rejected(
                "HAL-782",
                "the issuing authority is a company's own, given by --issuer-cert. Put another of the same "
                "root in its place, and send the hub SIGHUP",
            )
        held = self._held
        match what:
            case Rotation.ISSUING:
                held = making.with_new_issuing(held, now_s)
            case Rotation.ROOT:
                held = making.with_new_root(held, now_s)
            case Rotation.RETIRE:
                held = making.without_old_roots(held)
        self._keep(held)
        self._take(held)

    def has_root(self, root: x509.Certificate) -> bool:
        """Whether that is the newest root."""
        return self._held.root == root

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
        held = self._held
        builder = _leaf(held, name, now_s, valid_s, number).public_key(request.read_public_key(public_key))
        leaf = _signed(held, forms.with_use(builder, names, ExtendedKeyUsageOID.CLIENT_AUTH))
        kept = Certificate(
            serial=f"{number:x}",
            device=device_id,
            not_before_s=leaf.not_valid_before_utc.timestamp(),
            not_after_s=leaf.not_valid_after_utc.timestamp(),
        )
        return _pem(leaf, held.issuing, *held.between), kept

    def issue_server(
        self, names: Sequence[str], *, now_s: float, valid_s: float = SERVER_S
    ) -> ServerIdentity:
        """A key and a certificate for a server with these names and addresses.

        Raises Misconfigured (HAL-102) for what is neither.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "halocline hub")])
        held = self._held
        builder = _leaf(held, subject, now_s, valid_s, x509.random_serial_number())
        builder = builder.public_key(key.public_key())
        listed = x509.SubjectAlternativeName([forms.general_name(name) for name in names])
        leaf = _signed(held, forms.with_use(builder, listed, ExtendedKeyUsageOID.SERVER_AUTH))
        return ServerIdentity(
            chain=_pem(leaf, held.issuing, *held.between, held.root, *held.old_roots),
            key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
            not_before_s=leaf.not_valid_before_utc.timestamp(),
            not_after_s=leaf.not_valid_after_utc.timestamp(),
        )


def _leaf(
    held: Held, subject: x509.Name, now_s: float, valid_s: float, serial: int
) -> x509.CertificateBuilder:
    end_s = min(now_s + valid_s, held.issuing.not_valid_after_utc.timestamp())
    return forms.begun(subject, held.issuing.subject, now_s - making.BACKDATED_S, end_s, serial)


def _signed(held: Held, builder: x509.CertificateBuilder) -> x509.Certificate:
    builder = builder.add_extension(forms.key_identifier(held.issuing), critical=False)
    return builder.sign(held.issuing_key, hashes.SHA256())


def _opened(folder: Path, now_s: float, passphrase: str | None) -> Held:
    held = authority_folder.open_or_make(folder, lambda: making.made(now_s), passphrase)
    return held._replace(issuing=_issuing_for(folder, held, now_s))


def _issuing_for(folder: Path, held: Held, now_s: float) -> x509.Certificate:
    """The issuing authority's certificate, renewed where it ends soon; name and key stay."""
    end = held.issuing.not_valid_after_utc
    if now_s < end.timestamp() - RENEWED_S:
        return held.issuing
    if held.root_key is not None and now_s < held.root.not_valid_after_utc.timestamp() - RENEWED_S:
        subject = held.issuing.subject
        issuing = making.issuing_under(held.root, held.root_key, subject, held.issuing_key, now_s)
        authority_folder.put_issuing(folder, issuing)
        return issuing
    if now_s < end.timestamp():
        return held.issuing
    raise Misconfigured(
        "HAL-718",
        f"{folder}: the issuing authority's certificate ended on {end:%Y-%m-%d}. Is the clock right? "
        "To renew it, put root.key back into the folder and start again",
    )


def _fingerprint(certificate: x509.Certificate) -> str:
    return f"sha256:{certificate.fingerprint(hashes.SHA256()).hex()}"


def _pem(*certificates: x509.Certificate) -> str:
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in certificates)
