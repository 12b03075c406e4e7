"""A certificate is renewed while its cloud is asked: no call is lost, none travels on the old one."""

import contextlib
import shutil
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import trustme
from cryptography import x509

import halocline as hc
from halocline.adapters.http import RemoteModel
from halocline.assemble_agent import HubModel
from halocline.ports import Answered, Failed
from halocline.testing.faults import Fault, FaultServer

FEED = {"x": np.full((1, 64), 0.5, np.float32)}
WAIT_S = 30.0
YEAR_S = 365.25 * 86_400


class Witness(FaultServer):
    """Lets in clients with a certificate of the authority alone, and tells whose each inference was."""

    def __init__(self, ca: trustme.CA, cert: Path) -> None:
        self.shown: list[int] = []
        super().__init__(cert=cert)
        assert self._tls is not None
        self._tls.verify_mode = ssl.CERT_REQUIRED
        self._tls.load_verify_locations(cadata=ca.cert_pem.bytes().decode())
        self._tls.num_tickets = 0

    def _answer(self, peer, head, body) -> None:
        if head.method == "POST":
            self.shown.append(int(peer.sock.getpeercert()["serialNumber"], 16))
        super()._answer(peer, head, body)


class Party:
    """An authority, the files of its certificates, and the serial number of each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = trustme.CA()
        self.root = folder / "root.pem"
        self.ca.cert_pem.write_to_path(str(self.root))
        self.server = self.issue("server", "127.0.0.1")[0]

    def certified(self, name: str, *, not_after: datetime) -> Path:
        """A server's certificate that ends then."""
        path = self.folder / f"{name}.pem"
        leaf = self.ca.issue_cert("127.0.0.1", not_after=not_after)
        leaf.private_key_and_cert_chain_pem.write_to_path(str(path))
        return path

    def issue(self, name: str, *names: str) -> tuple[Path, int]:
        leaf = self.ca.issue_cert(*(names or ("device.example",)))
        path = self.folder / f"{name}.pem"
        leaf.private_key_and_cert_chain_pem.write_to_path(str(path))
        return path, x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()).serial_number


@pytest.fixture
def party(tmp_path: Path) -> Party:
    return Party(tmp_path)


@contextlib.contextmanager
def witnessed(party: Party, first: Path) -> Iterator[tuple[Witness, RemoteModel]]:
    with Witness(party.ca, party.server) as server:
        with hc.connect(server.url, ca=party.root, cert=first) as cloud:
            cloud.wait_ready(WAIT_S)
            yield server, cloud


def ask(cloud: RemoteModel) -> Answered | Failed:
    return cloud.call(FEED, call_id="", until_s=time.monotonic() + WAIT_S)


def test_after_a_renewal_every_call_shows_the_new_certificate(party: Party) -> None:
    (first, old), (second, new) = party.issue("first"), party.issue("second")
    with witnessed(party, first) as (server, cloud):
        assert isinstance(ask(cloud), Answered)
        cloud.renew(second, ca=party.root)
        for _ in range(3):
            assert isinstance(ask(cloud), Answered)
    assert server.shown == [old, new, new, new]


def test_a_call_under_way_ends_on_its_connection_which_then_carries_no_more(party: Party) -> None:
    (first, old), (second, new) = party.issue("first"), party.issue("second")
    with witnessed(party, first) as (server, cloud):
        server.mode, server.slow_s = Fault.SLOW, 1.0
        verdicts: list[Answered | Failed] = []
        caller = threading.Thread(target=lambda: verdicts.append(ask(cloud)))
        caller.start()
        until(lambda: server.shown)
        cloud.renew(second, ca=party.root)
        caller.join()
        server.mode = Fault.OK
        later = ask(cloud)
    assert isinstance(verdicts[0], Answered)
    assert isinstance(later, Answered)
    assert server.shown == [old, new]


def test_an_agents_hub_model_shows_the_certificate_that_replaced_the_one_on_disk(party: Party) -> None:
    (first, old), (second, new) = party.issue("first"), party.issue("second")
    chain = party.folder / "certificate.pem"
    shutil.copy(first, chain)
    shutil.copy(party.root, party.folder / "ca.pem")
    with Witness(party.ca, party.server) as server:
        opened = HubModel(server.url, chain, chain, time.time)
        with opened() as cloud:
            assert isinstance(ask(cloud), Answered)
            shutil.copy(second, chain)
            opened.renew()
            assert isinstance(ask(cloud), Answered)
    assert server.shown == [old, new]


