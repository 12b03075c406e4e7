"""Decide which rows of one call go up, and what travels: the policy meets the state of the way up."""

from functools import partial

import msgspec
import numpy as np

from halocline.decide.gate import Policy, gate
from halocline.edge.escalation import Escalation
from halocline.edge.judge import Judged
from halocline.edge.reading import Rows
from halocline.edge.sending import Going, Load, RawRows, Sender, payload_bytes_of, some_of
from halocline.ports import Feed
from halocline.records import Array, Mode, Reason

_NONE: Array = np.empty(0, np.int64)
_FIRST: Array = np.zeros(1, np.int64)


class Plan(msgspec.Struct, frozen=True):
    """What happens to the rows of one call.

    `up` are the positions of those that go up, `reasons` says of each row why it does or does not;
    `feed` holds the rows that travel, as the cloud wants them.
    """

    up: Array
    reasons: list[Reason]
    feed: Feed
    payload_bytes: int


class Route:
    """Plans each call under one mode and one policy."""

    def __init__(self, mode: Mode, policy: Policy, up: Escalation, sender: Sender) -> None:
        self.mode = mode
        self._policy = policy
        self._up = up
        self._sender = sender
        self._told = False

    def plan(
        self, going: Going, rows: Rows, judged: Judged | None, rows_before: int, time_left_s: float
    ) -> Plan:
        """The plan for a batch as the edge read it; `judged` is None where the mode decides.

        `rows_before` were answered without a plan since the last one.
        """
        count = len(rows.index)
        if self.mode is Mode.EDGE_ONLY:
            return Plan(_NONE, [Reason.MODE] * count, {}, 0)
        if judged is None:
            return self.everything(going, count, rows_before, time_left_s)
        wanting = np.flatnonzero(judged.unsure)
        if not wanting.size:
            return Plan(wanting, [Reason.CONFIDENT] * count, {}, 0)
        decide = partial(gate, rows.index, judged.sureness, self._policy, unsure=judged.unsure)
        some = going if len(wanting) == count else some_of(going, wanting)
        load = self._load(some)
        if load is None:
            return Plan(_NONE, decide(hold=Reason.NOT_SENT).reasons, {}, 0)
        granted, otherwise = self._up.grant(wanting.size, count, rows_before, load.bytes, time_left_s)
        decisions = decide(
            hold=None if otherwise is Reason.BUDGET else otherwise,
            granted=lambda _: granted,
        )
        up = np.flatnonzero(decisions.escalate)
        kept = None if len(up) == len(wanting) else wanting.searchsorted(up)
        return self._planned(up, decisions.reasons, load, some, kept)

    def plan_check(self, going: Going, count: int) -> Plan:
        """The plan for sure rows that are to be checked: no budget counts, and no deadline."""
        return self._all(going, count, 0, 0, float("inf"), Reason.ESCALATED, budgeted=False)

    def plan_unsure(self, going: Going, rows_before: int, time_left_s: float) -> Plan:
        """The plan for one row that the gate did not let stay."""
        return self._all(going, 1, 1, rows_before, time_left_s, Reason.ESCALATED)

    def everything(self, going: Going, count: int, rows_before: int, time_left_s: float) -> Plan:
        """The plan that sends every row up, if any may go; no budget counts."""
        return self._all(going, count, count, rows_before, time_left_s, Reason.MODE, budgeted=False)

    def _all(
        self,
        going: Going,
        count: int,
        rows: int,
        rows_before: int,
        time_left_s: float,
        reason: Reason,
        *,
        budgeted: bool = True,
    ) -> Plan:
        """All of the rows go up, for the reason given, or none does; `rows` of them refill a budget."""
        every = _FIRST if count == 1 else np.arange(count)
        load = self._load(going)
        if load is None:
            return Plan(_NONE, [Reason.NOT_SENT] * count, {}, 0)
        granted, otherwise = self._up.grant(
            count, rows, rows_before, load.bytes, time_left_s, budgeted=budgeted
        )
        if not granted:
            return Plan(_NONE, [otherwise] * count, {}, 0)
        return self._planned(every, [reason] * count, load, going, None)

    def _load(self, going: Going) -> Load | None:
        """What would travel takes; None where that cannot be made."""
        try:
            return self._sender.load(going)
        except Exception:
            self._tell()
            return None

    def _planned(
        self, up: Array, reasons: list[Reason], load: Load, going: Going, kept: Array | None
    ) -> Plan:
        """The plan for all of `going`, or those `kept` of it; rows that cannot be made stay."""
        if load.made is not None:
            made = load.made if kept is None else {name: array[kept] for name, array in load.made.items()}
            return Plan(up, reasons, made, payload_bytes_of(made))
        if kept is not None:
            if not kept.size:
                return Plan(up, reasons, {}, 0)
            going = some_of(going, kept)
        feed = self._fed(going)
        if feed is not None:
            return Plan(up, reasons, feed, payload_bytes_of(feed))
        fit = self._that_can_be_made(going)
        feed = self._fed(some_of(going, fit)) if fit.size else None
        for at in up if feed is None else np.delete(up, fit):
            reasons[at] = Reason.NOT_SENT
        return (
            Plan(_NONE, reasons, {}, 0)
            if feed is None
            else Plan(up[fit], reasons, feed, payload_bytes_of(feed))
        )

    def _that_can_be_made(self, going: Going) -> Array:
        """Of several raw samples of which one cannot be made, the places of those that can."""
        if not isinstance(going, RawRows) or len(going.samples) < 2:
            return _NONE
        every = range(len(going.samples))
        return np.array([at for at in every if self._fed(some_of(going, [at])) is not None], np.int64)

    def _fed(self, going: Going) -> Feed | None:
        """The rows as the cloud wants them; None where they cannot be made."""
        try:
            return self._sender.feed(going)
        except Exception:
            self._tell()
            return None

    def _tell(self) -> None:
        """Log what a user's function, or a sample that only the cloud's description refuses, has raised."""
        if not self._told:  # once: it may raise for every sample, and no caller loses its answer
            import logging

            logging.getLogger("halocline").exception("what goes up cannot be made; it stays at the edge")
            self._told = True
