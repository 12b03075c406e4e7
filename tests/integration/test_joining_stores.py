"""Joining over real databases: killed at any instant, raced by two processes, read back by another."""

import os
import signal
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

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
    url = request.getfixturevalue("postgresql")
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return url


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


_RACE = """
import os, sys, time
from pathlib import Path
from test_joining_stores import *
authority = CertificateAuthority.open(Path(sys.argv[2]), now_s=NOW)
with closing(open_store(sys.argv[1], sys.argv[3])) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    won = 0
    for _ in range(10):
        try:
            won += bool(join(store, authority, make_key()).certificate)
        except Untrusted as error:
            assert error.code == "HAL-713"
    print(won, flush=True)
"""


def started(code: str, *args: str) -> "subprocess.Popen[str]":
    known = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=known,
    )


def test_two_processes_never_let_in_more_than_an_invite_says(database, authority, tmp_path):
    with closing(open_store(database)) as store:
        joining.invite(store, secret=SECRET, by="ann", uses=7, now_s=NOW)
    both = [started(_RACE, database, str(tmp_path / "ca"), name) for name in ("one", "two")]
    for each in both:
        assert each.stdout.readline() == "ready\n"
    won = [int(each.communicate("\n", timeout=60)[0]) for each in both]
    assert [each.returncode for each in both] == [0, 0]
    assert sum(won) == 7
    with closing(open_store(database)) as store, store.look() as tx:
        assert len(tx.devices()) == 7


_LIVE = """
import os, sys
from pathlib import Path
from test_joining_stores import *
authority = CertificateAuthority.open(Path(sys.argv[2]), now_s=NOW)
key = Path(sys.argv[3]).read_bytes()
with closing(open_store(sys.argv[1])) as store:
    print("ready", flush=True)
    held = join(store, authority, key).certificate
    while True:
        device = admit(store, held)
        held = joining.renew(
            store, authority, device_id=device.id, csr=make_request(key), now_s=NOW
        ).certificate
"""


def test_a_hub_that_is_killed_at_any_instant_locks_no_device_out(tmp_path, authority):
    database = str(tmp_path / "hub.db")
    with closing(open_store(database)) as store:
        joining.invite(store, secret=SECRET, by="ann", uses=8, now_s=NOW)
    for turn in range(8):
        key = make_key()
        (tmp_path / "key.pem").write_bytes(key)
        process = started(_LIVE, database, str(tmp_path / "ca"), str(tmp_path / "key.pem"))
        assert process.stdout.readline() == "ready\n"
        time.sleep(turn * 0.006)  # the point of the kill, spread over joining and the first renewals
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
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
