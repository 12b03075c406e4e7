"""Decide where others are told that a door of the hub stands."""

from urllib.parse import urlsplit

from halocline.adapters.certificates.forms import general_name
from halocline.errors import Misconfigured


def read_public(flag: str, url: str) -> tuple[str, str]:
    """A door's URL as others are told it, and the name in it. Raises Misconfigured (HAL-780)."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        general_name(host)
    except (ValueError, Misconfigured):
        raise _refused(flag, url, "which holds no host name or port") from None
    if parts.scheme != "https":
        raise _refused(flag, url, "and a hub speaks TLS alone")
    if not url.isascii():
        raise _refused(flag, url, "which is not ASCII; write the name as xn--…")
    if port == 0:
        raise _refused(flag, url, "and nobody can come to port 0")
    if parts.username is not None or parts.path.strip("/") or parts.query or parts.fragment:
        raise _refused(flag, url, "which holds more than a host and a port")
    return url_at(host, port), host


def url_at(host: str, port: int | None) -> str:
    """`https://HOST:PORT`, without the port where it is the usual one."""
    bracketed = f"[{host}]" if ":" in host else host
    return f"https://{bracketed}" if port is None else f"https://{bracketed}:{port}"


def _refused(flag: str, url: str, why: str) -> Misconfigured:
    return Misconfigured(
        "HAL-780", f"{flag} must be https://HOST or https://HOST:PORT, got {url[:80]!r}, {why}"
    )
