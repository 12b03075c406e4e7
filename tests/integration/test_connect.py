"""How a device finds its cloud: addresses, secrets, proxies, and servers that do less than ours."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import trustme

import halocline as hc
from halocline.testing.faults import Fault, FaultServer

FEED = {"x": np.full((1, 64), 0.5, np.float32)}


@pytest.mark.parametrize(
    ("url", "code", "says"),
    [
        ("ftp://hub/v2/models/cloud", "HAL-104", "must begin with https://"),
        ("hub:8443/v2/models/cloud", "HAL-104", "must begin with https://"),
        ("https://hub:8443", "HAL-104", "names no model"),
        ("https://hub:8443/v2/models/", "HAL-104", "names no model"),
        ("https://hub:port/v2/models/cloud", "HAL-104", "is not a URL"),
        ("https://me:secret@hub/v2/models/cloud", "HAL-104", 'token="env:NAME"'),
        ("http://hub.example/v2/models/cloud", "HAL-106", "plaintext"),
        ("http://127.evil.example/v2/models/cloud", "HAL-106", "plaintext"),
        ("http://localhost.evil.example/v2/models/cloud", "HAL-106", "plaintext"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_in_one_line(url: str, code: str, says: str) -> None:
    with pytest.raises(hc.Misconfigured) as caught:
        hc.connect(url)
    assert caught.value.code == code
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("env:HAL_TEST_ABSENT", "is not set"),
        ("file:/nowhere/token", "cannot be read"),
        ("s3cr3t", "by reference"),
    ],
)
def test_a_secret_that_is_not_there_is_named_and_never_printed(token: str, says: str) -> None:
    with pytest.raises(hc.Misconfigured, match="HAL-105") as caught:
        hc.connect("https://hub/v2/models/cloud", token=token)
    assert says in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_a_header_cannot_smuggle_a_line() -> None:
    with pytest.raises(hc.Misconfigured, match="HAL-102"):
        hc.connect("https://hub/v2/models/cloud", headers={"X-Site": "a\r\nHost: evil"})


def test_a_certificate_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(hc.Misconfigured, match=r"nothing\.pem"):
        hc.connect("https://hub/v2/models/cloud", ca=tmp_path / "nothing.pem")


def test_a_server_without_the_binary_extension_is_asked_in_json() -> None:
    with FaultServer(binary=False) as server, hc.connect(server.url) as cloud:
        cloud.wait_ready()
        assert "JSON" in repr(cloud)
        answer = cloud.infer(FEED, timeout_s=2.0)
        assert np.allclose(answer.outputs["probabilities"].sum(), 1.0)


def test_the_only_input_is_given_the_name_that_the_cloud_model_knows() -> None:
    with FaultServer() as server, hc.connect(server.url) as cloud:
        cloud.wait_ready()
        assert cloud.infer({"pixels": FEED["x"]}, timeout_s=2.0).outputs


def test_no_answer_at_all_is_an_error_that_names_place_and_cause() -> None:
    with FaultServer(mode=Fault.REFUSE) as server, hc.connect(server.url) as cloud:
        with pytest.raises(hc.Transient, match="HAL-404") as caught:
            cloud.wait_ready(0.3)
        assert str(server.port) in str(caught.value)
        assert "refused" in str(caught.value)


def test_a_model_that_the_server_does_not_have_is_told_in_the_servers_words() -> None:
    with FaultServer() as server, hc.connect(server.url.replace("cloud", "absent")) as cloud:
        asked_s = time.monotonic()
        with pytest.raises(hc.Rejected, match="HAL-403") as caught:
            cloud.wait_ready(10.0)  # waiting helps nothing: it says so at once
        assert time.monotonic() - asked_s < 5.0
        assert "404" in str(caught.value)


def test_closing_leaves_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with FaultServer() as server, hc.connect(server.url) as cloud:
        cloud.wait_ready()
        verdicts: list[object] = []
        cloud.send(FEED, call_id="a", on_verdict=verdicts.append)
        until_s = time.monotonic() + 2
        while not verdicts and time.monotonic() < until_s:
            time.sleep(0.01)
        assert len(verdicts) == 1
    assert set(threading.enumerate()) <= before


def test_a_connection_that_the_server_closed_while_idle_costs_no_answer() -> None:
    with FaultServer() as server, hc.connect(server.url) as cloud:
        cloud.wait_ready()
        cloud.infer(FEED)
        server.mode = Fault.REFUSE  # resets what is open
        server.mode = Fault.OK
        assert cloud.infer(FEED, timeout_s=2.0).outputs


def test_a_server_that_closes_after_each_answer_is_still_a_server() -> None:
    with FaultServer() as server, one_answer_a_connection(server.port) as port:
        url = f"http://127.0.0.1:{port}/v2/models/cloud"
        with hc.connect(url) as cloud:
            cloud.wait_ready(5.0)
            for _ in range(3):
                assert cloud.infer(FEED, timeout_s=5.0).outputs


def test_the_proxy_variables_are_honoured_with_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    ca.issue_cert("cloud.example").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "c.pem"))
    with FaultServer(cert=tmp_path / "c.pem") as server, connect_proxy(server.port) as (port, heads):
        monkeypatch.setenv("HTTPS_PROXY", f"http://fleet:p%40ss@127.0.0.1:{port}")
        url = "https://cloud.example:8443/v2/models/cloud"
        with hc.connect(url, ca=tmp_path / "ca.pem") as cloud:
            cloud.wait_ready(5.0)
            assert cloud.infer(FEED).outputs
        assert heads[0].startswith("CONNECT cloud.example:8443 HTTP/1.1")
        assert "Proxy-Authorization: Basic ZmxlZXQ6cEBzcw==" in heads[0]

        monkeypatch.setenv("NO_PROXY", "cloud.example")
        asked = len(heads)
        with hc.connect(url, ca=tmp_path / "ca.pem") as cloud:
            with pytest.raises(hc.Transient, match="HAL-404"):
                cloud.wait_ready(0.5)
        assert len(heads) == asked


def test_a_proxy_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with connect_proxy(None) as (port, _):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        with hc.connect("https://cloud.example:8443/v2/models/cloud") as cloud:
            with pytest.raises(hc.Transient, match=r"the proxy 127\.0\.0\.1 refused: HTTP/1\.1 407"):
                cloud.wait_ready(0.5)


def test_a_plaintext_request_goes_to_its_proxy_in_absolute_form(monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[str] = []

    def serve(peer: socket.socket) -> None:
        with peer:
            heads.append(read_head(peer).decode())
            peer.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with listening(serve) as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://fleet:pass@127.0.0.1:{port}")
        with hc.connect("http://cloud.example/v2/models/cloud", allow_plaintext=True) as cloud:
            with pytest.raises(hc.Rejected):
                cloud.wait_ready(0.5)
    assert heads[0].startswith("GET http://cloud.example:80/v2 HTTP/1.1\r\nHost: cloud.example\r\n")
    assert "Proxy-Authorization: Basic ZmxlZXQ6cGFzcw==" in heads[0]


@contextmanager
def listening(serve: object) -> Iterator[int]:
    """A socket whose connections are each handed to `serve` in a thread of its own."""
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                thread = threading.Thread(target=serve, args=(peer,), daemon=True)  # type: ignore[arg-type]
                threads.append(thread)
                thread.start()

        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        acceptor.join()
    for thread in threads:
        thread.join(5)


@contextmanager
def connect_proxy(target_port: int | None) -> Iterator[tuple[int, list[str]]]:
    """A CONNECT proxy that leads everything to one port here, 0 to the one asked for; None refuses all."""
    heads: list[str] = []

    def serve(peer: socket.socket) -> None:
        with peer:
            head = read_head(peer)
            heads.append(head.decode())
            if target_port is None:
                peer.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                return
            port = target_port or int(head.split()[1].rpartition(b":")[2])
            with socket.create_connection(("127.0.0.1", port)) as target:
                peer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=pump, args=(target, peer), daemon=True)
                back.start()
                pump(peer, target)
                back.join()

    with listening(serve) as port:
        yield port, heads


@contextmanager
def one_answer_a_connection(target_port: int) -> Iterator[int]:
    """A proxy that says `Connection: close` and means it."""

    def serve(peer: socket.socket) -> None:
        with peer, socket.create_connection(("127.0.0.1", target_port)) as target:
            target.sendall(peer.recv(65536))
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += target.recv(65536)
            peer.sendall(answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))

    with listening(serve) as port:
        yield port


def read_head(peer: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        data = peer.recv(1)
        if not data:
            break
        head += data
    return head


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass
