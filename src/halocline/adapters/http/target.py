"""Where a model is: URL, proxy, headers and TLS, read and checked once."""

import contextlib
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import httptools
import msgspec

from halocline.errors import Misconfigured

if TYPE_CHECKING:
    from ssl import SSLContext

FORM = "https://HOST:PORT/v2/models/NAME"
SITE_FORM = "https://HOST:PORT"
NO_CHECK_TIME: Final = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python does not name: a device's clock may be years off."""


class Proxy(msgspec.Struct, frozen=True):
    """An HTTP proxy and the value of its Proxy-Authorization header, if any."""

    host: str
    port: int
    authorization: str | None


class Target(msgspec.Struct, frozen=True):
    """Everything needed to open a connection to a model and to write request heads for it.

    `root` is the path before `/v2`, `path` the path of the model, `head` the header lines that every
    request carries, CRLF-terminated. With `passed_s`, which gives the time that has surely passed, the other
    side's certificate must not have ended by that, and the machine's clock counts for nothing.
    """

    url: str
    host: str
    port: int
    root: str
    path: str
    model: str
    version: str
    head: bytes
    tls: "SSLContext | None"
    proxy: Proxy | None
    passed_s: Callable[[], float] | None = None

    def request_line(self, method: str, path: str) -> bytes:
        """The first line of a request, in absolute form where a proxy forwards plaintext."""
        if self.proxy is not None and self.tls is None:
            path = f"http://{_authority(self.host, self.port)}{path}"
        return f"{method} {path} HTTP/1.1\r\n".encode()


def read_target(
    url: str,
    *,
    headers: Mapping[str, str] | None,
    token: str | None,
    ca: str | os.PathLike[str] | None,
    cert: str | os.PathLike[str] | tuple[str | os.PathLike[str], str | os.PathLike[str]] | None,
    allow_plaintext: bool,
    passed_s: Callable[[], float] | None = None,
) -> Target:
    """Check everything that `connect` was given. Raises Misconfigured (HAL-104, HAL-105, HAL-106)."""
    scheme, host, port, path = _split(url)
    secure = scheme == "https"
    if not secure and (ca is not None or cert is not None):
        raise Misconfigured("HAL-104", f"ca= and cert= are for https://, and {url} is plaintext")
    if not secure and not allow_plaintext and not _is_loopback(host):
        raise Misconfigured(
            "HAL-106",
            f"{url} would send samples in plaintext to another machine. Use https://, or accept the risk "
            "with allow_plaintext=True",
        )
    root, _, rest = path.partition("/v2/models/")
    name, _, version = rest.strip("/").partition("/versions/")
    if not name or "/" in name or "/" in version:
        raise Misconfigured("HAL-104", f"{url} names no model. Write it as {FORM}")
    proxy = _proxy_for(scheme, host, port)
    fields = {"Host": _authority(host, port, 443 if secure else 80), **(headers or {})}
    if token is not None:
        fields["Authorization"] = f"Bearer {read_secret(token)}"
    if proxy is not None and proxy.authorization and not secure:
        fields["Proxy-Authorization"] = proxy.authorization
    return Target(
        url=url,
        host=host,
        port=port,
        root=root,
        path=f"{root}/v2/models/{rest.strip('/')}",
        model=_unquoted(name),
        version=_unquoted(version),
        head=_head(fields),
        tls=_context(ca, cert, by_clock=passed_s is None) if secure else None,
        proxy=proxy,
        passed_s=passed_s,
    )


def read_site(url: str, *, headers: Mapping[str, str] | None, tls: "SSLContext") -> Target:
    """Where a hub's door is, with nothing after its port. Raises Misconfigured (HAL-104)."""
    scheme, host, port, path = _split(url, SITE_FORM)
    if scheme != "https":
        raise Misconfigured("HAL-104", f"{url} is plaintext, and a hub is never. Write it as {SITE_FORM}")
    if path.strip("/"):
        raise Misconfigured("HAL-104", f"{url} has a path after its port. Write it as {SITE_FORM}")
    fields = {"Host": _authority(host, port, 443), **(headers or {})}
    proxy = _proxy_for(scheme, host, port)
    url = f"https://{_authority(host, port)}"
    return Target(url, host, port, "", "", "", "", _head(fields), tls, proxy)


def with_identity(
    target: Target,
    ca: str | os.PathLike[str] | None,
    cert: str | os.PathLike[str] | tuple[str | os.PathLike[str], str | os.PathLike[str]] | None,
) -> Target:
    """The target with this authority and client certificate in place of its own.

    Raises Misconfigured: HAL-104 where it is plaintext, HAL-108 for files that cannot be used.
    """
    if target.tls is None:
        raise Misconfigured("HAL-104", f"a certificate is for https://, and {target.url} is plaintext")
    # A new context: one in use may be in the middle of a handshake in another thread.
    return msgspec.structs.replace(target, tls=_context(ca, cert, by_clock=target.passed_s is None))


