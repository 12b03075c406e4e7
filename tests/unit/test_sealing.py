"""What is sealed opens for one other party alone, whole, and as what it was."""

import os
import threading

import msgspec
import pytest

from halocline.adapters.sealing import Opener, Sealer, bound, new_pair
from halocline.errors import Misconfigured, Untrusted
from halocline.sync import Position, Record, Waiting, framed, unframed


def sealed(sealer: Sealer, payload: bytes = b"payload", **changes: object) -> Waiting:
    session = sealer.session()
    record = Record(id="a", position=Position(1, 1), kind="sample", size_bytes=len(payload))
    body = session.seal(bound("a", "sample", ""), framed(b"head", payload))
    return msgspec.structs.replace(Waiting(record=record, body=body, session=session.wrapped), **changes)


def test_the_hub_opens_what_was_sealed_to_it():
    private, public = new_pair()
    assert unframed(Opener.of_hub(private).body(sealed(Sealer.for_hub(public)))) == (b"head", b"payload")


def test_who_has_the_key_opens_what_was_sealed_under_it():
    key = os.urandom(32)
    assert unframed(Opener.under(key).body(sealed(Sealer.under(key)))) == (b"head", b"payload")


def test_nobody_else_opens_it():
    piece = sealed(Sealer.for_hub(new_pair()[1]))
    for opener in (Opener.of_hub(new_pair()[0]), Opener.under(os.urandom(32))):
        with pytest.raises(Untrusted, match=r"record a does not open.*HAL-815"):
            opener.body(piece)


@pytest.mark.parametrize("change", ["id", "kind", "stream", "chunk", "chunks", "body", "session"])
def test_it_opens_as_nothing_but_what_it_was(change):
    private, public = new_pair()
    piece = sealed(Sealer.for_hub(public))
    if change in ("id", "kind", "stream"):
        piece = msgspec.structs.replace(piece, record=msgspec.structs.replace(piece.record, **{change: "b"}))
    elif change in ("chunk", "chunks"):
        piece = msgspec.structs.replace(piece, **{change: 2})
    else:
        changed = bytearray(getattr(piece, change))
        changed[-1] ^= 1
        piece = msgspec.structs.replace(piece, **{change: bytes(changed)})
    with pytest.raises(Untrusted, match="HAL-815"):
        Opener.of_hub(private).body(piece)


@pytest.mark.parametrize("wrong", [b"", b"short", bytes(7)])
def test_a_torn_body_or_session_is_refused(wrong):
    private, public = new_pair()
    for change in ("body", "session"):
        if change == "session" and not wrong:
            continue  # that says that nothing is sealed
        with pytest.raises(Untrusted, match="HAL-815"):
            Opener.of_hub(private).body(sealed(Sealer.for_hub(public), **{change: wrong}))


@pytest.mark.parametrize("frame", [b"", b"\0\0", b"\0\0\0\5abc"])
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(Untrusted, match="HAL-815"):
        unframed(frame)


def test_no_number_is_used_twice_by_threads():
    session = Sealer.for_hub(new_pair()[1]).session()
    numbers: list[bytes] = []

    def seal() -> None:
        numbers.extend([session.seal(b"", b"")[:8] for _ in range(2000)])

    threads = [threading.Thread(target=seal) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(numbers)) == 8000


def test_two_sessions_have_nothing_in_common():
    sealer = Sealer.under(bytes(32))
    assert sealer.session().wrapped != sealer.session().wrapped


@pytest.mark.parametrize("key", [b"", bytes(31), "text", None])
def test_what_is_no_key_is_refused(key):
    for make in (Sealer.for_hub, Sealer.under, Opener.of_hub, Opener.under):
        with pytest.raises(Misconfigured, match="HAL-816"):
            make(key)
