"""Ten thousand requests made to harm: the server goes on, says what is wrong, and stays small."""

import contextlib
import random
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from servers import Running, identity, linear, picky, serving

from halocline.wire import oip

SEED = 20261101
REQUESTS = 10_000
MAX_GROWTH_BYTES = 64 * 1024 * 1024
EXPECTED = {200, 400, 404, 405, 408, 413, 415, 429, 431, 500, 503}

MODELS = {
    "linear": {"x": np.ones((2, 3), np.float32)},
    "picky": {"x": np.array([0, 2], np.int64)},
    "bytes": {"x": np.array([[b"a", b"bc", b""]], object)},
}
SPITE = [
    b"NaN", b"-1", b"1e999", b"9" * 30, b"null", b"[", b"]", b"{", b"}", b'"', b"\\u0000", b"\xff", b"\x00",
    b"FP16", b"BYTES", b"INT64", b"[[[[[[", b"0", b"2147483647", b"true", b'"data":[1]', b"7",
    b'"binary_data_size":99', b'"outputs":[{"name":"z"}],', b'"shape":[]', b"{}" * 50,
]  # fmt: skip
HEADERS = [
    b"Content-Encoding: gzip", b"Accept: \xff", b"X-Request-Id: \x80\x81", b"X-Request-Id: " + b"i" * 5_000,
    b"Expect: 100-continue", b"Connection: close", b"Upgrade: websocket", b"Content-Type: text/plain",
    b"Inference-Header-Content-Length: 5", b"Inference-Header-Content-Length: 99999999999999999999",
    b"Inference-Header-Content-Length: -3", b"Cookie: " + b"c" * 20_000, b"A: b\r\nA: b\r\nA: b",
]  # fmt: skip
PATHS = [
    b"/v2", b"/v2/", b"//", b"/", b"*", b"/v2/models//infer", b"/v2/models/linear/versions//infer",
    b"/v2/models/%00/infer", b"/v2/models/%ff%fe", b"/v2/models/" + b"n" * 3_000, b"/v2/health/ready?x=%",
    b"/metrics", b"/v2/models/linear/versions/2/infer", b"http://else/v2", b"/..%2f..%2fetc/passwd",
]  # fmt: skip
METHODS = [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH"]


def damaged(rng: random.Random, data: bytes) -> bytes:
    """The bytes with a few places cut, doubled, or replaced by something spiteful."""
    body = bytearray(data)
    for _ in range(rng.randrange(4)):
        at = rng.randrange(len(body) + 1)
        upto = min(len(body), at + rng.randrange(12))
        match rng.randrange(3):
            case 0:
                body[at:upto] = rng.choice(SPITE)
            case 1:
                body[at:upto] = rng.randbytes(rng.randrange(8))
            case _:
                body[at:at] = body[at:upto] * rng.randrange(1, 50)
    return bytes(body)


def request(rng: random.Random) -> tuple[bytes, bool]:
    """One request, and whether it is framed well enough that one whole answer is certain to come."""
    name = rng.choice(list(MODELS))
    encoded = oip.encode_request(MODELS[name], request_id=f"f-{rng.random()}", binary=rng.random() < 0.7)
    body = damaged(rng, b"".join(encoded.parts))
    path, method = b"/v2/models/%b/infer" % name.encode(), b"POST"
    headers = [b"Host: h"]
    if encoded.header_bytes is not None:
        moved = encoded.header_bytes + rng.choice([0, 0, 0, 1, -1, len(body), rng.randrange(-300, 300)])
        headers.append(b"Inference-Header-Content-Length: %d" % moved)
    whole = True
    match rng.randrange(12):
        case 0:
            headers.append(rng.choice(HEADERS))
            whole = False
        case 1:
            path, method, body = rng.choice(PATHS), rng.choice(METHODS), b""
            whole = False
        case 2:
            body = body[: rng.randrange(len(body) + 1)]
            headers.append(b"Content-Length: %d" % (len(body) + rng.choice([-1, 5, 10**9, 10**18])))
            return b"\r\n".join([b"%b %b HTTP/1.1" % (method, path), *headers, b"", body]), False
        case 3:
            chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:50], body[50:]) if part)
            headers.append(b"Transfer-Encoding: chunked")
            body = chunks + rng.choice([b"0\r\n\r\n", b"0\r\n", b"zz\r\n", b""])
            return b"\r\n".join([b"%b %b HTTP/1.1" % (method, path), *headers, b"", body]), False
        case _:
            pass
    headers.append(b"Content-Length: %d" % len(body))
    sent = b"\r\n".join([b"%b %b HTTP/1.1" % (method, path), *headers, b"", body])
    if rng.random() < 0.03:
        return damaged(rng, sent[:200]) + sent[200:], False
    return sent, whole