def _split(url: str, form: str = FORM) -> tuple[str, str, int, str]:
    """Scheme, host, port and path; httptools reads them, since urllib.parse costs a start 2 ms."""
    if not isinstance(url, str):
        raise Misconfigured("HAL-104", f"expected a URL, {form}, got {url!r}")
    try:
        parts = httptools.parse_url(url.encode())
    except httptools.HttpParserInvalidURLError:
        parts = None
    if parts is None and url.lower().startswith(("http://", "https://")):
        raise Misconfigured("HAL-104", f"{url!r} is not a URL. Write it as {form}")
    if parts is None or not parts.host or parts.schema.lower() not in (b"http", b"https"):
        raise Misconfigured(
            "HAL-104", f"{url!r} must begin with https:// (or http:// on this machine). Write it as {form}"
        )
    if parts.userinfo is not None:
        raise Misconfigured("HAL-104", 'the URL holds a user name; give token="env:NAME" instead')
    scheme = parts.schema.decode().lower()
    port = parts.port or (443 if scheme == "https" else 80)
    return scheme, parts.host.decode(), port, (parts.path or b"").decode()


def _unquoted(text: str) -> str:
    if "%" not in text:
        return text
    from urllib.parse import unquote

    return unquote(text)


def _is_loopback(host: str) -> bool:
    if host in ("localhost", "127.0.0.1", "::1"):
        return True
    import socket  # 2 ms: only where the address is written in another way

    for family, first, last in ((socket.AF_INET, 127, None), (socket.AF_INET6, 0, bytes(15) + b"\1")):
        with contextlib.suppress(OSError):
            packed = socket.inet_pton(family, host)
            return packed[0] == first and last in (None, packed)
    return False


def _authority(host: str, port: int, default_port: int | None = None) -> str:
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if port == default_port else f"{bracketed}:{port}"


def _head(fields: Mapping[str, str]) -> bytes:
    for name, value in fields.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise Misconfigured(
                "HAL-102", f"headers must be a mapping of text to text, got {name!r}: {value!r}"
            )
        if not value.isprintable() or not name.isprintable() or set(name) & set(" :") or not name:
            raise Misconfigured("HAL-102", f"the header {name!r} holds characters that HTTP does not allow")
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode("latin-1")


def read_secret(reference: str) -> str:
    """What env:NAME or file:PATH leads to. Raises Misconfigured (HAL-105)."""
    kind, _, place = reference.partition(":")
    if kind == "env" and place:
        if not os.environ.get(place):
            raise Misconfigured("HAL-105", f"token: the variable {place} is not set. Try: export {place}=…")
        return os.environ[place].strip()
    if kind == "file" and place:
        try:
            with open(place, encoding="utf-8") as file:
                return file.read().strip()
        except OSError as exc:
            raise Misconfigured("HAL-105", f"token: {place} cannot be read ({exc.strerror})") from exc
    raise Misconfigured(
        "HAL-105", 'a token is given by reference, token="env:NAME" or token="file:PATH", never as itself'
    )


def _context(
    ca: str | os.PathLike[str] | None,
    cert: str | os.PathLike[str] | tuple[str | os.PathLike[str], str | os.PathLike[str]] | None,
    *,
    by_clock: bool,
) -> "SSLContext":
    import ssl

    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as exc:
        raise Misconfigured("HAL-108", f"ca: {ca} holds no certificate that can be read ({exc})") from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if not by_clock:
        context.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)
    if cert is not None:
        chain, key = cert if isinstance(cert, tuple) else (cert, None)
        try:
            context.load_cert_chain(chain, key)
        except (OSError, ssl.SSLError) as exc:
            raise Misconfigured(
                "HAL-108", f"cert: {chain} holds no certificate with its key ({exc}); try cert=(CERT, KEY)"
            ) from exc
    return context


def _proxy_for(scheme: str, host: str, port: int) -> Proxy | None:
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    # Importing them takes 30 ms: only where a variable is set. The second name is missing in the stubs.
    from urllib.parse import unquote, urlsplit
    from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

    proxies = getproxies_environment()
    if scheme not in proxies or _is_loopback(host):
        return None
    if proxy_bypass_environment(_authority(host, port), proxies):
        return None
    parts = urlsplit(proxies[scheme])
    if parts.scheme != "http" or not parts.hostname:
        raise Misconfigured(
            "HAL-104", f"{scheme.upper()}_PROXY must be http://HOST:PORT, got {proxies[scheme]!r}"
        )
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        from base64 import b64encode

        authorization = "Basic " + b64encode(pair.encode()).decode()
    return Proxy(parts.hostname, parts.port or 80, authorization)
