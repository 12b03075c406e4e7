"""What our certificates hold (RFC 5280), authorities' and devices' and servers'."""

import ipaddress
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from halocline.errors import Misconfigured

_HOST_CHARS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")


def begun(
    subject: x509.Name, issuer: x509.Name, start_s: float, end_s: float, serial: int | None = None
) -> x509.CertificateBuilder:
    """A certificate with names, times and number; without `serial`, the number is random."""
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
    builder = builder.serial_number(x509.random_serial_number() if serial is None else serial)
    return builder.not_valid_before(_date(start_s)).not_valid_after(_date(end_s))


def authority(
    builder: x509.CertificateBuilder,
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    signer: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
    path_length: int | None,
) -> x509.Certificate:
    """Sign an authority's certificate; `path_length` authorities may stand under it, any number by None."""
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = builder.public_key(key)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    return builder.add_extension(issuer, critical=False).sign(signer, hashes.SHA256())


def key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """How a certificate names its issuer's key: as that names it itself, whichever way it was made."""
    try:
        own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        key = issuer.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)  # others sign nothing here
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def path_length(certificate: x509.Certificate) -> int | None:
    """How many authorities may stand under this one; None for any number."""
    return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length


def with_use(
    builder: x509.CertificateBuilder, names: x509.SubjectAlternativeName, use: x509.ObjectIdentifier
) -> x509.CertificateBuilder:
    """A certificate that is no authority, for this one use under these names."""
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    return builder.add_extension(names, critical=False)


def authority_name(role: str, mark: str) -> x509.Name:
    """`mark` tells the authorities of different hubs apart, in the errors of people who mix them up."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"halocline {role} {mark}")])


def general_name(name: str) -> x509.GeneralName:
    """A host name or an IP address. Raises Misconfigured (HAL-102) for what is neither."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        host = name.encode("idna").decode()
    except UnicodeError:
        host = ""
    if not host or not set(host) <= _HOST_CHARS:
        raise Misconfigured("HAL-102", f"a hub is called by host names and IP addresses, got {name[:80]!r}")
    return x509.DNSName(host)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _date(time_s: float) -> datetime:
    return datetime.fromtimestamp(time_s, UTC).replace(microsecond=0)
