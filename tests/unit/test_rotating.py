"""A hub's database belongs to one root, and an authority is replaced whole or not at all."""

import shutil
import time

import msgspec
import pytest

from halocline.adapters.certificates import authority_folder
from halocline.adapters.certificates.authority import CertificateAuthority
from halocline.adapters.certificates.request import make_key, make_request, read_request
from halocline.errors import Misconfigured, Rejected
from halocline.fleet import CertificateState, Device, DeviceState, Facts
from halocline.hub.authority import Rotation
from halocline.hub.rotating import bind, progress
from halocline.testing.memory_store import MemoryStore

NOW = time.time()


def test_a_database_of_another_root_is_refused_and_a_followed_one_is_not(tmp_path):
    store = MemoryStore()
    ours = CertificateAuthority.open(tmp_path / "ca", now_s=NOW)
    other = CertificateAuthority.open(tmp_path / "other", now_s=NOW)
    bind(store, ours, now_s=NOW)
    bind(store, ours, now_s=NOW)
    with pytest.raises(Misconfigured, match=ours.fingerprint) as caught:
        bind(store, other, now_s=NOW)
    assert caught.value.code == "HAL-783"
    ours.rotate(Rotation.ROOT, now_s=NOW)
    bind(store, ours, now_s=NOW)
    with store.look() as tx:
        assert tx.root() == ours.fingerprint
        assert [(link.entry.action, link.entry.object) for link in tx.audit()] == [("hub.rotate", "root")]


def test_a_replacement_cut_off_between_its_renames_is_finished_at_the_next_opening(tmp_path):
    first = CertificateAuthority.open(tmp_path / "ca", now_s=NOW)
    shutil.copytree(tmp_path / "ca", tmp_path / "ca-before")
    first.rotate(Rotation.ROOT, now_s=NOW)
    (tmp_path / "ca").rename(tmp_path / "ca-next")
    if not (tmp_path / "ca-before").exists():
        (tmp_path / "ca-before").mkdir()
    again = CertificateAuthority.open(tmp_path / "ca", now_s=NOW)
    assert again.fingerprint == first.fingerprint
    assert [path.name for path in tmp_path.iterdir()] == ["ca"]


def test_a_replacement_cut_off_before_it_is_not_there(tmp_path):
    first = CertificateAuthority.open(tmp_path / "ca", now_s=NOW)
    held = authority_folder.open_or_make(tmp_path / "ca", lambda: pytest.fail("made anew"), None)
    shutil.copytree(tmp_path / "ca", tmp_path / "ca-next")
    assert CertificateAuthority.open(tmp_path / "ca", now_s=NOW).fingerprint == first.fingerprint
    authority_folder.replace(tmp_path / "ca", held, None)
    assert [path.name for path in tmp_path.iterdir()] == ["ca"]


def test_several_roots_may_follow_each_other_before_the_old_ones_go(tmp_path):
    authority = CertificateAuthority.open(tmp_path / "ca", now_s=NOW)
    seen = [authority.fingerprint]
    for _ in range(2):
        authority.rotate(Rotation.ROOT, now_s=NOW)
        seen.append(authority.fingerprint)
    assert authority.old_fingerprints == [seen[1], seen[0]]
    authority.rotate(Rotation.RETIRE, now_s=NOW)
    again = CertificateAuthority.open(tmp_path / "ca", now_s=NOW)
    assert (again.fingerprint, again.old_fingerprints) == (seen[2], [])
    with pytest.raises(Rejected, match="no old root"):
        authority.rotate(Rotation.RETIRE, now_s=NOW)


@pytest.mark.parametrize("passphrase", [None, "env:CA_WORD"])
def test_the_keys_stay_encrypted_by_what_they_were(tmp_path, monkeypatch, passphrase):
    monkeypatch.setenv("CA_WORD", "a passphrase of many letters")
    authority = CertificateAuthority.open(tmp_path / "ca", now_s=NOW, passphrase=passphrase)
    authority.rotate(Rotation.ROOT, now_s=NOW)
    for name in ("root.key", "issuing.key"):
        assert b"ENCRYPTED" in (tmp_path / "ca" / name).read_bytes()
    again = CertificateAuthority.open(tmp_path / "ca", now_s=NOW, passphrase=passphrase)
    assert again.fingerprint == authority.fingerprint


def test_a_certificate_from_around_the_change_is_no_sign_that_a_device_knows_the_new_root(tmp_path):
    authority, store = CertificateAuthority.open(tmp_path / "ca", now_s=NOW), MemoryStore()
    authority.rotate(Rotation.ROOT, now_s=NOW)
    key = read_request(make_request(make_key())).public_key
    with store.change() as tx:
        for after_s in (-5.0, 5.0, 90.0):
            device = Device(
                id=f"dev-{after_s}",
                key=f"{after_s}",
                state=DeviceState.ENROLLED,
                created_s=NOW,
                facts=Facts(),
            )
            tx.put_device(device)
            _, paper = authority.issue_device(key, device.id, now_s=NOW + after_s, valid_s=86_400)
            tx.put_certificate(msgspec.structs.replace(paper, state=CertificateState.CURRENT))
    alone = progress(store, authority)
    shared = progress(store, authority, slack_s=60)
    assert alone is not None
    assert shared is not None
    assert alone.behind == ["dev--5.0"]
    assert shared.behind == ["dev--5.0", "dev-5.0"]
