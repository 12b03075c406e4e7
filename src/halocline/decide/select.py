"""Decide which samples are worth sending: by rules, each within its budget, each sample once."""

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TypeAlias

import msgspec

from halocline.decide.candidate import Candidate
from halocline.decide.quota import Meter, Spent
from halocline.decide.rules import Rule, Rules, SpotChecks
from halocline.decide.scenes import Scenes
from halocline.decide.wants import Happening, want_of
from halocline.records import Array

REMEMBERED_IDS = 4_096
"""A sample may be offered again when a late verdict comes; the outbox knows longer what it was given."""
TOTAL = ""
"""The name under which `Saved` keeps what all rules together have sent."""


class Why(StrEnum):
    """Why a sample stays."""

    UNWANTED = "unwanted"
    """No rule wants it."""
    SENT = "sent"
    """It was chosen before."""
    DUPLICATE = "duplicate"
    """Something that looks like it was sent from the same source a moment ago."""
    PACE = "pace"
    """More valuable ones are to be expected, by how much of the budget is used already."""
    BUDGET = "budget"
    """The budget of the rule is used up."""
    TOTAL = "total"
    """The budget of all rules together is used up."""


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A sample to be sent, once, whatever the number of rules that want it.

    `reasons` are the names of all of them, `priority` the most urgent of theirs; `paid_by` is the rule whose
    budget it counts in. `value` in [0, 1] says what goes first where room is short: the least. `probability`
    is that with which a spot check was drawn, None where it was none.
    """

    id: str
    reasons: tuple[str, ...]
    priority: int
    value: float
    paid_by: str
    probability: float | None = None


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """A sample that stays: why, and which rules wanted it all the same."""

    id: str
    why: Why
    reasons: tuple[str, ...] = ()


Choice: TypeAlias = Chosen | Left


class Saved(msgspec.Struct, frozen=True):
    """What must survive a restart for the budgets to hold: what was sent under each limit of each rule."""

    spent: Mapping[str, Sequence[Spent]]
    now_s: float | None = None


class _Kept:
    """A rule with what it wants and has sent."""

    def __init__(self, rule: Rule, seed: int, spent: Sequence[Spent] | None) -> None:
        self.rule = rule
        self.want = want_of(rule, seed)
        self.meter = Meter(rule.quota, spent)


class Selection:
    """Chooses among the samples of one model, offered one after the other. Not thread-safe.

    `now_s` is on a clock that goes on through restarts where `saved` is used; a time before the latest one
    counts as that. What is drawn follows from `seed`: give another one at each start.
    """

    def __init__(self, rules: Rules, *, seed: int = 0, saved: Saved | None = None) -> None:
        spent = saved.spent if saved is not None else {}
        self._rules = [_Kept(rule, seed, spent.get(rule.name)) for rule in rules.rules]
        self._by_urgency = sorted(self._rules, key=lambda kept: kept.rule.priority)
        self._total = Meter(rules.total, spent.get(TOTAL))
        self._scenes = Scenes(rules.thin)
        self._thins = rules.thin.distance > 0
        self._sent: OrderedDict[str, None] = OrderedDict()
        self._now_s = saved.now_s if saved is not None else None

    @property
    def untold(self) -> dict[str, int]:
        """Of each rule with a condition: of how many samples could not be told whether it holds."""
        return {kept.rule.name: kept.want.untold for kept in self._rules if isinstance(kept.want, Happening)}

    def saved(self) -> Saved:
        """What to give to the next start."""
        meters = {kept.rule.name: kept.meter for kept in self._rules} | {TOTAL: self._total}
        return Saved({name: meter.saved() for name, meter in meters.items()}, self._now_s)

    def choose(self, sample: Candidate, now_s: float) -> Choice:
        """Whether this sample is sent, and why."""
        self._now_s = now_s = now_s if self._now_s is None else max(now_s, self._now_s)
        values = {
            kept.rule.name: value
            for kept in self._rules
            if (value := kept.want.value(sample, now_s)) is not None
        }
        if sample.id in self._sent:
            return Left(id=sample.id, why=Why.SENT, reasons=tuple(values))
        if not values:
            return Left(id=sample.id, why=Why.UNWANTED)
        return self._paid(sample, values, now_s)

    def _paid(self, sample: Candidate, values: Mapping[str, float], now_s: float) -> Choice:
        """The most urgent rule that may pays for it."""
        wanting = [kept for kept in self._by_urgency if kept.rule.name in values]
        value = 1.0 - math.prod(1.0 - each for each in values.values())
        sketch = sample.sketch() if self._thins and sample.sketch is not None else None
        is_repeat = sketch is not None and self._scenes.is_repeat(sample.source, sketch, now_s)
        whys = [
            self._why_not(kept, values[kept.rule.name], value, sample, is_repeat, now_s) for kept in wanting
        ]
        payer = next((kept for kept, why in zip(wanting, whys, strict=True) if why is None), None)
        if payer is None:
            return Left(id=sample.id, why=whys[0] or Why.UNWANTED, reasons=tuple(values))
        payer.meter.spend(sample.payload_bytes, now_s)
        self._send(sample, wanting, sketch, now_s)
        drawn = (kept.rule.what.share for kept in wanting if isinstance(kept.rule.what, SpotChecks))
        return Chosen(
            id=sample.id,
            reasons=tuple(values),
            priority=wanting[0].rule.priority,
            value=value,
            paid_by=payer.rule.name,
            probability=next(drawn, None),
        )

    def _why_not(
        self, kept: _Kept, own: float, value: float, sample: Candidate, is_repeat: bool, now_s: float
    ) -> Why | None:
        """Why a rule cannot pay for a sample, of value `own` to it and `value` to all; None where it can."""
        if is_repeat and kept.rule.thin:
            return Why.DUPLICATE
        if not kept.meter.has_room(sample.payload_bytes, now_s):
            return Why.BUDGET
        if not self._total.has_room(sample.payload_bytes, now_s):
            return Why.TOTAL
        if kept.want.is_by_degree and self._is_below_bar(kept, own, value, now_s):
            return Why.PACE
        return None

    def _is_below_bar(self, kept: _Kept, own: float, value: float, now_s: float) -> bool:
        """Whether better ones should have the budget: the rule's own, or where it has none, that of all."""
        if kept.meter.is_limited:
            return own < kept.meter.bar(now_s)
        return value < self._total.bar(now_s)

    def _send(self, sample: Candidate, wanting: Sequence[_Kept], sketch: Array | None, now_s: float) -> None:
        self._total.spend(sample.payload_bytes, now_s)
        for kept in wanting:
            kept.want.sent(sample, now_s)
        if sketch is not None:
            self._scenes.remember(sample.source, sketch, now_s)
        self._sent[sample.id] = None
        if len(self._sent) > REMEMBERED_IDS:
            self._sent.popitem(last=False)
