"""A device's key and its certificate request; on the hub's side, what counts in one: the key alone."""

import hashlib
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
)

from halocline.errors import Misconfigured, Rejected
from halocline.hub.authority import Proven

MAX_REQUEST_BYTES: Final = 8192
"""A request for P-384 with a few names has 800 bytes."""

PublicKey: TypeAlias = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


def make_key() -> bytes:
    """A new private key, P-256, PKCS #8, PEM; for a file that its owner alone may read."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def make_request(key_pem: bytes) -> str:
    """A certificate request for the key, PEM. Raises Misconfigured (HAL-108) for what is no P-256 key."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = builder.sign(_private(key_pem), hashes.SHA256())
    return request.public_bytes(Encoding.PEM).decode()


def sign(key_pem: bytes, message: bytes) -> bytes:
    """The signature over a message, ECDSA with SHA-256, DER. Raises as `make_request` does."""
    return _private(key_pem).sign(message, ec.ECDSA(hashes.SHA256()))


def read_request(csr: str) -> Proven:
    """The key of a PEM request whose signature proves possession; its subject and extensions are ignored.

    Raises Rejected (HAL-712).
    """
    if len(csr) > MAX_REQUEST_BYTES:
        raise _refused(f"it has {len(csr)} characters; {MAX_REQUEST_BYTES} are the limit")
    try:
        request = x509.load_pem_x509_csr(csr.encode())
        public_key = _allowed(request.public_key())
        is_proven = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise _refused(f"it is no PKCS #10 request in PEM ({str(error)[:100]})") from None
    if not is_proven:
        raise _refused("its signature is not by its own key")
    encoded = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Proven(encoded, f"sha256:{hashlib.sha256(encoded).hexdigest()}")


def read_public_key(encoded: bytes) -> PublicKey:
    """The key in a SubjectPublicKeyInfo (DER). Raises Rejected (HAL-712) for a kind that is not taken."""
    try:
        return _allowed(load_der_public_key(encoded))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _refused(f"its key cannot be read ({str(error)[:100]})") from None


def has_signed(encoded: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature over the message is by the key: ECDSA with SHA-256 (DER), or Ed25519."""
    public_key = read_public_key(encoded)
    try:
        if isinstance(public_key, ed25519.Ed25519PublicKey):
            public_key.verify(signature, message)
        else:
            public_key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _private(key_pem: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(key_pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Misconfigured(
            "HAL-108", f"the device's key is no unencrypted PEM key ({str(error)[:100]}). Join anew"
        ) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Misconfigured(
            "HAL-108", f"the device's key must be P-256, this is {type(key).__name__}. Join anew"
        )
    return key


def _allowed(public_key: object) -> PublicKey:
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return public_key
    if isinstance(public_key, ec.EllipticCurvePublicKey) and isinstance(
        public_key.curve, ec.SECP256R1 | ec.SECP384R1
    ):
        return public_key
    kind = getattr(getattr(public_key, "curve", None), "name", type(public_key).__name__)
    raise _refused(f"its key is {kind}; P-256, P-384 and Ed25519 are taken")


def _refused(why: str) -> Rejected:
    return Rejected("HAL-712", f"the certificate request is not taken: {why}")
