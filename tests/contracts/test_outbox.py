"""What every outbox promises, in the clear, under a key of its own, and sealed to a hub."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from halocline import Outbox
from halocline.adapters.sealing import Opener, new_pair
from halocline.errors import HaloclineError, Misconfigured, Rejected, Transient
from halocline.sync import Position, Priority, Waiting, unframed

PRIVATE, PUBLIC = new_pair()
SECRET = bytes(range(32))
KEYS: dict[str, dict[str, bytes]] = {"clear": {}, "own key": {"key": SECRET}, "hub": {"hub_key": PUBLIC}}


class Kind(NamedTuple):
    """One way to have an outbox in a folder."""

    open: Callable[..., Outbox]
    opener: Opener

    def contents(self, pieces: list[Waiting]) -> list[tuple[bytes, bytes]]:
        """Head and payload of each, whole records only."""
        return [unframed(self.opener.body(piece)) for piece in pieces]


@pytest.fixture(params=KEYS)
def kind(request: Any, memory_folder: Path) -> Iterator[Kind]:
    opened: list[Outbox] = []

    def make(**options: Any) -> Outbox:
        opened.append(Outbox(memory_folder / "outbox", **KEYS[request.param], **options))
        return opened[-1]

    yield Kind(make, Opener.of_hub(PRIVATE))
    for outbox in opened:
        outbox.close()


def ids(pieces: list[Waiting]) -> list[str]:
    return [piece.record.id for piece in pieces]


def test_what_is_put_is_taken_with_its_head(kind):
    outbox = kind.open()
    record = outbox.put(b"payload", kind="sample", head=b"head", value=0.25)
    (piece,) = outbox.take()
    assert piece.record == record
    assert record.position == Position(1, 1)
    assert kind.contents([piece]) == [(b"head", b"payload")]


def test_a_record_stays_until_it_is_acknowledged(kind):
    outbox = kind.open()
    record = outbox.put(b"x", kind="sample")
    assert ids(outbox.take()) == ids(outbox.take()) == [record.id]
    assert outbox.acknowledge([record.id, "never-seen"]) == 1
    assert outbox.acknowledge([record.id]) == 0
    assert outbox.take() == []


def test_the_most_urgent_is_given_first_and_within_that_the_oldest(kind):
    outbox = kind.open()
    put = [outbox.put(b"x", kind="sample", priority=priority) for priority in (3, 1, 0, 2, 1)]
    wanted = [put[2], put[1], put[4], put[3], put[0]]
    assert [piece.record for piece in outbox.take()] == wanted
    assert [piece.record for piece in outbox.take(2)] == wanted[:2]


def test_nothing_is_lost_by_closing(kind):
    outbox = kind.open()
    put = [outbox.put(b"%d" % at, kind="sample", stream="s").id for at in range(3)]
    outbox.close()
    again = kind.open()
    assert again.boot == 2
    put.append(again.put(b"3", kind="sample", stream="s").id)
    pieces = again.take()
    assert ids(pieces) == put
    assert kind.contents(pieces) == [(b"", b"%d" % at) for at in range(4)]
    assert [piece.record.position for piece in pieces] == [
        *(Position(1, at) for at in (1, 2, 3)),
        Position(2, 1),
    ]


def test_a_stream_keeps_its_order_whatever_the_priorities(kind):
    outbox = kind.open()
    low = outbox.put(b"1", kind="sample", stream="s", priority=3)
    other = outbox.put(b"2", kind="sample", priority=1)
    urgent = outbox.put(b"3", kind="sample", stream="s", priority=0)
    assert ids(outbox.take()) == [low.id, urgent.id, other.id]


def test_nothing_of_a_stream_goes_past_what_is_under_way(kind):
    outbox = kind.open()
    first = outbox.put(b"1", kind="sample", stream="s", priority=3)
    other = outbox.put(b"2", kind="sample", priority=3)
    urgent = outbox.put(b"3", kind="sample", stream="s", priority=0)
    assert ids(outbox.take(besides=[first.id])) == [other.id]
    outbox.acknowledge([first.id])
    assert ids(outbox.take()) == [urgent.id, other.id]


def test_a_batch_keeps_its_limits_and_is_never_empty_while_something_waits(kind):
    outbox = kind.open()
    put = [outbox.put(bytes(2000), kind="sample").id for _ in range(5)]
    assert ids(outbox.take(max_bytes=1)) == put[:1]
    assert ids(outbox.take(max_bytes=5000)) == put[:2]
    assert ids(outbox.take(max_records=3)) == put[:3]


def test_an_urgent_record_overtakes_a_large_one_that_is_under_way(kind):
    outbox = kind.open(chunk_bytes=1024)
    payload = bytes(range(256)) * 20
    large = outbox.put(payload, kind="sample", head=b"head")
    first = outbox.take(max_bytes=1024)
    assert [(piece.record.id, piece.chunk, piece.chunks) for piece in first] == [(large.id, 0, 6)]
    outbox.passed(large.id, 1)
    urgent = outbox.put(b"now", kind="alert", priority=0)
    second = outbox.take(max_bytes=1500)
    assert [(piece.record.id, piece.chunk) for piece in second] == [(urgent.id, 0), (large.id, 1)]
    outbox.acknowledge([urgent.id])
    rest = outbox.take()
    assert [piece.chunk for piece in rest] == [1, 2, 3, 4, 5]
    whole = b"".join(kind.opener.body(piece) for piece in [*first, *rest])
    assert unframed(whole) == (b"head", payload)
    outbox.acknowledge([large.id])
    assert outbox.take() == []
    assert outbox.ledger().queued_bytes == 0


def test_chunks_that_cannot_have_passed_are_refused(kind):
    outbox = kind.open(chunk_bytes=1024)
    record = outbox.put(bytes(3000), kind="sample")
    with pytest.raises(Rejected, match=r"4 chunks of .*HAL-811"):
        outbox.passed(record.id, 4)


def test_nothing_goes_past_a_large_record_of_its_stream(kind):
    outbox = kind.open(chunk_bytes=1024)
    large = outbox.put(bytes(3000), kind="sample", stream="s")
    outbox.put(b"after", kind="sample", stream="s")
    assert set(ids(outbox.take())) == {large.id}


def test_the_same_id_and_content_again_is_the_first_one(kind):
    outbox = kind.open()
    first = outbox.put(b"x", kind="sample", id="one")
    assert outbox.put(b"x", kind="sample", id="one") == first
    outbox.close()
    again = kind.open()
    assert again.put(b"x", kind="sample", id="one") == first
    assert again.ledger().accepted == 1


def test_the_same_id_with_other_content_is_an_error(kind):
    outbox = kind.open()
    first = outbox.put(b"x", kind="sample", id="one")
    for put in ({"payload": b"y", "kind": "sample"}, {"payload": b"x", "kind": "other"}):
        with pytest.raises(Rejected, match=r"one is queued already .*sequence 1.*HAL-812"):
            outbox.put(**put, id="one")
    outbox.close()
    again = kind.open()
    with pytest.raises(Rejected, match="HAL-812"):
        again.put(b"longer", kind="sample", id="one")
    assert [piece.record for piece in again.take()] == [first]


def test_an_id_that_many_put_at_once_is_queued_once(kind):
    outbox = kind.open()
    told: list[Any] = []

    def put(payload: bytes) -> None:
        try:
            told.append(outbox.put(payload, kind="sample", id="one"))
        except HaloclineError as error:
            told.append(error.code)

    threads = [threading.Thread(target=put, args=(payload,)) for payload in (b"x", b"x", b"y", b"y") * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (piece,) = outbox.take()
    assert told.count("HAL-812") == told.count(piece.record) == 8
    assert outbox.ledger().accepted == 1


def test_a_poison_record_leaves_the_queue_and_is_counted(kind):
    outbox = kind.open()
    poison = outbox.put(b"x", kind="sample", stream="s")
    rest = outbox.put(b"y", kind="sample", stream="s")
    assert outbox.refuse(poison.id, "malformed")
    assert not outbox.refuse(poison.id, "malformed")
    assert ids(outbox.take()) == [rest.id]
    assert outbox.ledger().evicted == {"refused:malformed": 1}
    assert outbox.ledger().closes


def test_a_hub_that_makes_up_reasons_does_not_fill_the_ledger(kind):
    outbox = kind.open()
    for at in range(80):
        outbox.refuse(outbox.put(b"x", kind="sample").id, f"reason_{at}")
    ledger = outbox.ledger()
    assert len(ledger.evicted) <= 65
    assert ledger.closes
    with pytest.raises(Rejected, match="HAL-811"):
        outbox.refuse("any", "No Reason!")


def test_a_record_is_not_given_after_its_time(kind):
    now_s = [100.0]
    outbox = kind.open(now_s=lambda: now_s[0])
    brief = outbox.put(b"x", kind="sample", ttl_s=10)
    lasting = outbox.put(b"y", kind="sample")
    assert ids(outbox.take()) == [brief.id, lasting.id]
    now_s[0] = 110.0
    assert ids(outbox.take()) == [lasting.id]
    assert outbox.ledger().expired == 1
    assert outbox.ledger().closes


def test_times_to_live_go_on_after_a_start(kind):
    now_s = [100.0]
    outbox = kind.open(now_s=lambda: now_s[0])
    outbox.put(b"x", kind="sample", ttl_s=10)
    outbox.close()
    now_s[0] = 111.0
    assert kind.open(now_s=lambda: now_s[0]).take() == []


def test_beyond_the_cap_the_least_worth_goes_first(kind):
    outbox = kind.open(cap_bytes=8000)
    urgent = outbox.put(bytes(1000), kind="sample", priority=0)
    cheap = outbox.put(bytes(1000), kind="sample", priority=3, value=0.1)
    dear = outbox.put(bytes(1000), kind="sample", priority=3, value=0.9)
    normal = [outbox.put(bytes(1000), kind="sample", value=0.5) for _ in range(4)]
    assert cheap.id not in ids(outbox.take())
    assert dear.id in ids(outbox.take())
    normal += [outbox.put(bytes(1000), kind="sample", value=0.5) for _ in range(8)]
    kept = outbox.take()
    assert kept[0].record == urgent
    assert [piece.record for piece in kept[1:]] == normal[-len(kept) + 1 :]
    ledger = outbox.ledger()
    assert ledger.queued_bytes <= 8000
    assert ledger.evicted == {"over_cap": 15 - len(kept)}
    assert ledger.closes


def test_what_arrives_although_it_was_evicted_on_its_way_is_not_lost(kind):
    now_s = [0.0]
    outbox = kind.open(cap_bytes=3000, now_s=lambda: now_s[0])
    evicted = outbox.put(bytes(1000), kind="sample", priority=3)
    expired = outbox.put(bytes(1000), kind="sample", priority=3, value=1.0, ttl_s=5)
    outbox.take()
    outbox.put(bytes(1000), kind="sample", priority=0)
    now_s[0] = 5.0
    outbox.put(b"x", kind="sample")
    assert (outbox.ledger().expired, outbox.ledger().evicted) == (1, {"over_cap": 1})
    for _ in range(2):
        outbox.acknowledge([evicted.id, expired.id])
        ledger = outbox.ledger()
        assert (ledger.arrived, ledger.lost) == (2, 0)
        assert ledger.closes


def test_what_is_worth_least_of_all_is_evicted_as_it_comes(kind):
    outbox = kind.open(cap_bytes=8000)
    kept = [outbox.put(bytes(1000), kind="sample", priority=0) for _ in range(6)]
    outbox.put(bytes(1000), kind="sample", priority=3)
    assert [piece.record for piece in outbox.take()] == kept
    assert outbox.ledger().evicted == {"over_cap": 1}


@pytest.mark.parametrize(
    "wrong",
    [
        {"priority": 4},
        {"priority": -1},
        {"priority": "high"},
        {"value": float("nan")},
        {"ttl_s": 0},
        {"ttl_s": float("inf")},
        {"kind": ""},
        {"kind": "a b"},
        {"stream": "s\0"},
        {"id": "x" * 129},
        {"payload": "text"},
        {"head": None},
        {"payload": bytes(70_000)},
    ],
)
def test_what_cannot_be_queued_is_refused_and_the_queue_goes_on(kind, wrong):
    outbox = kind.open(record_limit_bytes=65_536)
    with pytest.raises(Rejected, match="HAL-811"):
        outbox.put(**{"payload": b"x", "kind": "sample", **wrong})
    outbox.put(b"x", kind="sample")
    assert outbox.ledger().accepted == 1


def test_many_put_at_once_and_each_has_a_place(kind):
    outbox = kind.open()
    records: list[Any] = []

    def put(name: int) -> None:
        records.extend(outbox.put(b"%d" % at, kind="sample", stream=f"s{name}") for at in range(20))

    threads = [threading.Thread(target=put, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pieces = outbox.take(1000)
    assert sorted(record.position for record in records) == [Position(1, at + 1) for at in range(160)]
    assert {piece.record.id for piece in pieces} == {record.id for record in records}
    for name in range(8):
        mine = [piece for piece in pieces if piece.record.stream == f"s{name}"]
        assert kind.contents(mine) == [(b"", b"%d" % at) for at in range(20)]


def test_a_folder_has_one_outbox_at_a_time(kind):
    kind.open()
    with pytest.raises(Misconfigured, match=r"open in another program.*HAL-813"):
        kind.open()


def test_a_closed_outbox_says_so(kind):
    outbox = kind.open()
    outbox.close()
    outbox.close()
    with pytest.raises(Transient, match=r"closed.*HAL-817"):
        outbox.put(b"x", kind="sample")
    with pytest.raises(Transient, match="HAL-817"):
        outbox.take()


def test_priorities_have_names():
    assert [int(priority) for priority in Priority] == [0, 1, 2, 3]
    assert Priority.URGENT == 0
