"""The server keeps its promises to those who call it: answers, errors, limits, readiness, drain, TLS."""

import contextlib
import json
import re
import signal
import socket
import ssl
import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import trustme
from forked import impatient_server
from servers import Running, identity, linear, picky, serving, slow, start

from halocline.adapters.asgi.protocol import HEAD_TIMEOUT_S
from halocline.wire import oip

ROW = {"x": np.ones((1, 3), np.float32)}
JSON_ROW = b'{"id":"a-1","inputs":[{"name":"x","datatype":"FP32","shape":[1,3],"data":[1,1,1]}]}'
INFER = "/v2/models/linear/infer"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("models")
    for version in ("1", "9", "10"):
        linear(folder / "laid-out" / "many" / version, name="model", seed=int(version))
    with serving(
        linear(folder / "single"),
        picky(folder / "single"),
        identity(folder / "single", "BYTES"),
        folder / "laid-out",
        max_body_bytes=100_000,
        max_rows=100,
        access_log=folder / "access.jsonl",
        body_timeout_s=0.5,
    ) as running:
        yield running


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("GET", "/v2", 200, '"name":"halocline"'),
        ("GET", "/v2/", 200, '"name":"halocline"'),
        ("GET", "/v2/health/live", 200, '{"live":true}'),
        ("GET", "/v2/health/ready", 200, '{"ready":true}'),
        ("GET", "/v2/models", 200, '{"models":["bytes","linear","many","picky"]}'),
        ("GET", "/v2/models/many", 200, '"versions":["10","9","1"]'),
        ("GET", "/v2/models/many", 200, '"version":"10"'),
        ("GET", "/v2/models/many/versions/9", 200, '"version":"9"'),
        ("GET", "/v2/models/many/ready", 200, '{"name":"many","ready":true}'),
        ("GET", "/v2/models/many/versions/9/ready", 200, '"ready":true'),
        ("GET", "/v2/models/nothing", 404, "no model 'nothing' here; there is bytes, linear, many, picky"),
        ("GET", "/v2/models/many/versions/8", 404, "no version '8' of many here; there is 10, 9, 1"),
        ("GET", "/v2/models/many/config", 404, "nothing at"),
        ("GET", "/", 404, "nothing at"),
        ("GET", "/v2/models/a%2Fb", 404, "no model 'a' here"),
        ("POST", "/v2/models/nothing/infer", 404, "no model 'nothing' here"),
        ("POST", "/v2/models/many/versions/8/infer", 404, "no version '8'"),
        ("GET", INFER, 405, "only POST here"),
        ("POST", "/v2", 405, "only GET, HEAD here"),
        ("DELETE", "/v2/models/linear", 405, "only GET, HEAD here"),
    ],
)
def test_each_path_answers_in_the_protocols_form(
    server: Running, method: str, path: str, status: int, says: str
) -> None:
    came, headers, body = server.ask(method, path)
    assert came == status
    assert headers["content-type"] == "application/json"
    assert says in body.decode()
    if status >= 400:
        assert json.loads(body).keys() == {"error"}
    if status == 405:
        assert headers["allow"] in says.replace("only ", "")


def test_a_head_request_has_no_body(server: Running) -> None:
    status, headers, body = server.ask("HEAD", "/v2/health/ready")
    assert (status, body) == (200, b"")
    assert headers["content-length"] == "14"


def test_the_id_of_the_request_comes_back(server: Running) -> None:
    _, _, body = server.ask("POST", INFER, JSON_ROW)
    assert json.loads(body)["id"] == "a-1"
    status, headers, _ = server.ask("POST", INFER, JSON_ROW.replace(b"[1,3]", b"[3,1]"))
    assert (status, headers["x-request-id"]) == (400, "a-1")
    _, headers, _ = server.ask("POST", INFER, b"{", {"X-Request-Id": "b-2"})
    assert headers["x-request-id"] == "b-2"


