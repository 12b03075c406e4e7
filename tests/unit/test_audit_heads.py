"""A signed head pins an audit log from outside of the database, and nobody without the key can make one."""

import stat
from pathlib import Path

import msgspec
import pytest

from halocline.adapters.audit_heads import (
    HeadFolder,
    HeadKey,
    fingerprint,
    is_signed,
    read_heads,
    read_public,
)
from halocline.decide.audit_chain import Head
from halocline.errors import Misconfigured, Rejected
from halocline.fleet import AuditEntry
from halocline.hub.audit import Notary
from halocline.testing.memory_store import MemoryStore

HEAD = Head(chain="hub", number=7, digest="sha256:" + "ab" * 32, at_s=9.0)


def write(store: MemoryStore) -> None:
    with store.change() as tx:
        tx.append(AuditEntry(at_s=1.0, actor="person:ann", action="device.set"))


def test_a_head_is_kept_once_for_each_growth_of_the_log():
    store, kept = MemoryStore(), []
    notary = Notary(store, "memory", kept.append)
    assert notary.note(now_s=1.0) is None
    write(store)
    write(store)
    head = notary.note(now_s=2.0)
    assert head is not None
    assert (head.number, head.at_s) == (2, 2.0)
    assert notary.note(now_s=3.0) is None
    write(store)
    notary.note(now_s=4.0)
    assert [each.number for each in kept] == [2, 3]


def test_a_head_that_could_not_be_kept_is_due_again():
    store, kept = MemoryStore(), []
    write(store)

    def fails(head: Head) -> None:
        if not kept:
            kept.append(head)
            raise Misconfigured("HAL-707", "the disk is away")

    notary = Notary(store, "memory", fails)
    with pytest.raises(Misconfigured):
        notary.note(now_s=1.0)
    assert notary.note(now_s=2.0) is not None


def test_a_signed_head_is_read_back_and_checked(tmp_path: Path):
    key = HeadKey.make()
    path = HeadFolder(tmp_path / "heads").put(key.sign(HEAD))
    (signed,) = read_heads([path])
    assert signed.head == HEAD
    assert is_signed(signed)
    (tmp_path / "audit.pub").write_bytes(key.public_pem)
    assert read_public(tmp_path / "audit.pub") == signed.key
    assert fingerprint(signed.key).startswith("sha256:")
    assert read_heads([tmp_path / "heads"]) == [signed]


@pytest.mark.parametrize(
    "change",
    [
        {"head": msgspec.structs.replace(HEAD, number=8)},
        {"head": msgspec.structs.replace(HEAD, at_s=10.0)},
        {"signature": "00" * 64},
        {"signature": "zz"},
        {"key": "ab" * 32},
        {"key": ""},
    ],
)
def test_a_changed_head_has_no_right_signature(change: dict[str, object]):
    assert not is_signed(msgspec.structs.replace(HeadKey.make().sign(HEAD), **change))


def test_a_head_is_never_written_over_by_one_of_a_rewritten_log(tmp_path: Path):
    key, folder = HeadKey.make(), HeadFolder(tmp_path)
    folder.put(key.sign(HEAD))
    folder.put(key.sign(msgspec.structs.replace(HEAD, digest="sha256:" + "cd" * 32)))
    assert len(read_heads([tmp_path])) == 2
    assert all(stat.S_IMODE(each.stat().st_mode) == 0o644 for each in tmp_path.iterdir())


def test_a_key_is_read_back_and_what_is_none_is_told(tmp_path: Path):
    key, file = HeadKey.make(), tmp_path / "audit.key"
    file.write_bytes(key.private_pem)
    assert HeadKey.read(file).public_pem == key.public_pem
    file.write_bytes(b"nonsense")
    for read in (HeadKey.read, read_public):
        with pytest.raises(Misconfigured) as caught:
            read(file)
        assert caught.value.code == "HAL-708"
    with pytest.raises(Rejected) as refused:
        read_heads([file])
    assert refused.value.code == "HAL-759"


def test_a_place_that_cannot_be_written_is_told_at_the_start(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Misconfigured) as caught:
        HeadFolder(tmp_path / "file" / "heads")
    assert caught.value.code == "HAL-707"