def answer(connection: socket.socket) -> tuple[int, bytes]:
    """One whole answer: status and head."""
    came = b""
    while b"\r\n\r\n" not in came:
        data = connection.recv(65_536)
        assert data, "closed without an answer"
        came += data
    head, _, body = came.partition(b"\r\n\r\n")
    length = int(re.search(rb"content-length: (\d+)", head)[1])
    while len(body) < length:
        body += connection.recv(65_536)
    return int(head[9:12]), head


def until_closed(connection: socket.socket) -> list[int]:
    """The statuses of all that comes before the server closes."""
    connection.shutdown(socket.SHUT_WR)
    came = b""
    with contextlib.suppress(ConnectionError):
        while data := connection.recv(65_536):
            came += data
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", came)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("models")
    models = [linear(folder), picky(folder), identity(folder, "BYTES")]
    with serving(*models, max_body_bytes=1_000_000) as running:
        yield running


def test_ten_thousand_requests_made_to_harm_do_none(server: Running) -> None:
    rng = random.Random(SEED)
    seen: Counter[int] = Counter()
    failed_ids: list[str] = []
    rss_bytes = 0

    def connect() -> socket.socket:
        return socket.create_connection(("127.0.0.1", server.port), timeout=5)

    kept = connect()
    for at in range(REQUESTS):
        sent, whole = request(rng)
        if whole:
            kept.sendall(sent)
            status, head = answer(kept)
            seen[status] += 1
            if status == 500:
                failed_ids.append(re.search(rb"x-request-id: (\S*)", head)[1].decode())
            if b"connection: close" in head:
                kept.close()
                kept = connect()
        else:
            with connect() as once:
                with contextlib.suppress(ConnectionError):
                    once.sendall(sent)
                seen.update(until_closed(once) if once.fileno() >= 0 else [])
        if at == REQUESTS // 10:
            rss_bytes = psutil.Process(server.process.pid).memory_info().rss
    kept.close()

    assert server.process.poll() is None
    assert seen.keys() - {100} <= EXPECTED, seen
    assert min(seen[200], seen[400], seen[404]) > 100, seen
    assert seen[500] > 0
    log = server.log.read_text(errors="replace")
    for each in failed_ids:
        assert f"request {each!r} failed" in log
    assert log.count("Traceback") == log.count(" failed\n") >= len(failed_ids)
    assert "Exception in ASGI" not in log
    assert psutil.Process(server.process.pid).memory_info().rss - rss_bytes < MAX_GROWTH_BYTES
    for name, feed in MODELS.items():
        assert len(server.infer(name, feed).outputs) == 1
    page = server.get("/metrics")[1].decode()
    assert "halocline_server_requests_in_progress 0.0" in page


def test_the_memory_held_for_bodies_is_given_back(tmp_path: Path) -> None:
    path, body = "/v2/models/linear/infer", b"x" * 400_000
    half = f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 450000\r\n\r\n".encode() + body
    with serving(linear(tmp_path), max_body_bytes=500_000, max_held_bytes=900_000) as running:
        with contextlib.ExitStack() as stack:
            for _ in range(2):
                sender = stack.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=5))
                sender.sendall(half)
            time.sleep(0.5)  # until the server has read what was sent
            status, headers, answer = running.ask("POST", path, body)
            assert (status, headers["retry-after"]) == (429, "1"), answer
        time.sleep(0.5)
        assert running.ask("POST", path, body)[0] == 400
