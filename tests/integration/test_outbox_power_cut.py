"""After a power cut nothing that an outbox acknowledged is lost, whatever of its writes the disk holds."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("apsw", reason="the recording of writes needs apsw, of the dev extra")

from disk_trace import Disk, Event, FolderSync, Sync, Told, TracedConnection, TracingVfs, Whole

from halocline import Outbox
from halocline.adapters.outbox import boots, database, outbox
from halocline.adapters.sealing import Opener, new_pair
from halocline.sync import unframed

PRIVATE, PUBLIC = new_pair()
SEED = 20261125
OPTIONS = {"hub_key": PUBLIC, "cap_bytes": 100_000, "chunk_bytes": 4096}


@pytest.fixture
def trace(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """Everything that an outbox does to the disk from now on."""
    events: list[Event] = []
    vfs = TracingVfs(events)
    monkeypatch.setattr(database, "connect", TracedConnection)
    monkeypatch.setattr(TracedConnection, "vfs", vfs, raising=False)  # it lives as long as the test
    plain_sync, plain_write = database.sync, boots.write_file

    def sync(path: Path) -> None:
        plain_sync(path)
        events.append(FolderSync())

    def write(path: Path, data: bytes) -> None:
        plain_write(path, data)
        events.append(Whole(path.name, data))

    monkeypatch.setattr(database, "sync", sync)
    monkeypatch.setattr(boots, "write_file", write)
    monkeypatch.setattr(outbox, "LEAST_WAL_PAGES", 8)  # written back several times here
    return events


def lived(folder: Path, events: list[Event]) -> None:
    """Put, send and refuse, over two starts; what the caller is told stands in the trace."""
    for start in range(2):
        with Outbox(folder, **OPTIONS) as box:
            for at in range(12):
                name = f"id-{start}-{at}"
                size_bytes = 9000 if at == 5 else 300
                events.append(Told("putting", name))
                box.put(name.encode() * (size_bytes // 6), kind="sample", id=name, priority=at % 4)
                events.append(Told("put", name))
                if at % 3 == 2:
                    gone = box.take(1)[0].record.id
                    events.append(Told("removing", gone))
                    if at == 8:
                        box.refuse(gone, "poison")
                    else:
                        box.acknowledge([gone])
                    events.append(Told("removed", gone))
            events.append(Told("boot", str(box.boot)))


def cuts(folder: Path, events: list[Event], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Cut the power after each event; what was wrong with each state of the disk that was opened."""
    monkeypatch.undo()
    rng, disk = random.Random(SEED), Disk()
    told: dict[str, set[str]] = {what: set() for what in ("putting", "put", "removing", "removed", "boot")}
    seen: set[int] = set()
    for at, event in enumerate(events):
        disk.see(event)
        if isinstance(event, Told):
            told[event.what].add(event.id)
        for state in disk.states(rng):
            key = hash((tuple(sorted(state.items())), *map(len, told.values())))
            if key not in seen:
                seen.add(key)
                yield [f"event {at}, {event!r:.80}: {fault}" for fault in faults(folder, state, told)]


def faults(folder: Path, state: dict[str, bytes], told: dict[str, set[str]]) -> list[str]:
    """Start the outbox on that disk; what is wrong then."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in state.items():
        (folder / name).write_bytes(content)
    with Outbox(folder, **OPTIONS) as box:
        ledger = box.ledger()
        pieces = box.take(1000, 1 << 30)
        boot = box.boot
    queued = {piece.record.id for piece in pieces}
    found = {
        "lost": bool(told["put"] - told["removing"] - queued),
        "back": bool(told["removed"] & queued),
        "from nowhere": bool(queued - told["putting"]),
        "open ledger": not ledger.closes or ledger.queued != len(queued),
        "a boot again": any(boot <= int(before) for before in told["boot"]),
        "called damaged": bool(ledger.damaged and told["put"]),
    }
    opener = Opener.of_hub(PRIVATE)
    for name in queued:
        bodies = [opener.body(piece) for piece in pieces if piece.record.id == name]
        found |= {f"{name} is torn": set(unframed(b"".join(bodies))[1].split(name.encode())) != {b""}}
    return [fault for fault, is_so in found.items() if is_so]


def test_what_was_acknowledged_is_there_after_any_power_cut(trace, memory_folder, monkeypatch):
    lived(memory_folder / "outbox", trace)
    found = list(cuts(memory_folder / "after", trace, monkeypatch))
    print(f"{len(trace)} events, {len(found)} states of the disk")
    assert [fault for faults in found for fault in faults] == []
    assert len(found) > 300


@pytest.mark.parametrize("level", ["OFF", "NORMAL"])
def test_without_its_sync_that_would_not_be_so(trace, memory_folder, monkeypatch, level):
    settings = [each.replace("synchronous = FULL", f"synchronous = {level}") for each in database._SETTINGS]
    monkeypatch.setattr(database, "_SETTINGS", settings)
    lived(memory_folder / "outbox", trace)
    found = cuts(memory_folder / "after", trace, monkeypatch)
    assert any(fault.endswith(": lost") for faults in found for fault in faults)


def test_each_answer_has_had_a_sync_of_its_own(trace, memory_folder):
    """At least one for each batch that was acknowledged, after the batch was asked for."""
    lived(memory_folder / "outbox", trace)
    is_synced = False
    answers = 0
    for event in trace:
        match event:
            case Told("putting" | "removing"):
                is_synced = False
            case Sync(file) if file.endswith("-wal"):
                is_synced = True
            case Told("put" | "removed", name):
                assert is_synced, name
                answers += 1
    assert answers == 2 * (12 + 4)
