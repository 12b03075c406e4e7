"""Whatever the cloud does, callers have an answer in time and the right reason; a recovery is noticed."""

import contextlib
import datetime
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import trustme

import halocline as hc
from halocline.adapters.http import RemoteModel
from halocline.adapters.http.connection import Connection, LostError
from halocline.adapters.http.exchange import Exchange
from halocline.decide.link import RETRY_S
from halocline.ports import Feed
from halocline.records import ModelRef, ModelSpec, ScoreKind, TensorSpec
from halocline.testing.faults import Fault, FaultServer, Scope

DEADLINE_S = 0.05
TOLERANCE_S = 0.05
PROBE_S = 0.3
SAMPLE = np.full((1, 64), 0.5, np.float32)

REASONS = {
    Fault.SLOW: {hc.Reason.DEADLINE, hc.Reason.LINK_TOO_SLOW},
    Fault.REFUSE: {hc.Reason.REFUSED, hc.Reason.DISCONNECTED},
    Fault.BLACK_HOLE: {hc.Reason.DEADLINE},
    Fault.TRICKLE: {hc.Reason.DEADLINE},
    Fault.HALF_CLOSE: {hc.Reason.DISCONNECTED},
    Fault.GARBAGE: {hc.Reason.INVALID_ANSWER},
    Fault.BAD_JSON: {hc.Reason.INVALID_ANSWER},
    Fault.WRONG_SHAPE: {hc.Reason.INVALID_ANSWER},
    Fault.WRONG_DTYPE: {hc.Reason.INVALID_ANSWER},
    Fault.WRONG_ROWS: {hc.Reason.INVALID_ANSWER},
    Fault.NAN_SCORES: {hc.Reason.INVALID_ANSWER},
    Fault.STATUS_500: {hc.Reason.REFUSED},
    Fault.STATUS_429: {hc.Reason.REFUSED},
    Fault.HUGE_BODY: {hc.Reason.INVALID_ANSWER},
}


class Unsure:
    """An edge model that is never sure, so that every call goes up."""

    spec = ModelSpec(
        ref=ModelRef("edge", "1"),
        inputs=(TensorSpec("x", "float32", (-1, 64)),),
        outputs=(TensorSpec("probabilities", "float32", (-1, 10)),),
        score_output="probabilities",
        score_kind=ScoreKind.PROBABILITIES,
    )

    def conform(self, sample: Any) -> dict[str, Any]:
        return {"x": sample}

    conform_batch = conform

    def run(self, feed: Feed) -> list[Any]:
        return [np.full((len(feed["x"]), 10), 0.1, np.float32)]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def tiered(
    cloud: RemoteModel, *, breaker: hc.BreakerLimits | None, deadline_s: float = DEADLINE_S
) -> hc.Tiered:
    return hc.Tiered(Unsure(), cloud, threshold=1.0, deadline_s=deadline_s, breaker=breaker)


def timed(call: Callable[[], hc.Reply]) -> tuple[hc.Reply, float]:
    began_s = time.monotonic()
    reply = call()
    return reply, time.monotonic() - began_s


def test_every_fault_of_the_suite_has_its_reason() -> None:
    assert set(REASONS) == set(Fault) - {Fault.OK}


@pytest.mark.parametrize("fault", REASONS)
def test_a_caller_has_the_edge_answer_in_time_and_the_reason_is_right(
    server: FaultServer, fault: Fault
) -> None:
    server.slow_s = 0.5
    cloud = hc.connect(server.url)
    cloud.wait_ready()
    with tiered(cloud, breaker=None) as model:
        model.infer(SAMPLE, deadline_s=2.0)
        server.mode = fault
        replies = [timed(lambda: model.infer(SAMPLE)) for _ in range(20)]
        waits_s = sorted(waited_s for _, waited_s in replies)
        # A thread may sleep through a busy moment or two; benchmarks/deadline.py is stricter.
        assert waits_s[-3] <= DEADLINE_S + TOLERANCE_S
        assert waits_s[-1] <= DEADLINE_S + 20 * TOLERANCE_S
        assert {reply.reason for reply, _ in replies} <= REASONS[fault]
        assert all(reply.degraded and reply.tier == hc.Tier.EDGE for reply, _ in replies)
        assert all(np.isclose(reply.scores, 0.1).all() for reply, _ in replies)


