"""No kill -9 loses what was put, brings back what was sent, opens the ledger, or shows what was sealed."""

import random
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from halocline import Outbox
from halocline.adapters.sealing import Opener, new_pair
from halocline.sync import unframed

PRIVATE, PUBLIC = new_pair()
SECRET = "what-the-patient-said-to-nobody"
STEPS = ("put", "acknowledge", "refuse", "evict", "expire")
POINTS = [f"{step}.{phase}" for step in STEPS for phase in ("begun", "written", "committed")]
POINTS = [point for point in POINTS if point not in ("evict.begun", "expire.begun")]
"""That something is evicted or has expired is known once it is written."""
KILLS = 20


@contextmanager
def looked_at(folder: Path) -> Iterator[sqlite3.Connection]:
    """A copy of the database as it lies there, without our code: looking at it repairs nothing."""
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    with closing(sqlite3.connect(copy / "outbox.db")) as database:
        yield database
    shutil.rmtree(copy)


def said(log: Path) -> dict[str, set[str]]:
    """The ids by what was said of them."""
    words: dict[str, set[str]] = {word: set() for word in ("putting", "put", "refusing", "sending", "sent")}
    for line in log.read_text().splitlines():
        word, *ids = line.split()
        words[word] |= set(ids)
    return words


def faults(folder: Path, log: Path) -> list[str]:
    """What is not as promised."""
    told = said(log)
    with looked_at(folder) as database:
        queued = {row[0] for row in database.execute("SELECT id FROM record")}
        state = database.execute(
            "SELECT accepted, arrived, expired, queued, queued_bytes FROM state"
        ).fetchone()
        lost = dict(database.execute("SELECT reason, count FROM loss"))
        stored = database.execute("SELECT total(stored_bytes) FROM record").fetchone()[0]
        checked = database.execute("PRAGMA integrity_check").fetchone()[0]
    accepted, arrived, expired, count, count_bytes = state
    gone = told["put"] - queued - told["sending"] - told["refusing"]
    found = {
        "the database is torn": checked != "ok",
        "counters and rows differ": (count, count_bytes) != (len(queued), stored),
        "the ledger is open": accepted != arrived + expired + sum(lost.values()) + count,
        "more was lost than counted": len(gone) > expired + lost.get("over_cap", 0),
        "accepted and not counted": not len(told["put"]) <= accepted <= len(told["putting"]),
        "what was sent is back": bool(told["sent"] & queued),
        "from nowhere": bool(queued - told["putting"]),
        "arrived and not sent": arrived > len(told["sending"]),
        "sent and not arrived": arrived < len(told["sent"]),
        "refused and not counted": lost.get("refused:poison", 0) > len(told["refusing"]),
    }
    found |= {
        f"{path.name} shows the payload": SECRET.encode() in path.read_bytes() for path in folder.iterdir()
    }
    return [fault for fault, is_so in found.items() if is_so]


def test_no_kill_loses_a_record_or_shows_one(memory_folder):
    folder, log = memory_folder / "outbox", memory_folder / "log"
    log.touch()
    rng = random.Random(20261125)
    points = [*POINTS, *(f"any time {rng.uniform(0.0, 0.2):.3f}" for _ in range(KILLS - len(POINTS)))]
    kills: Counter[str] = Counter()
    script = Path(__file__).with_name("outbox_killed.py")
    command = [sys.executable, str(script), str(folder), str(log), PUBLIC.hex(), SECRET]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for point in points:
            process.stdin.write(point + "\n")
            process.stdin.flush()
            assert process.stdout.readline() == "-9\n", point
            kills[point.partition(".")[0]] += 1
            if folder.exists():
                assert faults(folder, log) == [], point
        process.stdin.close()
    print(dict(kills))
    assert sum(kills.values()) == KILLS
    told = said(log)
    assert len(told["sent"]) > KILLS
    with Outbox(folder, hub_key=PUBLIC) as outbox:
        assert outbox.boot == KILLS + 1
        assert outbox.ledger().closes
        for piece in outbox.take():
            assert unframed(Opener.of_hub(PRIVATE).body(piece)) == (b"", SECRET.encode() * 20)


@pytest.mark.parametrize("size_bytes", [100, 200_000])
def test_no_file_shows_a_payload_or_head_while_the_outbox_runs(memory_folder, size_bytes):
    payload = (SECRET.encode() * (size_bytes // len(SECRET) + 1))[:size_bytes]
    with Outbox(memory_folder / "outbox", hub_key=PUBLIC) as outbox:
        for _ in range(20):
            outbox.put(payload, kind="sample", head=SECRET.encode())
        files = [path for path in memory_folder.rglob("*") if path.is_file()]
        assert {"outbox.db", "outbox.db-wal"} <= {path.name for path in files}
        for path in files:
            assert SECRET.encode() not in path.read_bytes(), path.name


def test_without_a_key_the_payload_lies_there_in_the_clear(memory_folder):
    """What the test above looks for can be found."""
    with Outbox(memory_folder / "outbox") as outbox:
        outbox.put(SECRET.encode(), kind="sample")
        assert any(SECRET.encode() in path.read_bytes() for path in (memory_folder / "outbox").iterdir())
