"""A hub's database belongs to one root, and an authority is replaced whole or not at all."""

import shutil
import time

import pytest

from halocline.adapters.certificates import authority_folder
from halocline.adapters.certificates.authority import CertificateAuthority
from halocline.errors import Misconfigured, Rejected
from halocline.hub.authority import Rotation
from halocline.hub.rotating import bind
from halocline.testing.memory_store import MemoryStore

NOW = time.time()


def test_a_database_of_another_root_is_refused_and_a_followed_one_is_not(tmp_path):
    store = MemoryStore()
    ours = CertificateAuthority.open(tmp_path / "ca", now_s=NOW)
    other = CertificateAuthority.open(tmp_path / "other", now_s=NOW)
    bind(store, ours)
    bind(store, ours)
    with pytest.raises(Misconfigured, match=ours.fingerprint) as caught:
        bind(store, other)
    assert caught.value.code == "HAL-783"
    ours.rotate(Rotation.ROOT, now_s=NOW)
    bind(store, ours)
    with store.look() as tx:
        assert tx.root() == ours.fingerprint


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
