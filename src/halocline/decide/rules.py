"""What makes a sample worth sending: rules, each with its priority and budget, as a person states them."""

from collections.abc import Sequence
from typing import ClassVar, TypeAlias

import msgspec

from halocline.decide.checks import check_number
from halocline.decide.condition import Condition
from halocline.decide.quota import DAY_S, Quota
from halocline.decide.spot_check import SpotCheck
from halocline.errors import Misconfigured

MOST_RULES = 64
LEAST_URGENT = 3
"""Priorities go from 0, the highest, to this."""


class Uncertainty(msgspec.Struct, frozen=True):
    """Samples of which the edge model is less sure than `below`: the less sure, the more valuable."""

    kind: ClassVar[str] = "uncertainty"
    below: float = 0.8

    def __post_init__(self) -> None:
        check_number("below", self.below, 0, 1)


class Strangeness(msgspec.Struct, frozen=True):
    """Samples farther than `above` from the training data: the farther, the more valuable.

    None is the cut of the policy in force; without one in its policy, no sample is far.
    """

    kind: ClassVar[str] = "novelty"
    above: float | None = None

    def __post_init__(self) -> None:
        if self.above is not None:
            check_number("above", self.above, 0, 1e12)


class Event(msgspec.Struct, frozen=True):
    """Samples of which a condition holds."""

    kind: ClassVar[str] = "event"
    when: Condition


class Periodic(msgspec.Struct, frozen=True):
    """One sample of each class in each time of `every_s`, at a moment drawn by chance.

    The rarer the class, the more valuable.
    """

    kind: ClassVar[str] = "periodic"
    every_s: float = DAY_S

    def __post_init__(self) -> None:
        check_number("every_s", self.every_s, 1, 1e9)


class SpotChecks(msgspec.Struct, frozen=True):
    """This share of the answers that stayed at the edge because the model was sure, drawn by chance."""

    kind: ClassVar[str] = "spot_check"
    share: float = 0.01

    def __post_init__(self) -> None:
        SpotCheck(share=self.share)


What: TypeAlias = Uncertainty | Strangeness | Event | Periodic | SpotChecks


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule: what it wants, how urgent that is (0 is the highest), and how much of it may be sent.

    With `thin` near-duplicates of what was sent are left out; rules that draw by chance must not.
    """

    name: str
    what: What
    priority: int = 2
    quota: Quota = Quota()
    thin: bool = True

    def __post_init__(self) -> None:
        check_number("priority", self.priority, 0, LEAST_URGENT, whole=True)
        if self.thin and draws_by_chance(self.what):
            raise Misconfigured(
                "HAL-101",
                f"thin must be false for {self.what.kind}: what is drawn by chance stands for the rest",
            )


class Thin(msgspec.Struct, frozen=True, kw_only=True):
    """What near-duplicates are: samples of one source, so alike, so shortly after one that was sent.

    `distance` is that of `decide/sketch.py`; 0 thins nothing.
    """

    # Of pictures of clothes and spoken digits, a copy with noise of a tenth of the spread is nearer in 95 of
    # 100 cases, and of 600 others the likest one farther but for one in a hundred (measured 2026-11-25).
    distance: float = 0.1
    for_s: float = 600.0

    def __post_init__(self) -> None:
        check_number("distance", self.distance, 0, 2)
        check_number("for_s", self.for_s, 0, 1e9)


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """All rules of one model, in the order in which equal ones pay, and what holds for all together."""

    rules: Sequence[Rule]
    total: Quota = Quota()
    thin: Thin = Thin()

    def __post_init__(self) -> None:
        names = [rule.name for rule in self.rules]
        again = next((name for name in names if names.count(name) > 1), None)
        if again is not None:
            raise Misconfigured("HAL-101", f"two rules are called {again!r}; a name tells why a sample came")
        if not all(names):
            raise Misconfigured("HAL-101", "a rule has no name; a name tells why a sample came")
        check_number("rules", len(names), 0, MOST_RULES, whole=True)


def draws_by_chance(what: What) -> bool:
    """Whether a rule's samples stand for others, so that nothing may be picked from them."""
    return isinstance(what, Periodic | SpotChecks)