@pytest.mark.parametrize("fault", REASONS)
def test_the_breaker_opens_and_a_recovery_is_noticed_within_one_probe_interval(
    server: FaultServer, fault: Fault
) -> None:
    server.slow_s = 30.0
    cloud = hc.connect(server.url)
    cloud.wait_ready()
    limits = hc.BreakerLimits(probe_interval_s=PROBE_S, consecutive_failures=3)
    with tiered(cloud, breaker=limits) as model:
        server.mode = fault
        server.retry_after_s = 1
        held = [model.infer(SAMPLE).reason for _ in range(8)]
        assert held[-1] == (hc.Reason.REFUSED if fault is Fault.STATUS_429 else hc.Reason.BREAKER_OPEN)
        server.mode = Fault.OK
        rest_s = server.retry_after_s if fault is Fault.STATUS_429 else PROBE_S
        since_s = time.monotonic()
        while model.infer(SAMPLE).reason != hc.Reason.ESCALATED:
            assert time.monotonic() - since_s < rest_s + DEADLINE_S + TOLERANCE_S
            time.sleep(0.01)


def test_a_link_that_is_measured_as_too_slow_is_not_waited_for_and_its_recovery_is_noticed(
    server: FaultServer,
) -> None:
    server.mode, server.slow_s = Fault.SLOW, 0.15
    cloud = hc.connect(server.url)
    cloud.wait_ready()
    with tiered(cloud, breaker=None) as model:
        for _ in range(4):
            model.infer(SAMPLE)
            time.sleep(0.2)  # the late answer tells how slow the link is
        reply, waited_s = timed(lambda: model.infer(SAMPLE))
        assert reply.reason == hc.Reason.LINK_TOO_SLOW
        assert waited_s < DEADLINE_S / 2
        server.mode = Fault.OK
        since_s = time.monotonic()
        while model.infer(SAMPLE).reason != hc.Reason.ESCALATED:
            assert time.monotonic() - since_s < RETRY_S + 0.2
            time.sleep(0.01)


def to(port: int) -> int:
    """How many connections our side holds; the server, in this process too, may be slow to close its own."""
    return sum(bool(each.raddr) and each.raddr.port == port for each in psutil.Process().net_connections())


@pytest.mark.parametrize("fault", [Fault.BLACK_HOLE, Fault.HUGE_BODY, Fault.GARBAGE, Fault.TRICKLE])
def test_memory_and_connections_do_not_grow_however_often_it_fails(server: FaultServer, fault: Fault) -> None:
    server.huge_bytes = 3_000_000_000
    cloud = hc.connect(server.url)
    cloud.wait_ready()
    with tiered(cloud, breaker=None, deadline_s=0.01) as model:
        server.mode = fault
        for _ in range(100):
            model.infer(SAMPLE)
        process = psutil.Process()
        before, connections = process.memory_info().rss, to(server.port)
        for _ in range(300):
            model.infer(SAMPLE)
        assert process.memory_info().rss - before < 20 * 2**20
        assert to(server.port) - connections < 20


def test_a_cloud_that_never_even_answers_the_metadata_costs_no_caller_more_than_the_deadline() -> None:
    with FaultServer(mode=Fault.BLACK_HOLE, scope=Scope.CONNECTION) as server:
        with tiered(hc.connect(server.url), breaker=None) as model:
            for _ in range(10):
                reply, waited_s = timed(lambda: model.infer(SAMPLE))
                assert reply.reason in (hc.Reason.DEADLINE, hc.Reason.UNREACHABLE)
                assert waited_s <= DEADLINE_S + TOLERANCE_S


def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    cloud = hc.connect("https://nowhere.invalid:8443/v2/models/cloud")
    with tiered(cloud, breaker=None, deadline_s=2.0) as model:
        time.sleep(0.3)
        reply, waited_s = timed(lambda: model.infer(SAMPLE))
        assert reply.reason == hc.Reason.UNREACHABLE
        assert waited_s < 1.0


