"""A running hub leaves signed heads of its audit log in a second place."""

import sqlite3
import stat
from pathlib import Path

from hub_process import hub_process

from halocline.adapters.audit_heads import is_signed, read_heads, read_public
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
