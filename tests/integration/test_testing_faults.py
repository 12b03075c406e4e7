"""The fault server plays each fault for real, and leaves nothing behind."""

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time

import numpy as np
import pytest
import trustme

from halocline.testing.answers import fixed_scores
from halocline.testing.faults import Fault, FaultServer, Scope

X = np.arange(128, dtype=np.float32).reshape(2, 64)
JSON_BODY = json.dumps(
    {"inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 64], "data": X.ravel().tolist()}]}
)
INFER = "/v2/models/cloud/infer"


def connection(server: FaultServer, timeout_s: float = 5.0) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout_s)


def infer(server: FaultServer, timeout_s: float = 5.0) -> http.client.HTTPResponse:
    asked = connection(server, timeout_s)
    asked.request("POST", INFER, JSON_BODY)
    return asked.getresponse()


def scores(response: http.client.HTTPResponse) -> np.ndarray:
    output = json.loads(response.read())["outputs"][0]
    return np.array(output["data"], np.float64).reshape(output["shape"])


def test_it_is_a_healthy_server_of_the_protocol_until_told_otherwise() -> None:
    with FaultServer() as server:
        asked = connection(server)
        for path, key in (
            ("/v2", "extensions"),
            ("/v2/models/cloud", "inputs"),
            ("/v2/health/ready", "ready"),
        ):
            asked.request("GET", path)
            assert json.loads(asked.getresponse().read())[key]
        np.testing.assert_allclose(scores(infer(server)), fixed_scores(X), rtol=1e-6)
        assert server.infer_count == 1
        assert [seen.path for seen in server.requests][-1] == INFER


def test_binary_tensors_give_the_same_answer_as_json() -> None:
    tensor = {"name": "x", "datatype": "FP32", "shape": [2, 64], "parameters": {"binary_data_size": X.nbytes}}
    header = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    with FaultServer() as server:
        asked = connection(server)
        headers = {"Inference-Header-Content-Length": str(len(header))}
        asked.request("POST", INFER, header + X.tobytes(), headers)
        response = asked.getresponse()
        body, json_bytes = response.read(), int(response.headers["Inference-Header-Content-Length"])
        assert json.loads(body[:json_bytes])["outputs"][0]["shape"] == [2, 10]
        np.testing.assert_array_equal(
            np.frombuffer(body[json_bytes:], "<f4").reshape(2, 10), fixed_scores(X).astype("<f4")
        )


def test_a_request_that_is_not_of_the_protocol_is_answered_with_400() -> None:
    with FaultServer() as server:
        asked = connection(server)
        asked.request("POST", INFER, "{}")
        assert asked.getresponse().status == 400


def test_refusing_resets_open_connections_and_the_same_port_comes_back() -> None:
    with FaultServer() as server:
        port, open_one = server.port, connection(server)
        open_one.request("GET", "/v2")
        open_one.getresponse().read()
        server.mode = Fault.REFUSE
        with pytest.raises(ConnectionRefusedError):
            infer(server)
        assert open_one.sock is not None
        open_one.sock.settimeout(1)
        with contextlib.suppress(ConnectionResetError):
            assert open_one.sock.recv(1) == b""
        server.mode = Fault.OK
        assert server.port == port
        assert infer(server).status == 200


def test_a_black_hole_reads_and_never_answers_and_metadata_still_comes() -> None:
    with FaultServer(mode=Fault.BLACK_HOLE) as server:
        with pytest.raises(TimeoutError):
            infer(server, timeout_s=0.3)
        assert server.infer_count == 1
        asked = connection(server)
        asked.request("GET", "/v2/models/cloud")
        assert asked.getresponse().status == 200


def test_a_black_hole_from_the_start_answers_nothing_at_all() -> None:
    with FaultServer(mode="black_hole", scope=Scope.CONNECTION) as server:
        asked = connection(server, timeout_s=0.3)
        asked.request("GET", "/v2/models/cloud")
        with pytest.raises(TimeoutError):
            asked.getresponse()
        assert server.connections == 1


def test_a_fault_for_the_whole_connection_spoils_metadata_too() -> None:
    with FaultServer(mode="status_500", scope="connection") as server:
        asked = connection(server)
        asked.request("GET", "/v2/models/cloud")
        assert asked.getresponse().status == 500


def test_a_trickle_comes_byte_by_byte() -> None:
    with FaultServer(mode=Fault.TRICKLE) as server:
        server.trickle_s = 0.1
        sock = socket.create_connection(("127.0.0.1", server.port), timeout=2)
        head = f"POST {INFER} HTTP/1.1\r\nContent-Length: {len(JSON_BODY)}\r\n\r\n"
        sock.sendall((head + JSON_BODY).encode())
        arrivals, received = [], b""
        while len(received) < 4:
            part = sock.recv(100)
            received += part
            arrivals.append(time.monotonic())
        sock.close()
        assert received == b"HTTP"
        assert 0.25 < arrivals[-1] - arrivals[0] < 0.8