def test_no_call_is_lost_while_certificates_are_renewed(party: Party) -> None:
    first, _ = party.issue("first")
    with witnessed(party, first) as (server, cloud):
        done = threading.Event()
        lost: list[Failed] = []

        def keep_asking() -> None:
            while not done.is_set():
                verdict = ask(cloud)
                if isinstance(verdict, Failed):
                    lost.append(verdict)

        callers = [threading.Thread(target=keep_asking) for _ in range(3)]
        for caller in callers:
            caller.start()
        last = 0
        for turn in range(8):
            path, last = party.issue(f"next-{turn}")
            seen = len(server.shown)
            cloud.renew(path, ca=party.root)
            until(lambda seen=seen: len(server.shown) > seen + 5)
        done.set()
        for caller in callers:
            caller.join()
        assert isinstance(ask(cloud), Answered)
    assert not lost
    assert server.shown[-1] == last


def test_a_certificate_that_cannot_be_used_changes_nothing(party: Party, tmp_path: Path) -> None:
    first, old = party.issue("first")
    (tmp_path / "none.pem").write_text("no certificate")
    with witnessed(party, first) as (server, cloud):
        with pytest.raises(hc.Misconfigured, match="HAL-108"):
            cloud.renew(tmp_path / "none.pem", ca=party.root)
        assert isinstance(ask(cloud), Answered)
    assert server.shown == [old]


def test_a_cloud_that_refused_the_old_certificate_is_reached_at_once_with_the_new(party: Party) -> None:
    (party.folder / "stranger").mkdir()
    wrong, _ = Party(party.folder / "stranger").issue("wrong")
    right, new = party.issue("right")
    with Witness(party.ca, party.server) as server:
        with hc.connect(server.url, ca=party.root, cert=wrong) as cloud:
            with pytest.raises(hc.Untrusted):
                cloud.wait_ready(WAIT_S)
            cloud.renew(right, ca=party.root)
            cloud.wait_ready(WAIT_S)
            assert isinstance(ask(cloud), Answered)
    assert server.shown == [new]


@pytest.mark.parametrize(
    ("passed_s", "trusted"), [(0.0, True), (time.time(), True), (time.time() + 10 * YEAR_S, False)]
)
def test_by_what_has_surely_passed_a_certificate_has_ended_or_not(
    party: Party, passed_s: float, trusted: bool
) -> None:
    first, _ = party.issue("first")
    soon = party.certified("soon", not_after=datetime.now(UTC) + timedelta(days=30))
    with Witness(party.ca, soon) as server:
        with hc.connect(server.url, ca=party.root, cert=first, passed_s=lambda: passed_s) as cloud:
            if trusted:
                cloud.wait_ready(WAIT_S)
                cloud.renew(first, ca=party.root)
                assert isinstance(ask(cloud), Answered)
            else:
                with pytest.raises(hc.Untrusted, match="ended"):
                    cloud.wait_ready(WAIT_S)


def test_a_clock_that_is_years_ahead_keeps_nobody_out(party: Party) -> None:
    """What looks ended by the machine's clock: here its certificate has ended, and less time has passed."""
    first, _ = party.issue("first")
    ended = datetime.now(UTC) - timedelta(days=1)
    with Witness(party.ca, party.certified("ended", not_after=ended)) as server:
        with hc.connect(server.url, ca=party.root, cert=first) as cloud:
            with pytest.raises(hc.Untrusted):
                cloud.wait_ready(WAIT_S)
        before_s = (ended - timedelta(days=1)).timestamp()
        with hc.connect(server.url, ca=party.root, cert=first, passed_s=lambda: before_s) as cloud:
            cloud.wait_ready(WAIT_S)


def test_over_plaintext_there_is_no_certificate_to_renew(party: Party) -> None:
    first, _ = party.issue("first")
    with FaultServer() as server, hc.connect(server.url) as cloud:
        with pytest.raises(hc.Misconfigured, match="plaintext"):
            cloud.renew(first, ca=None)


def until(what) -> None:
    limit_s = time.monotonic() + WAIT_S
    while not what():
        assert time.monotonic() < limit_s, "it never came"
        time.sleep(0.005)
