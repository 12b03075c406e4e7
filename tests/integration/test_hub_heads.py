"""A running hub leaves signed heads of its audit log in a second place."""

import sqlite3
import stat
from pathlib import Path

import msgspec
from hub_process import hub_process

from halocline.adapters.audit_heads import HeadFolder, HeadKey, is_signed, read_heads, read_public
from halocline.adapters.sql import open_store
from halocline.decide import audit_chain
from halocline.fleet import AuditEntry


def test_a_head_is_kept_at_the_start_and_at_the_end_and_its_key_is_not_in_the_database(tmp_path: Path):
    state, place = tmp_path / "hub", tmp_path / "elsewhere"
    with hub_process(state, "--audit-heads", str(place)):
        at_start = read_heads([place])
        store = open_store(state / "hub.db", "hub")
        try:
            with store.change() as tx:
                tx.append(AuditEntry(at_s=1.0, actor="hub", action="test.write"))
        finally:
            store.close()
    at_end = read_heads([place])
    assert [each.head.number for each in at_start] == [1]
    assert [each.head.number for each in at_end] == [1, 2]
    key = read_public(state / "audit.pub")
    assert all(is_signed(each) and each.key == key for each in at_end)
    store = open_store(state / "hub.db", "hub")
    try:
        with store.look() as tx:
            assert audit_chain.faults(tx.audit(), [each.head for each in at_end]) == []
    finally:
        store.close()
    assert stat.S_IMODE((state / "audit.key").stat().st_mode) == 0o600
    with sqlite3.connect(state / "hub.db") as database:
        dump = "\n".join(database.iterdump())
    database.close()
    secret = (state / "audit.key").read_text().splitlines()[1]
    assert secret not in dump
    with hub_process(state, "--audit-heads", str(place)):
        assert read_public(state / "audit.pub") == key


def test_a_log_that_is_not_what_the_last_head_pins_is_told_at_the_start(tmp_path: Path) -> None:
    state = tmp_path / "hub"
    for _ in range(2):
        with hub_process(state) as hub:
            pass
    assert "audit log" not in hub.log.read_text(encoding="utf-8")
    (kept,) = read_heads([state / "heads"])
    ahead = msgspec.structs.replace(kept.head, number=kept.head.number + 1)
    file = HeadFolder(state / "heads").put(HeadKey.read(state / "audit.key").sign(ahead))
    with hub_process(state):
        pass
    told = hub.log.read_text(encoding="utf-8")
    assert "the audit log is not the one whose entry 2 was pinned" in told
    file.write_bytes(b"damaged")
    with hub_process(state):
        pass
    assert "could not be compared with its last head" in hub.log.read_text(encoding="utf-8")