def test_half_close_breaks_off_inside_the_body() -> None:
    with FaultServer(mode=Fault.HALF_CLOSE) as server, pytest.raises(http.client.IncompleteRead) as broken:
        infer(server).read()
    assert broken.value.partial
    assert broken.value.expected


def test_garbage_is_not_http() -> None:
    with FaultServer(mode=Fault.GARBAGE) as server, pytest.raises(http.client.BadStatusLine):
        infer(server)


def test_bad_json_is_a_whole_body_that_does_not_parse() -> None:
    with FaultServer(mode=Fault.BAD_JSON) as server:
        body = infer(server).read()
        with pytest.raises(json.JSONDecodeError):
            json.loads(body)


@pytest.mark.parametrize(("mode", "shape"), [("wrong_shape", (2, 11)), ("wrong_rows", (3, 10))])
def test_shapes_are_wrong_where_told(mode: str, shape: tuple[int, int]) -> None:
    with FaultServer(mode=mode) as server:
        assert scores(infer(server)).shape == shape


def test_the_type_is_wrong_and_scores_are_nan_where_told() -> None:
    with FaultServer(mode=Fault.WRONG_DTYPE) as server:
        assert json.loads(infer(server).read())["outputs"][0]["datatype"] == "INT64"
        server.mode = Fault.NAN_SCORES
        assert np.isnan(scores(infer(server))).all()


def test_statuses_carry_the_protocols_error_and_retry_after() -> None:
    with FaultServer(mode=Fault.STATUS_500) as server:
        failed = infer(server)
        assert (failed.status, list(json.loads(failed.read()))) == (500, ["error"])
        server.mode, server.retry_after_s = Fault.STATUS_429, 7
        busy = infer(server)
        assert (busy.status, busy.headers["Retry-After"]) == (429, "7")


def test_a_huge_body_is_announced_and_streamed() -> None:
    with FaultServer(mode=Fault.HUGE_BODY) as server:
        response = infer(server)
        assert response.headers["Content-Length"] == "300000000"
        assert len(response.read(5_000_000)) == 5_000_000


def test_a_slow_answer_is_right_and_late() -> None:
    with FaultServer(mode=Fault.SLOW) as server:
        server.slow_s = 0.3
        asked_s = time.monotonic()
        np.testing.assert_allclose(scores(infer(server)), fixed_scores(X), rtol=1e-6)
        assert 0.3 <= time.monotonic() - asked_s < 5.0


def test_tls_shows_the_certificate_it_was_given(tmp_path: object) -> None:
    authority = trustme.CA()
    pem = f"{tmp_path}/right.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pem)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with FaultServer(cert=pem) as server:
        assert server.url.startswith("https://")
        asked = http.client.HTTPSConnection("127.0.0.1", server.port, context=trusting, timeout=5)
        asked.request("POST", INFER, JSON_BODY)
        assert asked.getresponse().status == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            http.client.HTTPSConnection("127.0.0.1", server.port, timeout=5).request("GET", "/v2")


@pytest.mark.parametrize("mode", ["ok", "slow", "black_hole", "trickle", "huge_body"])
@pytest.mark.parametrize("tls", [False, True])
def test_closing_ends_every_thread_whatever_it_was_doing(mode: str, tls: bool, tmp_path: object) -> None:
    pem = f"{tmp_path}/any.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pem)
    before = set(threading.enumerate())
    server = FaultServer(mode=mode, cert=pem if tls else None)
    server.slow_s = server.trickle_s = 30.0
    unverified = ssl._create_unverified_context()
    waiting: list[http.client.HTTPConnection] = []
    for _ in range(3):
        asked = (
            http.client.HTTPSConnection("127.0.0.1", server.port, context=unverified, timeout=5)
            if tls
            else connection(server)
        )
        asked.request("POST", INFER, JSON_BODY)
        waiting.append(asked)
    while server.infer_count < 3:
        time.sleep(0.01)
    closed_s = time.monotonic()
    server.close()
    server.close()
    assert time.monotonic() - closed_s < 1.0
    assert set(threading.enumerate()) == before
    for asked in waiting:
        asked.close()


def test_closing_waits_also_for_threads_whose_caller_has_just_left() -> None:
    before = set(threading.enumerate())
    for _ in range(100):
        with FaultServer() as server:
            asked = [connection(server) for _ in range(4)]
            for each in asked:
                each.connect()
            while server.connections < len(asked):
                time.sleep(0.0005)
            for each in asked:
                each.close()
        assert set(threading.enumerate()) == before
