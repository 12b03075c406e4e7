"""Open a connection: name look-up, TCP, proxy, TLS. Slow by nature, hence always in the background."""

import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from halocline.adapters.http.connection import Connection, ExpiredError, LostError, lost
from halocline.adapters.http.exchange import Exchange, MalformedResponseError
from halocline.adapters.http.target import Target
from halocline.records import Reason

MAX_CONNECT_BODY_BYTES = 64 * 1024


def dial(target: Target, timeout_s: float, opened: Callable[[socket.socket], None]) -> Connection:
    """A connection that is ready for a request. Raises LostError.

    `opened` receives the socket as soon as there is one, so that a closing pool can end the wait.
    """
    until_s = time.monotonic() + timeout_s
    host, port = target.host, target.port
    if target.proxy is not None:
        host, port = target.proxy.host, target.proxy.port
    try:
        sock = socket.create_connection((_plain(host), port), timeout=timeout_s)
        opened(sock)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if target.tls is None:
            return Connection(sock)
        try:
            if target.proxy is not None:
                _tunnel(sock, target, until_s)
            sock.settimeout(max(until_s - time.monotonic(), 0.001))
            sock = secured = target.tls.wrap_socket(sock, server_hostname=target.host)
            if target.passed_s is not None:
                _check_end(secured.getpeercert() or {}, target.passed_s())
        except BaseException:
            sock.close()
            raise
        opened(secured)
        return Connection(secured, tls=True)
    except TimeoutError as exc:
        raise LostError(Reason.UNREACHABLE, f"no connection within {timeout_s:g} s") from exc
    except OSError as exc:
        raise lost(exc) from exc


def _check_end(leaf: Mapping[str, object], passed_s: float) -> None:
    """Raise LostError where the certificate ended before the time that has surely passed."""
    import ssl

    end = str(leaf.get("notAfter", ""))
    if not end or ssl.cert_time_to_seconds(end) < passed_s:
        raise LostError(Reason.UNTRUSTED, f"its certificate ended on {end or 'no day'}, which has passed")


def _plain(host: str) -> Any:
    """An ASCII name as bytes: given text, Python loads its tables of international names first, 4 ms."""
    return host.encode() if host.isascii() else host


def _tunnel(sock: socket.socket, target: Target, until_s: float) -> None:
    """Ask the proxy for a tunnel (RFC 9110, section 9.3.6)."""
    assert target.proxy is not None
    authority = f"{target.host}:{target.port}"
    auth = target.proxy.authorization
    request = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n" + (
        f"Proxy-Authorization: {auth}\r\n\r\n" if auth else "\r\n"
    )
    sock.settimeout(max(until_s - time.monotonic(), 0.001))
    sock.sendall(request.encode("latin-1"))
    head = b""
    while b"\r\n\r\n" not in head:
        sock.settimeout(max(until_s - time.monotonic(), 0.001))
        data = sock.recv(1)  # one at a time: what follows the head belongs to TLS
        if not data or len(head) > MAX_CONNECT_BODY_BYTES:
            raise LostError(Reason.UNREACHABLE, "the proxy closed the connection")
        head += data
    status = head.split(b"\r\n", 1)[0].split(b" ")
    if len(status) < 2 or not status[1].startswith(b"2"):
        line = head.split(b"\r\n", 1)[0].decode("latin-1")
        raise LostError(Reason.REFUSED, f"the proxy {target.proxy.host} refused: {line}")


def fetch(connection: Connection, target: Target, path: str, until_s: float, max_body_bytes: int) -> Exchange:
    """GET a path on an open connection. Raises LostError, also where what comes is no HTTP."""
    request = target.request_line("GET", path) + target.head + b"\r\n"
    exchange = Exchange(request, max_body_bytes)
    try:
        connection.drive(exchange, until_s)
    except ExpiredError as exc:
        raise LostError(Reason.DEADLINE, f"no answer to GET {path}") from exc
    except MalformedResponseError as exc:
        raise LostError(Reason.INVALID_ANSWER, f"GET {path}: {exc}") from exc
    return exchange
