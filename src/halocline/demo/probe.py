"""Knock at the hub's device door as the observer does: with each device's certificate, and without one."""

import contextlib
import hashlib
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

from halocline.adapters.device_folder.identity import CA, CHAIN, KEY
from halocline.demo.evidence import Door, Shown
from halocline.demo.handshake import tls_version

TIMEOUT_S = 5.0
REFUSED = "refused"
_QUESTION = b"GET /v2/health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def look(port: int, identities: Sequence[Path], openings: Sequence[bytes]) -> Door:
    """What that door did for each identity (a folder) and for a stranger; `openings` are what connections
    through the link began with."""
    versions = tuple(tls_version(opening) for opening in openings if opening)
    shown = tuple(_shown(port, identity) for identity in identities)
    return Door(carried=versions, stranger=_stranger(port, identities[0] / CA), shown=shown)


def _shown(port: int, identity: Path) -> Shown:
    chain = (identity / CHAIN).read_text()
    end = "-----END CERTIFICATE-----"
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(chain[: chain.index(end) + len(end)])).hexdigest()
    context = ssl.create_default_context(cafile=str(identity / CA))
    context.load_cert_chain(identity / CHAIN, identity / KEY)
    with contextlib.suppress(OSError, ValueError, IndexError):
        version, answer = _asked(port, context)
        return Shown(digest, version, int(answer.split()[1]))
    return Shown(digest, "none", 0)


def _stranger(port: int, ca: Path) -> str:
    """`refused` where the door ends the connection; else what it did."""
    try:
        _, answer = _asked(port, ssl.create_default_context(cafile=str(ca)))
    except (ssl.SSLCertVerificationError, ConnectionRefusedError) as error:
        return f"not spoken to: {error}"  # it was we who did not go on, or nobody was there
    except (ssl.SSLError, ConnectionError):
        return REFUSED
    except OSError as error:
        return f"{type(error).__name__}: {error}"
    return f"answered {answer[:40].decode(errors='replace')!r}" if answer else REFUSED


def _asked(port: int, context: ssl.SSLContext) -> tuple[str, bytes]:
    with (
        socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as tls,
    ):
        tls.sendall(_QUESTION)
        return tls.version() or "none", tls.recv(64)
