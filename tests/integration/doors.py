"""Small TLS doors with certificates of their own, whose answers a test says."""

import contextlib
import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import trustme

Answer = tuple[int, dict[str, str], bytes]
Handler = Callable[[str, str, bytes, dict[str, str]], Answer]


class Authority(NamedTuple):
    """A root with a server certificate of its own, in files."""

    ca: Any
    root: bytes
    fingerprint: str
    chain: Path
    key: Path


def authority(
    folder: Path, name: str = "root", names: tuple[str, ...] = ("localhost", "127.0.0.1"), **leaf: Any
) -> Authority:
    """A new authority with a server of these names; the chain that it shows ends with the root."""
    ca = trustme.CA(organization_name=f"org {name}")
    server = ca.issue_cert(*names, **leaf)
    chain, key = folder / f"{name}.chain.pem", folder / f"{name}.key.pem"
    root = ca.cert_pem.bytes()
    chain.write_bytes(b"".join(pem.bytes() for pem in server.cert_chain_pems) + root)
    key.write_bytes(server.private_key_pem.bytes())
    digest = sha256(ssl.PEM_cert_to_DER_cert(root.decode())).hexdigest()
    return Authority(ca, root, f"sha256:{digest}", chain, key)


class Listening(NamedTuple):
    """A door that listens, and what came over it: (connection number, method, path, body)."""

    url: str
    came: list[tuple[int, str, str, bytes]]
    connections: list[int]


@contextlib.contextmanager
def listening(
    authority: Authority,
    answer: Handler = lambda method, path, body, headers: (200, {}, b"{}"),
    *,
    client_ca: bytes | None = None,
    port: int = 0,
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    keep: bool = True,
) -> Iterator[Listening]:
    """A door on 127.0.0.1 until the block ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = version
    context.num_tickets = 0
    context.load_cert_chain(authority.chain, authority.key)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_ca.decode())
    came: list[tuple[int, str, str, bytes]] = []
    connections: list[int] = []

    class Asked(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def setup(self) -> None:
            super().setup()
            connections.append(len(connections))
            self.number = connections[-1]

        def handle(self) -> None:
            with contextlib.suppress(OSError):
                super().handle()

        def log_message(self, *arguments: Any) -> None:
            pass

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            came.append((self.number, self.command, self.path, body))
            given = {name.lower(): value for name, value in self.headers.items()}
            given["peer"] = (self.connection.getpeercert(binary_form=True) or b"").hex()
            status, headers, sent = answer(self.command, self.path, body, given)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 304:
                self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            if status != 304:
                self.wfile.write(sent)
            self.close_connection = self.close_connection or not keep

        do_GET = do_POST = do_PUT = _answer  # noqa: N815 - names of the standard library's

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def get_request(self) -> Any:
            sock, address = super().get_request()
            sock.settimeout(10)
            return context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False), address

        def handle_error(self, *arguments: Any) -> None:
            pass

    server = Server(("127.0.0.1", port), Asked)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Listening(f"https://localhost:{server.server_address[1]}", came, connections)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
