"""Check a server, one step after the other: name, connection, certificate, protocol, model, clocks."""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import msgspec

from halocline.adapters.http.connection import Connection, LostError
from halocline.adapters.http.dial import dial, fetch
from halocline.adapters.http.exchange import Exchange
from halocline.adapters.http.target import Target, read_target
from halocline.catalogue import CATALOGUE
from halocline.cli.checks import Check, fail, ok, warn
from halocline.cli.output import seconds
from halocline.errors import HaloclineError
from halocline.records import Reason
from halocline.wire import oip

MAX_BODY_BYTES = 1 << 20
CLOCK_WARN_S, CLOCK_FAIL_S = 60.0, 300.0
EXPIRY_WARN_S = 7 * 86_400.0
EXPIRY_WARN_SHARE = 0.1
"""Short-lived certificates are renewed late in their life: warn in its last tenth, a week at most."""

_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python does not name."""


class Access(msgspec.Struct, frozen=True):
    """How a server is reached, as `connect` takes it."""

    token: str | None = None
    ca: Path | None = None
    cert: Path | None = None
    timeout_s: float = 5.0


def check_cloud(url: str, access: Access) -> Iterator[Check]:
    """Every check of one URL, of a model or of a server; the first step that fails is the last."""
    has_model = "/v2/models/" in url
    name = url.partition("://")[2].partition("/")[0].rpartition("@")[2] or url
    tried = url if has_model else f"{url.rstrip('/')}/v2/models/any"
    try:
        target = read_target(
            tried,
            headers=None,
            token=access.token,
            ca=access.ca,
            cert=access.cert,
            allow_plaintext=True,
        )
    except HaloclineError as exc:
        yield fail(f"{name} url", str(exc).replace(tried, url), CATALOGUE[exc.code].fix)
        return
    for step in (_check_address, _check_connection, _check_certificate):
        check = step(target, name, access.timeout_s)
        if check is not None:
            yield check
            if check.fix and check.status == "fail":
                return
    yield from _check_protocol(target, name, access.timeout_s, has_model=has_model)


def _check_address(target: Target, name: str, timeout_s: float) -> Check:
    host, port = _first_hop(target)
    through = f" (the proxy of {target.host})" if target.proxy else ""
    began_s = time.perf_counter()
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as exc:
        return fail(
            f"{name} address",
            f"{host}{through} does not resolve: {exc.strerror or exc}",
            "check the spelling and the name server (/etc/resolv.conf)",
        )
    took_s = time.perf_counter() - began_s
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    if addresses == [host]:
        return ok(f"{name} address", f"{host}{through} is an address, there is no name to look up")
    if took_s > 1:
        return warn(
            f"{name} address", f"{host}{through} took {seconds(took_s)} to resolve", "check the name server"
        )
    return ok(f"{name} address", f"{host}{through} is {', '.join(addresses)}, {seconds(took_s)}")


def _check_connection(target: Target, name: str, timeout_s: float) -> Check:
    host, port = _first_hop(target)
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    began_s = time.perf_counter()
    try:
        socket.create_connection((host, port), timeout=timeout_s).close()
    except ConnectionRefusedError:
        return fail(f"{name} connection", f"{place} refuses", "check that the server runs, and its port")
    except OSError as exc:
        why = (
            f"no answer within {timeout_s:g} s" if isinstance(exc, TimeoutError) else exc.strerror or str(exc)
        )
        return fail(f"{name} connection", f"{place}: {why}", "check the network, routes and firewalls")
    return ok(f"{name} connection", f"{place} answers in {seconds(time.perf_counter() - began_s)}")


def _check_certificate(target: Target, name: str, timeout_s: float) -> Check | None:
    if target.tls is None:
        if target.host in {"localhost", "::1"} or target.host.startswith("127."):
            return None
        return warn(f"{name} tls", "plaintext: everybody on the way can read and change it", "use https://")
    try:
        connection = dial(target, timeout_s, lambda opened: None)
    except LostError as exc:
        seen = _certificate_seen(target, timeout_s)
        shown = f"; seen: {_shown(seen)}" if seen else ""
        return fail(f"{name} tls", f"{exc.detail}{shown}", _tls_fix(exc.detail, target))
    with contextlib.closing(connection):
        sock = connection.sock
        assert isinstance(sock, ssl.SSLSocket)
        certificate = sock.getpeercert() or {}
        version = sock.version()
    left_s, life_s = _lifetime(certificate, time.time())
    if left_s < min(EXPIRY_WARN_S, EXPIRY_WARN_SHARE * life_s):
        return warn(f"{name} tls", f"{version}, {_shown(certificate)}", "renew the server's certificate now")
    return ok(f"{name} tls", f"{version}, {_shown(certificate)}")


def _check_protocol(target: Target, name: str, timeout_s: float, *, has_model: bool) -> Iterator[Check]:
    try:
        ready = _get(target, f"{target.root}/v2/health/ready", timeout_s)
        server = _get(target, f"{target.root}/v2", timeout_s)
        model = _get(target, target.path, timeout_s) if has_model else None
    except LostError as exc:
        yield fail(f"{name} protocol", exc.detail, _lost_fix(exc, target))
        return
    if ready.status != 200:
        yield fail(
            f"{name} ready",
            f"status {ready.status}: {oip.decode_error(ready.body)}",
            _status_fix(ready.status),
        )
    else:
        yield ok(f"{name} ready", "yes")
    yield _server_said(server, name)
    if model is not None:
        yield _model_said(model, target, name)
    clock = _check_clocks(ready, name)
    if clock is not None:
        yield clock


def _server_said(server: Exchange, name: str) -> Check:
    try:
        info = oip.decode_server_metadata(server.body) if server.status == 200 else None
    except HaloclineError as exc:
        return fail(f"{name} server", str(exc), CATALOGUE[exc.code].fix)
    if info is None:
        return warn(
            f"{name} server", f"GET /v2 gives status {server.status}; tensors travel as JSON", "none needed"
        )
    form = "binary tensors" if info.has_binary else "JSON tensors only"
    return ok(f"{name} server", f"{info.name or 'unnamed'} {info.version}, {form}")


def _model_said(model: Exchange, target: Target, name: str) -> Check:
    if model.status != 200:
        detail = f"{target.model}: status {model.status}: {oip.decode_error(model.body)}"
        return fail(f"{name} model", detail, _status_fix(model.status))
    try:
        spec = oip.decode_model_metadata(model.body)
    except HaloclineError as exc:
        return fail(f"{name} model", str(exc), CATALOGUE[exc.code].fix)
    takes = ", ".join(f"{each.name} {each.dtype} {list(each.shape)}" for each in spec.inputs)
    gives = ", ".join(f"{each.name} {each.dtype} {list(each.shape)}" for each in spec.outputs)
    return ok(f"{name} model", f"{spec.ref}: {takes} -> {gives}")


def _check_clocks(answer: Exchange, name: str) -> Check | None:
    stated = answer.header(b"date")
    if stated is None:
        return None
    try:
        apart_s = time.time() - parsedate_to_datetime(stated.decode("latin-1")).timestamp()
    except (ValueError, TypeError):
        return None
    text = f"ours is {abs(apart_s):.0f} s {'ahead of' if apart_s > 0 else 'behind'} the server's"
    if abs(apart_s) > CLOCK_FAIL_S:
        return fail(f"{name} clock", text, "set the clock of the machine that is wrong (NTP)")
    if abs(apart_s) > CLOCK_WARN_S:
        return warn(f"{name} clock", text, "set the clock of the machine that is wrong (NTP)")
    return ok(f"{name} clock", "agrees with the server's")


def _get(target: Target, path: str, timeout_s: float) -> Exchange:
    connection: Connection = dial(target, timeout_s, lambda opened: None)
    with contextlib.closing(connection):
        return fetch(connection, target, path, time.monotonic() + timeout_s, MAX_BODY_BYTES)


def _certificate_seen(target: Target, timeout_s: float) -> dict[str, Any]:
    """The certificate that the server shows, although it is not trusted; {} where there is no telling.

    It is fetched unverified, then taken as its own authority: only so does Python read it into words.
    """
    if target.proxy is not None:
        return {}
    with contextlib.suppress(OSError, ValueError):
        pem = ssl.get_server_certificate((target.host, target.port), timeout=timeout_s)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(cadata=pem)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
        with (
            socket.create_connection((target.host, target.port), timeout=timeout_s) as sock,
            context.wrap_socket(sock, server_hostname=target.host) as secured,
        ):
            return dict(secured.getpeercert() or {})
    return {}


def _shown(certificate: dict[str, Any]) -> str:
    issuer = _names(certificate.get("issuer", ()))
    names = ", ".join(value for _, value in certificate.get("subjectAltName", ())) or _names(
        certificate.get("subject", ())
    )
    until = certificate.get("notAfter", "?")
    return f"for {names or 'nobody'}, issued by {issuer or 'nobody'}, valid until {until}"


def _names(fields: Any) -> str:
    flat = {key: value for group in fields for key, value in group}
    return str(flat.get("commonName") or flat.get("organizationName") or "")


def _lifetime(certificate: dict[str, Any], now_s: float) -> tuple[float, float]:
    """Seconds that are left, and seconds from its first to its last."""
    ends_s = float(ssl.cert_time_to_seconds(certificate["notAfter"]))
    return ends_s - now_s, ends_s - ssl.cert_time_to_seconds(certificate["notBefore"])


def _tls_fix(detail: str, target: Target) -> str:
    text = detail.lower()
    if "expired" in text or "not yet valid" in text:
        return "renew the server's certificate, or set this machine's clock"
    if "hostname mismatch" in text or "ip address mismatch" in text:
        return f"use a name that the certificate holds, or issue one for {target.host}"
    if "self-signed" in text or "self signed" in text or "issuer" in text:
        return "give the authority that issued it: --ca PATH"
    if "required" in text or "alert" in text:
        return "give the client certificate that the server asks for: --cert PATH"
    return "check that this port speaks TLS 1.3"


def _lost_fix(exc: LostError, target: Target) -> str:
    if exc.reason is Reason.UNTRUSTED:
        return _tls_fix(exc.detail, target)
    if target.tls is None:
        return "check that the port is the server's; if it speaks TLS, use https://"
    # TLS 1.3 tells of a client certificate that is missing or refused only at the first read.
    return "if the server asks for a client certificate, give one of its authority: --cert PATH"


def _status_fix(status: int) -> str:
    if status in (401, 403):
        return "give a token that the server accepts: --token env:NAME"
    if status == 404:
        return "check the model's name and version: GET /v2/models lists them"
    if status in (429, 503):
        return "wait: the server is starting, full or draining"
    return "read the server's log"


def _first_hop(target: Target) -> tuple[str, int]:
    return (target.proxy.host, target.proxy.port) if target.proxy else (target.host, target.port)
