"""Read a company's own issuing authority from its files, and say what in them it cannot sign with."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from halocline.adapters.certificates import forms
from halocline.adapters.certificates.authority_folder import Held, SigningKey
from halocline.errors import Misconfigured

_MOST: Final = 10
"""Certificates in a chain; OpenSSL goes no further either."""


def read_issuer(cert: Path, key: Path, passphrase: bytes | None, now_s: float) -> Held:
    """The authority in PEM files: the issuing one's certificate first, then those above it up to the root.

    Raises Misconfigured (HAL-781).
    """
    chain = _chain(cert)
    for each in chain:
        _check_authority(cert, each, now_s)
    for under, above in zip(chain, [*chain[1:], chain[-1]], strict=True):
        try:
            under.verify_directly_issued_by(above)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            raise _unusable(
                cert,
                f"{_name(under)} is not signed by what follows it. Put the issuing authority first, after "
                "each the one that signed it, and the root last",
            ) from None
    _check_paths(cert, chain)
    return Held(chain[-1], None, chain[0], _key(key, cert, chain[0], passphrase), tuple(chain[1:-1]))


def _chain(cert: Path) -> list[x509.Certificate]:
    try:
        chain = x509.load_pem_x509_certificates(cert.read_bytes())
    except OSError as error:
        raise _unusable(cert, f"it cannot be read ({error.strerror})") from None
    except (ValueError, x509.InvalidVersion) as error:
        raise _unusable(cert, f"it holds no PEM certificates ({str(error)[:100]})") from None
    if not 2 <= len(chain) <= _MOST:
        raise _unusable(
            cert,
            f"it holds {len(chain)} certificates. It needs the issuing authority's and all above, root last",
        )
    return chain


def _check_authority(cert: Path, each: x509.Certificate, now_s: float) -> None:
    now = datetime.fromtimestamp(now_s, UTC)
    if not each.not_valid_before_utc <= now < each.not_valid_after_utc:
        raise _unusable(
            cert,
            f"{_name(each)} is valid from {each.not_valid_before_utc:%Y-%m-%d} to "
            f"{each.not_valid_after_utc:%Y-%m-%d}, and it is {now:%Y-%m-%d}",
        )
    try:
        is_authority = each.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        signs = each.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound as missing:
        is_authority, signs = missing.oid != x509.BasicConstraints.oid, True
    except ValueError as error:
        raise _unusable(cert, f"{_name(each)} cannot be read ({str(error)[:100]})") from None
    if not is_authority or not signs:
        raise _unusable(cert, f"{_name(each)} is no authority: it may not sign certificates")


def _check_paths(cert: Path, chain: list[x509.Certificate]) -> None:
    """Each may have as many authorities under it as it has."""
    for under, each in enumerate(chain):
        most = forms.path_length(each)
        if most is not None and most < under:
            raise _unusable(
                cert, f"{_name(each)} may have {most} authorities under it (path length), and has {under}"
            )


def _key(path: Path, cert: Path, issuing: x509.Certificate, passphrase: bytes | None) -> SigningKey:
    try:
        key = load_pem_private_key(path.read_bytes(), passphrase)
    except OSError as error:
        raise _unusable(path, f"it cannot be read ({error.strerror})") from None
    except TypeError:
        how = (
            "is encrypted. Give --issuer-passphrase"
            if passphrase is None
            else "is not encrypted. Leave out --issuer-passphrase"
        )
        raise _unusable(path, f"the key in it {how}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _unusable(path, "it holds no PEM key, or the passphrase does not open it") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise _unusable(path, f"its key is {type(key).__name__}; an elliptic curve or RSA is needed")
    if key.public_key() != issuing.public_key():
        raise _unusable(path, f"its key does not belong to {_name(issuing)}, the first certificate in {cert}")
    return key


def _name(certificate: x509.Certificate) -> str:
    return repr(certificate.subject.rfc4514_string()[:100] or "a certificate without a name")


def _unusable(path: Path, why: str) -> Misconfigured:
    return Misconfigured("HAL-781", f"{path} cannot be used as the issuing authority: {why}")
