"""Joining over real databases: killed at any instant, raced by two processes, read back by another."""

import os
import signal
import time
from base64 import urlsafe_b64encode
from contextlib import closing
from pathlib import Path

import pytest
from forked import Forked

from halocline.adapters.certificates.authority import CertificateAuthority
from halocline.adapters.certificates.facts import read_certificate
from halocline.adapters.certificates.request import make_key, make_request, sign
from halocline.adapters.sql import open_store
from halocline.decide import audit_chain
from halocline.errors import Untrusted
from halocline.fleet import CertificateState, DeviceState
from halocline.hub import joining

NOW = 1_800_000_000.0
SECRET = b"s" * 16
SHOWN = urlsafe_b64encode(SECRET).decode()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "hub.db")
    return str(request.getfixturevalue("postgresql"))


@pytest.fixture
def authority(tmp_path) -> CertificateAuthority:
    return CertificateAuthority.open(tmp_path / "ca", now_s=NOW)


def admit(store, pem: str, *, opened_s: float = NOW):
    return joining.admit(store, joining.Peer(read_certificate(pem.encode()), opened_s), NOW)


def join(store, authority, key: bytes, secret: str = SHOWN, *, now_s: float = NOW) -> joining.Joined:
    return joining.join(
        store, authority, csr=make_request(key), invite=secret, chance=os.urandom(16), now_s=now_s
    )


def rejoin(store, authority, key: bytes, nonce: str, csr: str) -> joining.Joined:
    signature = sign(key, f"halocline rejoin 1\n{nonce}\n{csr}".encode())
    return joining.rejoin(
        store,
        authority,
        csr=csr,
        nonce=nonce,
        signature=urlsafe_b64encode(signature).decode(),
        chance=os.urandom(16),
        now_s=NOW,
    )


def test_a_devices_whole_life_is_kept_in_a_real_database(database, authority):
    key = make_key()
    with closing(open_store(database, "one")) as store:
        joining.invite(store, secret=SECRET, by="ann", labels={"site": "north"}, now_s=NOW)
        joined = join(store, authority, key)
        admit(store, joined.certificate)
        renewed = joining.renew(
            store, authority, device_id=joined.device.id, csr=make_request(key), now_s=NOW
        )
        admit(store, renewed.certificate)
    with closing(open_store(database, "two")) as store:
        assert admit(store, renewed.certificate).labels == {"site": "north"}
        with pytest.raises(Untrusted, match="other copy"):
            admit(store, joined.certificate, opened_s=NOW + 100)
        joining.revoke(store, joined.device.id, actor="person:ann", now_s=NOW)
        with pytest.raises(Untrusted, match="HAL-714"):
            admit(store, renewed.certificate)
        with store.look() as tx:
            states = [one.state for one in tx.certificates(joined.device.id)]
            assert states == [CertificateState.SUPERSEDED, CertificateState.CURRENT]
            assert audit_chain.faults(tx.audit()) == []


def test_a_nonce_of_one_process_is_good_at_another_and_used_once_at_both(database, authority, tmp_path):
    other = CertificateAuthority.open(tmp_path / "ca", now_s=NOW)
    key = make_key()
    csr = make_request(key)
    with closing(open_store(database, "one")) as store, closing(open_store(database, "two")) as second:
        joining.invite(store, secret=SECRET, by="ann", now_s=NOW)
        admit(store, join(store, authority, key).certificate)
        nonce = joining.nonce(authority, chance=os.urandom(16), now_s=NOW)
        assert admit(second, rejoin(second, other, key, nonce, csr).certificate)
        with pytest.raises(Untrusted, match="used already"):
            rejoin(store, authority, key, nonce, csr)


def race(database: str, ca: Path, name: str, go: Path) -> None:
    """Join ten devices as soon as that file is there, and say how many were let in."""
    authority = CertificateAuthority.open(ca, now_s=NOW)
    with closing(open_store(database, name)) as store:
        print("ready", flush=True)
        while not go.exists():
            time.sleep(0.001)
        won = 0
        for _ in range(10):
            try:
                won += bool(join(store, authority, make_key()).certificate)
            except Untrusted as error:
                if error.code != "HAL-713":
                    raise
        print(won, flush=True)


def test_two_processes_never_let_in_more_than_an_invite_says(database, authority, tmp_path):
    with closing(open_store(database)) as store:
        joining.invite(store, secret=SECRET, by="ann", uses=7, now_s=NOW)
    go, log = tmp_path / "go", tmp_path / "log"
    both = [Forked(race, database, tmp_path / "ca", name, go, stderr=log) for name in ("one", "two")]
    for each in both:
        assert each.stdout.readline() == b"ready\n"
    go.touch()
    won = [int(each.stdout.readline()) for each in both]
    assert [each.wait(60) for each in both] == [0, 0]
    assert sum(won) == 7
    with closing(open_store(database)) as store, store.look() as tx:
        assert len(tx.devices()) == 7


def live(database: str, ca: Path, key: bytes) -> None:
    """Join a device, and renew its certificate for ever."""
    authority = CertificateAuthority.open(ca, now_s=NOW)
    with closing(open_store(database)) as store:
        print("ready", flush=True)
        held = join(store, authority, key).certificate
        while True:
            device = admit(store, held)
            held = joining.renew(
                store, authority, device_id=device.id, csr=make_request(key), now_s=NOW
            ).certificate


def test_a_hub_that_is_killed_at_any_instant_locks_no_device_out(tmp_path, authority):
    database = str(tmp_path / "hub.db")
    with closing(open_store(database)) as store:
        joining.invite(store, secret=SECRET, by="ann", uses=8, now_s=NOW)
    for turn in range(8):
        key = make_key()
        process = Forked(live, database, tmp_path / "ca", key, stderr=tmp_path / "log")
        assert process.stdout.readline() == b"ready\n"
        time.sleep(turn * 0.006)  # the point of the kill, spread over joining and the first renewals
        process.send_signal(signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
        process.stdout.close()
        with closing(open_store(database)) as store:
            with store.look() as tx:
                before = tx.device_by_key(authority.read_request(make_request(key)).key)
            if before is not None and any(
                one.state is not CertificateState.ISSUED for one in certificates(store, before.id)
            ):
                csr = make_request(key)
                nonce = joining.nonce(authority, chance=os.urandom(16), now_s=NOW)
                after = rejoin(store, authority, key, nonce, csr)
            else:
                after = join(store, authority, key)
            assert before is None or after.device.id == before.id
            assert admit(store, after.certificate).state is DeviceState.ENROLLED
    with closing(open_store(database)) as store, store.look() as tx:
        assert len(tx.devices()) == 8
        assert audit_chain.faults(tx.audit(limit=100_000)) == []
        found = tx.invite(joining.digest_of(SECRET))
        assert found is not None
        assert found.used == 8


def certificates(store, device_id: str):
    with store.look() as tx:
        return tx.certificates(device_id)
