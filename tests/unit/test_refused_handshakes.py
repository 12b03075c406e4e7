"""Refused handshakes are all counted, and a flood of them is few entries in the audit log."""

import pytest

from halocline.decide.handshakes import Cause, cause_of
from halocline.errors import Transient
from halocline.hub.handshakes import QUIET_S, RefusedHandshakes
from halocline.testing.memory_store import MemoryStore

NOW_S = 1_000_000.0


def counts(store):
    with store.look() as tx:
        entries = [link.entry for link in tx.audit()]
    return [(each.object, each.details["cause"], each.details["count"]) for each in entries]


def test_the_first_of_a_kind_is_written_at_once_and_the_rest_once_a_minute():
    store, refused = MemoryStore(), RefusedHandshakes()
    refused.note("device", Cause.EXPIRED, "", now_s=NOW_S)
    refused.write(store, now_s=NOW_S)
    for second in range(int(QUIET_S)):
        for _ in range(100):
            refused.note("device", Cause.EXPIRED, "", now_s=NOW_S + second)
        refused.write(store, now_s=NOW_S + second)
    assert counts(store) == [("device", "expired", 1)]
    refused.write(store, now_s=NOW_S + QUIET_S)
    assert counts(store) == [("device", "expired", 1), ("device", "expired", 6000)]


def test_doors_and_causes_do_not_hide_each_other():
    store, refused = MemoryStore(), RefusedHandshakes()
    for door, cause in (("device", Cause.EXPIRED), ("join", Cause.NO_TLS), ("device", Cause.NO_CERTIFICATE)):
        refused.note(door, cause, "", now_s=NOW_S)
        refused.write(store, now_s=NOW_S)
    assert counts(store) == [("device", "expired", 1), ("join", "no_tls", 1), ("device", "no_certificate", 1)]


def test_an_entry_says_from_when_to_when_and_what_was_seen_last():
    store, refused = MemoryStore(), RefusedHandshakes()
    refused.note("join", Cause.OTHER, "FIRST", now_s=NOW_S)
    refused.note("join", Cause.OTHER, "LAST", now_s=NOW_S + 5)
    refused.write(store, now_s=NOW_S + 6)
    with store.look() as tx:
        (link,) = tx.audit()
    assert (link.entry.action, link.entry.outcome) == ("door.connect", "refused")
    told = link.entry.details
    assert (told["first_s"], told["last_s"], told["tls"]) == (NOW_S, NOW_S + 5, "LAST")


def test_nothing_is_lost_while_the_database_is_away(monkeypatch):
    store, refused = MemoryStore(), RefusedHandshakes()
    refused.note("device", Cause.OLD_TLS, "", now_s=NOW_S)

    def away():
        refused.note("device", Cause.OLD_TLS, "", now_s=NOW_S + 1)  # another one, while it is written
        raise Transient("HAL-703", "away")

    with monkeypatch.context() as patch:
        patch.setattr(store, "change", away)
        with pytest.raises(Transient):
            refused.write(store, now_s=NOW_S)
    refused.write(store, now_s=NOW_S + 2)
    assert counts(store) == [("device", "old_tls", 2)]


def test_what_is_not_due_yet_is_written_at_the_end():
    store, refused = MemoryStore(), RefusedHandshakes()
    for _ in range(2):
        refused.note("device", Cause.EXPIRED, "", now_s=NOW_S)
        refused.write(store, now_s=NOW_S)
    refused.write(store, now_s=NOW_S, is_last=True)
    assert counts(store) == [("device", "expired", 1), ("device", "expired", 1)]


@pytest.mark.parametrize(
    ("reason", "verify_code", "cause"),
    [
        ("PEER_DID_NOT_RETURN_A_CERTIFICATE", None, Cause.NO_CERTIFICATE),
        ("CERTIFICATE_VERIFY_FAILED", 10, Cause.EXPIRED),
        ("CERTIFICATE_VERIFY_FAILED", 9, Cause.NOT_YET_VALID),
        ("CERTIFICATE_VERIFY_FAILED", 26, Cause.NO_CLIENT_CERTIFICATE),
        ("CERTIFICATE_VERIFY_FAILED", 18, Cause.ANOTHER_AUTHORITY),
        ("UNSUPPORTED_PROTOCOL", None, Cause.OLD_TLS),
        ("HTTP_REQUEST", None, Cause.NO_TLS),
        ("TLSV1_ALERT_UNKNOWN_CA", None, Cause.CLIENT_GAVE_UP),
        ("", None, Cause.OTHER),
    ],
)
def test_a_cause_is_told_by_what_openssl_says(reason, verify_code, cause):
    assert cause_of(reason, verify_code) is cause


def test_every_cause_says_what_it_means():
    assert all(cause.said for cause in Cause)
