"""Ask for answers as any user would, and keep a log of one's own of what was asked and what came."""

import time

from halocline.demo.evidence import Corrected, Received, Sent
from halocline.demo.sabotage import Delivery
from halocline.edge.tiered import Tiered
from halocline.errors import HaloclineError
from halocline.records import Array, Correction, Reply


class Row:
    """One row to be read: its number among all, the fold whose models have not seen it, and its truth."""

    __slots__ = ("fold", "number", "truth", "x")

    def __init__(self, number: int, fold: int, x: Array, truth: str) -> None:
        self.number = number
        self.fold = fold
        self.x = x
        self.truth = truth


class Caller:
    """Asks, one row after the other, and writes down what it sees by its own clock."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.received: list[Received] = []
        self.corrected: list[Corrected] = []
        self.errors: dict[str, int] = {}

    def ask(
        self, tiered: Tiered, row: Row, *, phase: str, deadline_s: float, delivery: Delivery
    ) -> Reply | None:
        """Ask once; returns the reply that came, None where none did."""
        request = f"{phase}/{len(self.sent)}"
        sent = Sent(request, phase, row.number, row.truth, time.monotonic(), deadline_s)
        self.sent.append(sent)
        came: Reply | None = None
        try:
            answer = tiered.infer(row.x, deadline_s=deadline_s)
        except HaloclineError as error:
            self.errors[str(error)] = self.errors.get(str(error), 0) + 1
            return None
        for reply in delivery.of(answer, deadline_s=deadline_s):
            self.received.append(_received(request, reply))
            came = reply
        return came

    def correct(self, correction: Correction) -> None:
        """Take a late verdict; called from another thread."""
        self.corrected.append(Corrected(correction.id, str(correction.prediction.value), time.monotonic()))

    def settle(self, longest_s: float, *, quiet_s: float = 0.25) -> None:
        """Wait until no late verdict has come for a moment."""
        until_s = time.monotonic() + longest_s
        seen, since_s = len(self.corrected), time.monotonic()
        while (now_s := time.monotonic()) < until_s and now_s - since_s < quiet_s:
            time.sleep(0.02)
            if len(self.corrected) != seen:
                seen, since_s = len(self.corrected), time.monotonic()


def _received(request: str, reply: Reply) -> Received:
    return Received(
        request=request,
        id=reply.id,
        label=str(reply.value),
        tier=reply.tier.value,
        reason=reply.reason.value,
        degraded=reply.degraded,
        at_s=time.monotonic(),
    )
