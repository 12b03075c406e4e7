"""Whatever is done to an outbox, in whatever order and with crashes between, a simple model says the same."""

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from halocline import Outbox
from halocline.errors import Rejected
from halocline.sync import Record

PAYLOAD_BYTES = 300
EACH_BYTES = PAYLOAD_BYTES + 4 + 200 + len("id-0000") + len("sample")
FITTING = 8
WORDS = ("over_cap", "refused:malformed", "refused:too_old")
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None


class Model:
    """What should be so, in the simplest words."""

    def __init__(self) -> None:
        self.queued: list[tuple[Record, float | None]] = []
        self.accepted = self.arrived = self.expired = 0
        self.lost = dict.fromkeys(WORDS, 0)

    def put(self, record: Record, expires_s: float | None, fitting: int) -> None:
        self.accepted += 1
        self.queued.append((record, expires_s))
        while len(self.queued) > fitting:
            least = min(self.queued, key=lambda each: (-each[0].priority, each[0].value, each[0].position))
            self.queued.remove(least)
            self.lost["over_cap"] += 1

    def expire(self, now_s: float) -> None:
        ended = [each for each in self.queued if each[1] is not None and each[1] <= now_s]
        self.queued = [each for each in self.queued if each not in ended]
        self.expired += len(ended)

    def remove(self, record_id: str) -> bool:
        left = [each for each in self.queued if each[0].id != record_id]
        was_there = len(left) < len(self.queued)
        self.queued = left
        return was_there

    def order(self, besides: set[str]) -> list[str]:
        """Urgency decides who is next; whom the stream lets go only after others, they go before."""
        chosen: list[Record] = []
        records = sorted(
            (record for record, _ in self.queued), key=lambda each: (each.priority, each.position)
        )
        for record in records:
            line = [record]
            if record.stream:
                line = [each for each in records if each.stream == record.stream]
                line = sorted(line, key=lambda each: each.position)
                line = line[: line.index(record) + 1]
            for each in line:
                if each.id in besides:
                    break
                if each not in chosen:
                    chosen.append(each)
        return [each.id for each in chosen]


class OutboxMachine(RuleBasedStateMachine):
    """Puts, takes, answers, time that passes, crashes and starts."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(dir=MEMORY))
        self.now_s = 1000.0
        self.starts = 0
        self.made = 0
        self.model = Model()
        self.outbox = self.start()

    def start(self) -> Outbox:
        self.starts += 1
        folder = self.root / str(self.starts)
        return Outbox(folder, cap_bytes=EACH_BYTES * FITTING, now_s=lambda: self.now_s)

    def ids(self) -> list[str]:
        return sorted(record.id for record, _ in self.model.queued)

    @rule(
        priority=st.integers(0, 3),
        value=st.sampled_from([0.0, 0.5, 1.0]),
        stream=st.sampled_from(["", "", "a", "b"]),
        ttl_s=st.sampled_from([None, None, 5.0, 20.0]),
    )
    def put(self, priority: int, value: float, stream: str, ttl_s: float | None) -> None:
        self.made += 1
        self.model.expire(self.now_s)
        # The stream's name counts too; padded, every record is as large as every other.
        payload = bytes(PAYLOAD_BYTES - len(stream))
        name = f"id-{self.made:04}"
        record = self.outbox.put(
            payload, kind="sample", priority=priority, value=value, stream=stream, ttl_s=ttl_s, id=name
        )
        self.model.put(record, None if ttl_s is None else self.now_s + ttl_s, FITTING)

    @rule(data=st.data())
    def put_again(self, data: st.DataObject) -> None:
        if not self.model.queued:
            return
        record = data.draw(st.sampled_from([record for record, _ in self.model.queued]))
        self.model.expire(self.now_s)
        if record.id not in self.ids():
            self.outbox.take(1)  # what has ended leaves the queue when somebody looks
            return
        payload = bytes(PAYLOAD_BYTES - len(record.stream))
        same = {"kind": "sample", "stream": record.stream, "id": record.id}
        again = self.outbox.put(payload, priority=record.priority, **same)
        assert again.position == record.position
        with pytest.raises(Rejected, match="HAL-812"):
            self.outbox.put(b"other", **same)

    @rule(data=st.data(), most=st.integers(1, 12))
    def take(self, data: st.DataObject, most: int) -> None:
        self.model.expire(self.now_s)
        besides = set(data.draw(st.lists(st.sampled_from(self.ids()), max_size=3))) if self.ids() else set()
        pieces = self.outbox.take(most, besides=besides)
        assert [piece.record.id for piece in pieces] == self.model.order(besides)[:most]

    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        names = data.draw(st.lists(st.sampled_from([*self.ids(), "unknown"]), unique=True, max_size=4))
        gone = sum(self.model.remove(name) for name in names)
        self.model.arrived += gone
        assert self.outbox.acknowledge(names) == gone

    @rule(data=st.data(), reason=st.sampled_from(["malformed", "too_old"]))
    def refuse(self, data: st.DataObject, reason: str) -> None:
        name = data.draw(st.sampled_from([*self.ids(), "unknown"]))
        was_there = self.model.remove(name)
        self.model.lost[f"refused:{reason}"] += was_there
        assert self.outbox.refuse(name, reason) == was_there

    @rule(by_s=st.sampled_from([1.0, 6.0, 30.0]))
    def wait(self, by_s: float) -> None:
        self.now_s += by_s

    @rule()
    def crash(self) -> None:
        """The files as they are now are what the next start finds; nothing was closed."""
        left, boot = self.outbox, self.outbox.boot
        before = self.root / str(self.starts)
        shutil.copytree(before, self.root / str(self.starts + 1))
        self.outbox = self.start()
        left.close()
        shutil.rmtree(before)
        assert self.outbox.boot == boot + 1

    @rule()
    def restart(self) -> None:
        before = self.root / str(self.starts)
        self.outbox.close()
        before.rename(self.root / str(self.starts + 1))
        self.outbox = self.start()

    @invariant()
    def the_ledger_closes_and_says_what_the_model_says(self) -> None:
        ledger = self.outbox.ledger()
        assert ledger.closes
        assert (ledger.accepted, ledger.arrived) == (self.model.accepted, self.model.arrived)
        assert (ledger.queued, ledger.expired) == (len(self.model.queued), self.model.expired)
        assert ledger.evicted == {reason: count for reason, count in self.model.lost.items() if count}
        assert ledger.queued_bytes == ledger.queued * EACH_BYTES

    def teardown(self) -> None:
        self.outbox.close()
        folder = self.root / str(self.starts)
        with closing(sqlite3.connect(folder / "outbox.db")) as database:
            count, total = database.execute("SELECT count(*), total(stored_bytes) FROM record").fetchone()
            state: Any = database.execute("SELECT queued, queued_bytes FROM state").fetchone()
            assert (count, total) == state
        shutil.rmtree(self.root)


TestOutbox = OutboxMachine.TestCase
TestOutbox.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