def test_a_name_that_resolves_slowly_costs_no_caller_more_than_the_deadline(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def slow(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.5)
        return real(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with tiered(hc.connect(server.url), breaker=None) as model:
        reply, waited_s = timed(lambda: model.infer(SAMPLE))
        assert reply.reason == hc.Reason.DEADLINE
        assert waited_s <= DEADLINE_S + TOLERANCE_S
        time.sleep(0.8)
        assert model.infer(SAMPLE).reason == hc.Reason.ESCALATED


class Certificates:
    """What a server may show: right, for another host, expired, from nobody known."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = trustme.CA()
        self.ca_path = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(self.ca_path))

    def right(self) -> Path:
        return self._write("right", self.ca.issue_cert("127.0.0.1"))

    def wrong_host(self) -> Path:
        return self._write("wrong_host", self.ca.issue_cert("elsewhere.example"))

    def expired(self) -> Path:
        yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        return self._write("expired", self.ca.issue_cert("127.0.0.1", not_after=yesterday))

    def unknown_authority(self) -> Path:
        return self._write("unknown_authority", trustme.CA().issue_cert("127.0.0.1"))

    def _write(self, name: str, cert: trustme.LeafCert) -> Path:
        path = self.folder / f"{name}.pem"
        cert.private_key_and_cert_chain_pem.write_to_path(str(path))
        return path


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


def test_over_tls_with_the_right_certificate_the_cloud_answers(certificates: Certificates) -> None:
    with FaultServer(cert=certificates.right()) as server:
        cloud = hc.connect(server.url, ca=certificates.ca_path)
        cloud.wait_ready()
        with tiered(cloud, breaker=None, deadline_s=2.0) as model:
            assert model.infer(SAMPLE).reason == hc.Reason.ESCALATED


@pytest.mark.parametrize("wrong", ["wrong_host", "expired", "unknown_authority"])
def test_a_wrong_certificate_is_untrusted_and_nothing_is_sent(certificates: Certificates, wrong: str) -> None:
    with FaultServer(cert=getattr(certificates, wrong)()) as server:
        cloud = hc.connect(server.url, ca=certificates.ca_path)
        with pytest.raises(hc.Untrusted, match="HAL-402"):
            cloud.wait_ready(2.0)
        with tiered(cloud, breaker=None, deadline_s=2.0) as model:
            reply, waited_s = timed(lambda: model.infer(SAMPLE))
            assert reply.reason == hc.Reason.UNTRUSTED
            assert waited_s < 1.0
        assert not server.requests


def test_a_server_that_stops_at_the_tls_handshake_costs_no_caller_more_than_the_deadline(
    certificates: Certificates,
) -> None:
    with FaultServer(mode=Fault.BLACK_HOLE, scope=Scope.CONNECTION, cert=certificates.right()) as server:
        with tiered(hc.connect(server.url, ca=certificates.ca_path), breaker=None) as model:
            reply, waited_s = timed(lambda: model.infer(SAMPLE))
            assert reply.reason == hc.Reason.DEADLINE
            assert waited_s <= DEADLINE_S + TOLERANCE_S


def test_a_server_that_wants_our_certificate_and_gets_none_is_untrusted(
    certificates: Certificates,
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(certificates.right()))
    context.load_verify_locations(certificates.ca_path)
    context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    try:
                        context.wrap_socket(peer, server_side=True)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/v2/models/cloud"
        with hc.connect(url, ca=certificates.ca_path) as cloud:
            with pytest.raises(hc.Untrusted, match="HAL-402"):
                cloud.wait_ready(2.0)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_reason_that_came_before_the_request_was_sent_is_read(certificates: Certificates) -> None:
    """The request cannot be sent to a server that refused and hung up, but its alert is there to be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(certificates.right()))
    context.load_verify_locations(certificates.ca_path)
    context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            peer, _ = listener.accept()
            with peer, contextlib.suppress(ssl.SSLError):
                context.wrap_socket(peer, server_side=True)

        thread = threading.Thread(target=refuse)
        thread.start()
        plain = socket.create_connection(listener.getsockname())
        with ssl.create_default_context(cafile=certificates.ca_path).wrap_socket(
            plain, server_hostname="127.0.0.1"
        ) as secure:
            thread.join()
            connection = Connection(secure, tls=True)
            with contextlib.suppress(OSError):
                secure.send(b"GET ")  # the kernel learns that nobody listens
            with pytest.raises(LostError) as caught:
                connection.drive(Exchange(b"GET / HTTP/1.1\r\n\r\n", 1000), time.monotonic() + 1.0)
    assert caught.value.reason is hc.Reason.UNTRUSTED
    assert "CERTIFICATE_REQUIRED" in caught.value.detail


def test_an_answer_that_came_before_the_request_was_sent_is_read() -> None:
    """A proxy refuses a large body after its head and hangs up: its answer counts, not the broken pipe."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(10)
                peer.sendall(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        with socket.create_connection(listener.getsockname()) as plain:
            exchange = Exchange(b"POST / HTTP/1.1\r\n\r\n" + bytes(32_000_000), 1000)
            Connection(plain).drive(exchange, time.monotonic() + 5.0)
        thread.join()
    assert (exchange.complete, exchange.status, exchange.reusable) == (True, 413, False)