def test_a_version_is_reached_by_name_and_the_latest_without(server: Running) -> None:
    latest = server.infer("many", ROW)
    ninth = server.infer("many/versions/9", ROW)
    assert (latest.model_version, ninth.model_version) == ("10", "9")
    assert not np.array_equal(latest.outputs["p"], ninth.outputs["p"])


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"", {}, 400, "HAL-501"),
        (b"{", {}, 400, "HAL-501"),
        (b"[]", {}, 400, "HAL-501"),
        (b'{"inputs":[]}', {}, 400, "HAL-301"),
        (JSON_ROW, {oip.HEADER_LENGTH: "999"}, 400, "HAL-501"),
        (JSON_ROW, {oip.HEADER_LENGTH: "-1"}, 400, "HAL-501"),
        (JSON_ROW, {oip.HEADER_LENGTH: "ten"}, 400, "HAL-501"),
        (JSON_ROW.replace(b"FP32", b"FP64"), {}, 400, "HAL-302"),
        (JSON_ROW.replace(b"[1,3]", b"[3,1]"), {}, 400, "HAL-301"),
        (JSON_ROW.replace(b'"x"', b'"z"'), {}, 400, "HAL-301"),
        (JSON_ROW.replace(b"[1,1,1]", b"[1,1,NaN]"), {}, 400, "HAL-501"),
        (JSON_ROW[:-1] + b',"outputs":[{"name":"q"}]}', {}, 400, "HAL-501"),
        (JSON_ROW, {"Content-Encoding": "gzip"}, 415, ""),
        (b"x" * 100_001, {}, 413, "HAL-504"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_its_reason(
    server: Running, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    came, _, answer = server.ask("POST", INFER, body, headers)
    assert came == status
    assert code in json.loads(answer)["error"]


def test_nan_in_binary_is_refused_and_the_neighbours_are_answered(server: Running) -> None:
    with ThreadPoolExecutor(8) as pool:
        rows = [np.full((1, 3), np.nan if at % 4 == 0 else at, np.float32) for at in range(40)]

        def ask(row: np.ndarray) -> tuple[int, bytes]:
            encoded = oip.encode_request({"x": row}, request_id="", binary=True)
            headers = {oip.HEADER_LENGTH: str(encoded.header_bytes)}
            status, _, body = server.ask("POST", INFER, b"".join(encoded.parts), headers)
            return status, body

        answers = list(pool.map(ask, rows))
    for at, (status, body) in enumerate(answers):
        assert status == (400 if at % 4 == 0 else 200)
        assert ("HAL-303" in body.decode("latin-1")) == (at % 4 == 0)


def test_too_many_rows_are_refused(server: Running) -> None:
    encoded = oip.encode_request({"x": np.ones((101, 3), np.float32)}, request_id="", binary=False)
    status, _, body = server.ask("POST", INFER, encoded.parts[0])
    assert (status, "101 rows, the limit is 100" in body.decode()) == (413, True)


def test_a_500_has_its_cause_in_the_log_under_the_requests_id(server: Running) -> None:
    index = {"x": np.array([7], np.int64)}
    encoded = oip.encode_request(index, request_id="find-me", binary=False)
    status, headers, body = server.ask("POST", "/v2/models/picky/infer", encoded.parts[0])
    assert (status, headers["x-request-id"]) == (500, "find-me")
    assert "HAL-505" in body.decode()
    assert "Gather" not in body.decode()
    log = server.log.read_text()
    assert re.search(r"request 'find-me' failed(.|\n)*Gather", log)
    assert server.infer("picky", {"x": np.array([2], np.int64)}).outputs["y"].tolist() == [2.0]


def test_strings_reach_the_model_as_text(server: Running) -> None:
    value = np.array([[b"a", "\u00e9".encode(), b""]], object)
    assert server.infer("bytes", {"x": value}).outputs["y"].tolist() == value.tolist()
    value[0, 0] = b"\xff"
    encoded = oip.encode_request({"x": value}, request_id="", binary=True)
    headers = {oip.HEADER_LENGTH: str(encoded.header_bytes)}
    status, _, body = server.ask("POST", "/v2/models/bytes/infer", b"".join(encoded.parts), headers)
    assert (status, "not UTF-8" in body.decode()) == (400, True)


def test_a_length_above_the_limit_is_refused_before_the_body_comes(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        raw.sendall(f"POST {INFER} HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000000\r\n\r\n".encode())
        answer = raw.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in answer


def test_a_streamed_body_is_cut_off_at_the_limit(server: Running) -> None:
    chunk = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        raw.sendall(f"POST {INFER} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                raw.sendall(chunk)
        assert raw.recv(65_536).startswith(b"HTTP/1.1 413 ")


def test_a_streamed_body_within_the_limit_is_answered(server: Running) -> None:
    status, _, body = server.ask("POST", INFER, iter([JSON_ROW[:20], JSON_ROW[20:]]))
    assert (status, json.loads(body)["id"]) == (200, "a-1")


def test_a_body_that_does_not_come_is_not_waited_for_for_ever(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        raw.sendall(f"POST {INFER} HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{{".encode())
        assert raw.recv(65_536).startswith(b"HTTP/1.1 408 ")


def test_a_slow_body_is_waited_for_as_long_as_it_comes(server: Running) -> None:
    def trickle() -> Iterator[bytes]:
        for at in range(0, 60_000, 6_000):
            yield b" " * 6_000
            time.sleep(0.12 if at else 0.0)
        yield JSON_ROW

    assert server.ask("POST", INFER, trickle())[0] == 200


def test_a_head_that_is_begun_has_to_come(tmp_path: Path) -> None:
    with serving(linear(tmp_path), run=impatient_server) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=HEAD_TIMEOUT_S) as raw:
            raw.sendall(b"GET /v2/health/ready HTTP/1.1\r\n")
            assert raw.recv(65_536).startswith(b"HTTP/1.1 408 ")


def test_what_is_left_of_a_refused_body_is_no_head(server: Running) -> None:
    with contextlib.closing(server.connection()) as kept:
        for _ in range(2):
            kept.request("POST", "/v2/models/nothing/infer", b"x" * 1_000_000)
            assert kept.getresponse().read().startswith(b'{"error":"no model')


def test_a_head_without_end_is_cut_off(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        raw.sendall(b"GET /v2 HTTP/1.1\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                raw.sendall(b"X: " + b"y" * 4_000 + b"\r\n")
        assert raw.recv(65_536).startswith(b"HTTP/1.1 431 ")


def test_what_is_no_http_is_refused_in_the_protocols_form(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        raw.sendall(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
        head, _, body = raw.recv(65_536).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert json.loads(body).keys() == {"error"}


def test_pipelined_requests_are_answered_in_their_order(server: Running) -> None:
    requests = b"".join(
        f"POST {INFER} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(JSON_ROW)}\r\n\r\n".encode()
        + JSON_ROW.replace(b"a-1", b"p-%d" % at)
        for at in range(5)
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        raw.sendall(requests)
        came = b""
        while came.count(b"HTTP/1.1 200") < 5 or not came.endswith(b"]}]}"):
            came += raw.recv(65_536)
    assert re.findall(rb"p-\d", came) == [b"p-0", b"p-1", b"p-2", b"p-3", b"p-4"]


def test_the_access_log_holds_each_request_before_its_answer_is_sent(tmp_path: Path) -> None:
    log = tmp_path / "access.jsonl"
    with serving(linear(tmp_path), picky(tmp_path), access_log=log) as running:
        before_s = time.time()
        running.infer("linear", {"x": np.ones((3, 3), np.float32)})
        assert len(log.read_text().splitlines()) == 1
        running.ask("POST", INFER, b"{", {"X-Request-Id": "bad"})
        running.ask("POST", "/v2/models/nothing/infer", b"{")
        lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(each["id"], each["model"], each["rows"], each["status"]) for each in lines] == [
        ("r-1", "linear", 3, 200),
        ("bad", "linear", 0, 400),
        ("", "", 0, 404),
    ]
    assert before_s - 0.01 <= lines[0]["received_s"] <= time.time()
    assert 0 < lines[0]["seconds"] < 5


def value(page: str, name: str, **labels: str) -> float:
    wanted = "".join(f'(?=[^}}]*{key}="{re.escape(text)}")' for key, text in labels.items())
    found = re.search(rf"^{name}\{{{wanted}[^}}]*\}} (\S+)$", page, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_metrics_count_what_happened(tmp_path: Path) -> None:
    with serving(linear(tmp_path)) as running:
        for _ in range(3):
            running.infer("linear", {"x": np.ones((2, 3), np.float32)})
        running.ask("POST", INFER, b"{")
        running.ask("POST", "/v2/models/other/infer", b"{")
        status, headers, body = running.ask("GET", "/metrics")
    page = body.decode()
    assert (status, headers["content-type"].split(";")[0]) == (200, "text/plain")
    model = {"model": "linear", "version": "1"}
    assert value(page, "halocline_server_requests_total", **model, status="200") == 3
    assert value(page, "halocline_server_requests_total", **model, status="400") == 1
    assert value(page, "halocline_server_requests_total", model="", status="404") == 1
    assert value(page, "halocline_server_rows_total", **model) == 6
    assert value(page, "halocline_server_batch_rows_sum", **model) == 6
    assert value(page, "halocline_server_request_duration_seconds_count", **model) == 4
    assert "halocline_server_requests_in_progress 0.0" in page
    assert "halocline_server_ready 1.0" in page


def in_background(running: Running, count: int, *, ms: int) -> list[tuple[int, dict[str, str]]]:
    """Ask so many times at once; the answers are added to the list as they come."""
    answers: list[tuple[int, dict[str, str]]] = []
    body = b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,1],"data":[%d]}]}' % ms

    def ask() -> None:
        status, headers, _ = running.ask("POST", "/v2/models/slow/infer", body)
        answers.append((status, headers))

    for _ in range(count):
        threading.Thread(target=ask, daemon=True).start()
    return answers


def wait_for(condition, timeout_s: float = 10.0) -> None:
    until_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until_s, "it did not come to pass"
        time.sleep(0.01)


def inside(running: Running) -> float:
    page = running.get("/metrics")[1].decode()
    return float(re.search(r"^halocline_server_requests_in_progress (\S+)$", page, re.MULTILINE)[1])


def test_a_full_server_refuses_with_a_time_to_come_back_and_recovers(tmp_path: Path) -> None:
    with serving(slow(tmp_path), max_queue=4, max_batch=1) as running:
        answers = in_background(running, 12, ms=200)
        wait_for(lambda: len(answers) == 12, 30)
        assert {status for status, _ in answers} == {200, 429}
        assert sum(status == 200 for status, _ in answers) >= 4
        assert all(1 <= int(headers["retry-after"]) <= 30 for status, headers in answers if status == 429)
        assert running.get("/v2/health/ready")[0] == 200
        answers = in_background(running, 1, ms=1)
        wait_for(lambda: len(answers) == 1, 30)
        assert answers[0][0] == 200


def test_draining_finishes_what_is_inside_and_refuses_what_comes(tmp_path: Path) -> None:
    with serving(slow(tmp_path), linear(tmp_path)) as running:
        kept = running.connection()
        kept.request("GET", "/v2/health/ready")
        assert kept.getresponse().read() == b'{"ready":true}'
        answers = in_background(running, 2, ms=700)
        wait_for(lambda: inside(running) == 2)
        running.process.send_signal(signal.SIGTERM)
        wait_for(lambda: running.get("/v2/health/ready")[0] == 503)
        kept.request("POST", INFER, JSON_ROW)
        refused = kept.getresponse()
        assert (refused.status, refused.getheader("retry-after")) == (503, "1")
        assert "stopping" in refused.read().decode()
        assert running.get("/v2/health/live")[0] == 200
        assert running.process.wait(30) == 0
        kept.close()
    assert [status for status, _ in answers] == [200, 200]


def test_a_second_signal_ends_the_server_at_once(tmp_path: Path) -> None:
    with serving(slow(tmp_path), max_batch=1) as running:
        in_background(running, 3, ms=30_000)
        wait_for(lambda: inside(running) == 3)
        running.process.send_signal(signal.SIGINT)
        wait_for(lambda: running.get("/v2/health/ready")[0] == 503)
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(5) == 1
        assert "stopped with 3 requests unanswered" in running.log.read_text()


def test_a_drain_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with serving(slow(tmp_path), drain_s=0.2) as running:
        in_background(running, 1, ms=30_000)
        wait_for(lambda: inside(running) == 1)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(10) == 1


def test_an_idle_server_stops_within_a_second(tmp_path: Path) -> None:
    with serving(linear(tmp_path)) as running:
        with contextlib.closing(running.connection()) as kept:
            kept.request("GET", "/v2")
            kept.getresponse().read()
            started_s = time.monotonic()
            running.process.send_signal(signal.SIGTERM)
            assert running.process.wait(10) == 0
        assert time.monotonic() - started_s < 2.0


def test_too_many_connections_are_refused_and_the_others_live(tmp_path: Path) -> None:
    with serving(linear(tmp_path), max_connections=3) as running:
        held = [socket.create_connection(("127.0.0.1", running.port), timeout=5) for _ in range(3)]
        with socket.create_connection(("127.0.0.1", running.port), timeout=5) as refused:
            assert refused.recv(65_536).startswith(b"HTTP/1.1 503 ")
        held[0].sendall(b"GET /v2/health/ready HTTP/1.1\r\nHost: h\r\n\r\n")
        assert held[0].recv(65_536).startswith(b"HTTP/1.1 200 ")
        for each in held:
            each.close()
        wait_for(lambda: running.get("/v2")[0] == 200)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    folder = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    issued = ca.issue_cert("127.0.0.1", "localhost")
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    for pem in issued.cert_chain_pems:
        pem.write_to_path(str(folder / "cert.pem"), append=True)
    return ca, folder


def handshake(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", port), timeout=5)
    try:
        secure = context.wrap_socket(raw, server_hostname="127.0.0.1")
        secure.sendall(b"GET /v2/health/ready HTTP/1.1\r\nHost: h\r\n\r\n")
        if not secure.recv(65_536).startswith(b"HTTP/1.1 200 "):
            raise ConnectionResetError("no answer")
    except BaseException:
        raw.close()
        raise
    return secure


def test_tls_is_1_3_and_lets_in_whom_it_should(tmp_path: Path, authority: tuple[trustme.CA, Path]) -> None:
    ca, folder = authority
    files = {"cert": folder / "cert.pem", "key": folder / "key.pem", "client_ca": folder / "ca.pem"}
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    with serving(linear(tmp_path), **files) as running:
        assert running.url.startswith("https://127.0.0.1:")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            handshake(running.port, context)
        stranger = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        trustme.CA().issue_cert("stranger").configure_cert(stranger)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            handshake(running.port, stranger)
        ca.issue_cert("device-1").configure_cert(context)
        with handshake(running.port, context) as secure:
            assert secure.version() == "TLSv1.3"
            assert secure.session is None or not secure.session.has_ticket
        old = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionError)):
            handshake(running.port, old)


def test_a_unix_socket_is_the_owners_alone_and_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "server.sock"
    with serving(linear(tmp_path), uds=path) as running:
        assert running.url == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as raw:
            raw.connect(str(path))
            raw.sendall(b"GET /v2/health/ready HTTP/1.1\r\nHost: h\r\n\r\n")
            assert raw.recv(65_536).startswith(b"HTTP/1.1 200 ")
        second = start(linear(tmp_path), uds=path)
        assert (second.returncode, "HAL-107" in second.stderr) == (2, True)
    assert not path.exists()


def test_a_socket_that_a_dead_server_left_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "server.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    with serving(linear(tmp_path), uds=path) as running:
        assert running.url == f"unix:{path}"


def test_a_server_that_cannot_be_set_up_ends_with_one_line(
    tmp_path: Path, authority: tuple[trustme.CA, Path]
) -> None:
    model = linear(tmp_path)
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    (tmp_path / "file").write_text("")
    _, tls = authority
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        cases = [
            ((model,), {"port": port}, "HAL-107", str(port)),
            ((model,), {"host": "203.0.113.1"}, "HAL-106", "--allow-plaintext"),
            ((model,), {"host": "203.0.113.1", "allow_plaintext": True}, "HAL-107", "203.0.113.1"),
            ((model,), {"host": "no.such.host.invalid", "allow_plaintext": True}, "HAL-107", "no.such.host"),
            ((tmp_path / "junk.onnx",), {}, "HAL-201", "junk.onnx"),
            ((tmp_path / "missing.onnx",), {}, "HAL-201", "missing.onnx"),
            ((), {}, "HAL-206", "halocline serve MODEL.onnx"),
            ((model, model), {}, "HAL-206", "linear@1"),
            ((model,), {"max_batch": 0}, "HAL-101", "--max-batch"),
            ((model,), {"cert": tls / "cert.pem"}, "HAL-108", "--key"),
            ((model,), {"cert": tls / "cert.pem", "key": tls / "ca.pem"}, "HAL-108", "ca.pem"),
            ((model,), {"cert": tls / "no.pem", "key": tls / "key.pem"}, "HAL-108", "no.pem"),
            ((model,), {"access_log": tmp_path / "file" / "log"}, "HAL-101", "--access-log"),
            ((model,), {"uds": tmp_path / "file"}, "HAL-107", "not a socket"),
        ]
        with ThreadPoolExecutor(2) as pool:
            for (models, options, code, says), done in zip(
                cases, pool.map(lambda case: start(*case[0], **case[1]), cases), strict=True
            ):
                last = done.stderr.splitlines()[-1]
                assert done.returncode == 2, (models, options, done.stderr)
                assert code in last
                assert says in last
                assert "Traceback" not in done.stderr
                assert not done.stdout


def test_plaintext_on_an_open_address_warns_where_it_is_allowed(tmp_path: Path) -> None:
    with serving(linear(tmp_path), host="0.0.0.0", allow_plaintext=True) as running:
        assert running.get("/v2/health/ready")[0] == 200
        assert "plaintext on 0.0.0.0" in running.log.read_text()
