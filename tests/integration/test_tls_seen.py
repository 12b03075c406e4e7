"""The observer reads off the wire which TLS version a connection speaks, and sees whom a door lets in."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from halocline.demo.evidence import Shown
from halocline.demo.handshake import tls_version
from halocline.demo.probe import look
from halocline.testing.link import ThrottledLink


class Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def identities(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folders = []
    for name in ("one", "two"):
        folder = tmp_path_factory.mktemp(name)
        issued = ca.issue_cert(name)
        ca.cert_pem.write_to_path(folder / "ca.pem")
        issued.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
        issued.private_key_pem.write_to_path(folder / "key.pem")
        folders.append(folder)
    return folders


@contextmanager
def door(ca: trustme.CA, most: ssl.TLSVersion, *, mutual: bool) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = most
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED if mutual else ssl.CERT_NONE
    server = ThreadingHTTPServer(("127.0.0.1", 0), Ready)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a refusal is none
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("most", "version"), [(ssl.TLSVersion.TLSv1_3, "1.3"), (ssl.TLSVersion.TLSv1_2, "1.2")]
)
def test_what_goes_by_on_the_link_tells_the_version(
    ca: trustme.CA, identities: list[Path], most: ssl.TLSVersion, version: str
) -> None:
    with door(ca, most, mutual=True) as port, ThrottledLink(port) as link:
        seen = look(link.port, identities, ())
        assert {tls_version(opening) for opening in link.openings} == {version}
    assert seen.stranger == "refused"
    assert [(each.version, each.status) for each in seen.shown] == [(f"TLSv{version}", 200)] * 2
    assert len({each.digest for each in seen.shown}) == 2


def test_a_door_that_lets_a_stranger_in_is_told(ca: trustme.CA, identities: list[Path]) -> None:
    with door(ca, ssl.TLSVersion.TLSv1_3, mutual=False) as port:
        assert look(port, identities, ()).stranger.startswith("answered")


def test_a_door_that_is_not_there_lets_nobody_in(identities: list[Path]) -> None:
    with ThrottledLink(1) as link:
        link.cut("reset", "refuse")
        seen = look(link.port, identities, (b"", b"HTTP/1.1 200 OK\r\n"))
    assert {(each.version, each.status) for each in seen.shown} == {("none", 0)}
    assert isinstance(seen.shown[0], Shown)
    assert seen.stranger.startswith("not spoken to")
    assert seen.carried == ("none",)


@pytest.mark.parametrize(
    "opening", [b"", b"\x16", b"\x16\x03\x03\x00\x02\x02", b"\x15\x03\x03\x00\x02\x02\x28"]
)
def test_bytes_that_are_no_handshake_are_none(opening: bytes) -> None:
    assert tls_version(opening) == "none"
