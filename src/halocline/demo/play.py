"""Play the phases in their order: the baseline, the normal case, what breaks, and back again."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import msgspec

from halocline.demo.answer import Answer
from halocline.demo.caller import Ask, Caller, Row
from halocline.demo.evidence import Traffic
from halocline.demo.sabotage import Delivery
from halocline.demo.stage import BASELINE_DEADLINE_S, DEADLINE_S, Stage

LTE_DELAY_S = 0.05
"""One way; a mobile network's round trip of about a tenth of a second."""
SLOW_BITS_PER_S = 1e6


class Phase(msgspec.Struct, frozen=True):
    """One phase: what viewers are told, which folds' rows are asked, how often and how fast.

    `folds` None are those of the normal case; `requests` None is every row once. `begin` breaks or mends
    the link; `end` undoes what must not last.
    """

    name: str
    say: str
    folds: tuple[int, ...] | None
    requests: int | None
    pause_s: float
    begin: Callable[[Stage], None]
    end: Callable[[Stage], None]


def _nothing(stage: Stage) -> None: ...


def _silence(stage: Stage) -> None:
    stage.link.cut("freeze", "silence")


def _refuse(stage: Stage) -> None:
    stage.link.cut("reset", "refuse")


def _restore(stage: Stage) -> None:
    stage.link.restore()


def _slow_down(stage: Stage) -> None:
    stage.link.delay_s, stage.link.bits_per_s = LTE_DELAY_S, SLOW_BITS_PER_S


def _speed_up(stage: Stage) -> None:
    stage.link.delay_s, stage.link.bits_per_s = 0.0, None


# Each fault meets a device that has not learnt of the one before; the last phase asks all of those again.
# Where all is well, the devices are asked in turn.
PHASES = (
    Phase("cloud_only", "every row goes to the cloud: the baseline", None, None, 0.0, _nothing, _nothing),
    Phase("normal", "the edge answers when it is sure", None, None, 0.0015, _nothing, _nothing),
    Phase("silent", "the link goes dead without a word", (1,), 160, 0.02, _silence, _restore),
    Phase("refusing", "the cloud refuses connections", (2,), 160, 0.02, _refuse, _restore),
    Phase("slow_link", "50 ms each way, 1 Mbit/s", (3,), 120, 0.02, _slow_down, _speed_up),
    Phase("back", "all is well again", (1, 2, 3), 160, 0.02, _nothing, _nothing),
)
BASELINE, NORMAL, RECOVERY = "cloud_only", "normal", "back"


class Watcher(Protocol):
    """Whoever shows the run while it goes on."""

    def phase(self, phase: Phase, requests: int) -> None:
        """A phase begins, with so many requests."""

    def say(self, line: str) -> None:
        """A line for whoever watches."""

    def step(self, answer: Answer | None) -> None:
        """One request was answered, or was not."""


class Play:
    """Plays every phase with one caller, and keeps what the link counted in each."""

    def __init__(
        self, stage: Stage, caller: Caller, watcher: Watcher, *, seed: int, fast: bool, delivery: Delivery
    ) -> None:
        self._stage = stage
        self._caller = caller
        self._watcher = watcher
        self._fast = fast
        self._delivery = delivery
        self.rows = stage.rows(seed)
        self.traffic: dict[str, Traffic] = {}

    def run(self) -> None:
        """Every phase, in its order."""
        for phase in PHASES:
            if phase.name == BASELINE:
                with self._stage.baseline() as cloud:
                    self._play(phase, lambda at, row: cloud, BASELINE_DEADLINE_S, Delivery(None))
            elif phase.folds is None:
                self._play(phase, lambda at, row: self._stage.agent(at), DEADLINE_S, self._delivery)
            else:
                self._play(phase, lambda at, row: self._stage.agent(row.fold), DEADLINE_S, self._delivery)
        self._caller.settle(0.5)

    def _play(
        self, phase: Phase, asked: Callable[[int, Row], Ask], deadline_s: float, delivery: Delivery
    ) -> None:
        """`asked` says which program is to answer the row at that place."""
        folds = self._stage.material.asked if phase.folds is None else phase.folds
        rows = [row for row in self.rows if row.fold in folds]
        if phase.requests is not None:
            rows = rows[: phase.requests // 2 if self._fast else phase.requests]
        self._watcher.phase(phase, len(rows))
        with self._counted(phase.name):
            phase.begin(self._stage)
            pause_s = 0.0 if self._fast and phase.requests is None else phase.pause_s
            for at, row in enumerate(_paced(rows, pause_s)):
                answer = self._caller.ask(
                    asked(at, row), row, phase=phase.name, deadline_s=deadline_s, delivery=delivery
                )
                self._watcher.step(answer)
            phase.end(self._stage)
            if phase.end is _restore:
                self._caller.settle(1.0)

    @contextmanager
    def _counted(self, name: str) -> Iterator[None]:
        up_bytes, down_bytes = self._stage.link.up_bytes, self._stage.link.down_bytes
        yield
        link = self._stage.link
        self.traffic[name] = Traffic(link.up_bytes - up_bytes, link.down_bytes - down_bytes)


def _paced(rows: Sequence[Row], pause_s: float) -> Iterator[Row]:
    """Each row when it is due; after a hold-up the pace goes on, it is not caught up with."""
    due_s = time.monotonic()
    for row in rows:
        if (early_s := due_s - time.monotonic()) > 0:
            time.sleep(early_s)
        yield row
        due_s = max(due_s + pause_s, time.monotonic() - pause_s)
