"""Ask for answers as any user would, and keep a log of one's own of what was asked and what came."""

import time
from collections.abc import Callable
from typing import TypeAlias

from halocline.demo.answer import Answer
from halocline.demo.evidence import Corrected, Received, Sent
from halocline.demo.sabotage import Delivery
from halocline.errors import HaloclineError
from halocline.records import Array


class Row:
    """One row to be read: its number among all, the fold whose models have not seen it, and its truth."""

    __slots__ = ("fold", "number", "truth", "x")

    def __init__(self, number: int, fold: int, x: Array, truth: str) -> None:
        self.number = number
        self.fold = fold
        self.x = x
        self.truth = truth


Ask: TypeAlias = Callable[[Row], Answer]
"""Has a program answer one row, or raises HaloclineError."""


class Caller:
    """Asks, one row after the other, and writes down what it sees by its own clock."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.received: list[Received] = []
        self.corrected: list[Corrected] = []
        self.errors: dict[str, int] = {}

    def ask(
        self, program: Ask, row: Row, *, phase: str, deadline_s: float, delivery: Delivery
    ) -> Answer | None:
        """Ask once; returns the answer that came, None where none did."""
        request = f"{phase}/{len(self.sent)}"
        sent = Sent(request, phase, row.number, row.truth, time.monotonic(), deadline_s)
        self.sent.append(sent)
        came: Answer | None = None
        try:
            answer = program(row)
        except HaloclineError as error:
            self.errors[str(error)] = self.errors.get(str(error), 0) + 1
            return None
        for delivered in delivery.of(answer, deadline_s=deadline_s):
            self.received.append(_received(request, delivered))
            came = delivered
        return came

    def correct(self, reply_id: str, label: str) -> None:
        """Take a late verdict; called from another thread."""
        self.corrected.append(Corrected(reply_id, label, time.monotonic()))

    def settle(self, longest_s: float, *, quiet_s: float = 0.25) -> None:
        """Wait until no late verdict has come for a moment."""
        until_s = time.monotonic() + longest_s
        seen, since_s = len(self.corrected), time.monotonic()
        while (now_s := time.monotonic()) < until_s and now_s - since_s < quiet_s:
            time.sleep(0.02)
            if len(self.corrected) != seen:
                seen, since_s = len(self.corrected), time.monotonic()


def _received(request: str, answer: Answer) -> Received:
    return Received(
        request=request,
        id=answer.id,
        label=answer.label,
        tier=answer.tier,
        reason=answer.reason,
        degraded=answer.degraded,
        at_s=time.monotonic(),
    )
