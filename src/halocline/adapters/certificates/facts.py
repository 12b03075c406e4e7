"""Read what the hub and the agent need to know off a certificate."""

from cryptography import x509

from halocline.errors import Untrusted
from halocline.fleet import Certificate

DEVICE_URI = "urn:halocline:device:"
"""What stands before a device's id in its certificate."""

_OTHERS = (
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What reading a certificate raises beside ValueError."""


def read_certificate(certificate: bytes) -> Certificate:
    """Serial number, device and validity of a device's certificate, DER or PEM (the first one in it).

    Raises Untrusted (HAL-715) for what is no certificate of a device. It does not check who signed it.
    """
    try:
        read = (
            x509.load_pem_x509_certificate if b"-----BEGIN" in certificate else x509.load_der_x509_certificate
        )
        found = read(certificate)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except (ValueError, *_OTHERS) as error:
        raise Untrusted("HAL-715", f"this is no device's certificate ({str(error)[:100]})") from None
    ids = [uri.removeprefix(DEVICE_URI) for uri in uris if uri.startswith(DEVICE_URI)]
    if len(ids) != 1:
        raise Untrusted("HAL-715", f"a device's certificate names one device; this one names {len(ids)}")
    return Certificate(
        serial=f"{found.serial_number:x}",
        device=ids[0],
        not_before_s=found.not_valid_before_utc.timestamp(),
        not_after_s=found.not_valid_after_utc.timestamp(),
    )
