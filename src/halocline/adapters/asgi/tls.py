"""Make a server's TLS context: TLS 1.3 alone, no session tickets, client certificates where asked."""

import ssl
from pathlib import Path

import msgspec

from halocline.errors import Misconfigured


class Tls(msgspec.Struct, frozen=True):
    """Files of a server's certificate chain and key; with `client_ca` only its clients are let in."""

    cert: Path
    key: Path
    client_ca: Path | None = None


def server_context(tls: Tls) -> ssl.SSLContext:
    """The context. Raises Misconfigured (HAL-108) naming the file that is not usable."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # A resumed session skips the check of the client's certificate: one revoked since would come back in.
    context.num_tickets = 0
    for path in (tls.cert, tls.key, tls.client_ca):
        if path is not None and not path.is_file():
            raise _unusable(path, "it is not there")
    try:
        context.load_cert_chain(tls.cert, tls.key, password=_no_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise _unusable(tls.cert, f"no PEM certificate, or {tls.key} is not its key ({error})") from error
    if tls.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(tls.client_ca)
        except (ssl.SSLError, OSError) as error:
            raise _unusable(tls.client_ca, f"it holds no PEM certificate ({error})") from error
    return context


def _no_password() -> str:
    """OpenSSL would ask on the terminal, where a server has nobody to answer."""
    raise ValueError("the key is encrypted")


def _unusable(path: Path, why: str) -> Misconfigured:
    return Misconfigured("HAL-108", f"{path} cannot be used for TLS: {why}. Give PEM files: --cert, --key")
