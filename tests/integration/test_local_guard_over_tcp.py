"""A guarded server on 127.0.0.1, asked as web pages and programs ask it."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from halocline.adapters.asgi.answers import Answer, send_answer
from halocline.adapters.asgi.listen import Listen, opened
from halocline.adapters.asgi.local_guard import LocalGuard, local_hosts
from halocline.adapters.asgi.server import Server
from halocline.serving.admission import Admission

TOKEN = {"Authorization": "Bearer s3cret"}


@pytest.fixture
def guarded() -> Iterator[tuple[int, list[str]]]:
    """The port, and the paths that got through."""
    through: list[str] = []

    async def app(scope, receive, send) -> None:
        through.append(scope["path"])
        await send_answer(send, Answer(200, b"{}"))

    where = Listen(port=0)
    admission = Admission(max_queue=8, max_body_bytes=1000, max_held_bytes=1000)
    with opened(where) as bound:
        port = bound.getsockname()[1]
        listens = threading.Event()
        server = Server(
            LocalGuard(app, token="s3cret", hosts=local_hosts(port)), admission, where, on_started=listens.set
        )
        thread = threading.Thread(target=server.run, args=([bound],))
        thread.start()
        try:
            assert listens.wait(30)
            yield port, through
        finally:
            server.should_exit = True
            thread.join()


def ask(port: int, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_program_that_has_the_token_is_answered(guarded: tuple[int, list[str]]) -> None:
    port, through = guarded
    assert ask(port, "POST", "/v2/models/edge/infer", TOKEN, b"{}") == 200
    assert ask(port, "GET", "/v2/health/live", {}) == 200
    assert through == ["/v2/models/edge/infer", "/v2/health/live"]


def test_a_page_of_another_site_cannot_post_here(guarded: tuple[int, list[str]]) -> None:
    port, through = guarded
    page = {"Origin": "https://evil.example", "Content-Type": "text/plain", "Sec-Fetch-Site": "cross-site"}
    assert ask(port, "POST", "/v2/models/edge/infer", {**page, **TOKEN}, b"{}") == 403
    assert ask(port, "OPTIONS", "/v2/models/edge/infer", page) == 403, "no preflight is answered"
    assert through == []


def test_a_name_rebound_to_this_machine_is_not_answered(guarded: tuple[int, list[str]]) -> None:
    port, through = guarded
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1.evil.example:{port}"):
        assert ask(port, "POST", "/v2/models/edge/infer", {"Host": host, **TOKEN}, b"{}") == 403
    assert through == []


def test_a_target_in_absolute_form_does_not_get_round_the_check_of_host(
    guarded: tuple[int, list[str]],
) -> None:
    port, through = guarded
    with socket.create_connection(("127.0.0.1", port), 30) as sock:
        head = f"GET http://127.0.0.1:{port}/v2 HTTP/1.1\r\nHost: evil.example\r\n"
        sock.sendall(f"{head}Authorization: Bearer s3cret\r\n\r\n".encode())
        assert sock.recv(1000).startswith(b"HTTP/1.1 403")
    assert through == []


def test_a_refused_body_that_goes_on_for_long_is_ended(guarded: tuple[int, list[str]]) -> None:
    port, through = guarded
    with socket.create_connection(("127.0.0.1", port), 30) as sock:
        head = f"POST /v2/models/edge/infer HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        sock.sendall(f"{head}Content-Length: 1000000000\r\n\r\n".encode())
        until_s = time.monotonic() + 30
        came = b""
        while data := sock.recv(4096):
            came += data
            assert time.monotonic() < until_s
    assert came.startswith(b"HTTP/1.1 401")
    assert through == []
