"""What may be shown of certificates: names, issuers, serial numbers and times."""

from pathlib import Path
from typing import Any


def facts_in(path: Path) -> list[dict[str, Any]] | str:
    """Of each certificate in a PEM file, passing over a key beside them; else why it cannot be read."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        return f"cannot be read: {error}"
    return [
        {
            "subject": each.subject.rfc4514_string(),
            "issuer": each.issuer.rfc4514_string(),
            "serial": f"{each.serial_number:x}",
            "names": _names(each),
            "not_before": each.not_valid_before_utc.isoformat(),
            "not_after": each.not_valid_after_utc.isoformat(),
            "sha256": each.fingerprint(hashes.SHA256()).hex(),
        }
        for each in found
    ]


def _names(certificate: Any) -> list[str]:
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [str(each.value) for each in names]
