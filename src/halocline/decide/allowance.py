"""Decide how many rows the escalation budget lets go up: a token bucket, state in, state out."""

from collections.abc import Sequence

import msgspec

from halocline.decide.checks import check_number
from halocline.errors import Misconfigured

MOST_A_MINUTE = 1e12
"""Above any real traffic: what is more is a mistake, or infinity."""


class EscalationBudget(msgspec.Struct, frozen=True, kw_only=True):
    """At most this share of the rows, or this many rows a minute, goes up. Exactly one is given.

    Over any calls with n rows together at most `share * n + burst` rows go up, over any m minutes at
    most `per_minute * m + burst`; `burst` is how many may go at once after a quiet time.
    """

    share: float | None = None
    per_minute: float | None = None
    burst: float = 10.0

    def __post_init__(self) -> None:
        if (self.share is None) == (self.per_minute is None):
            raise Misconfigured(
                "HAL-101",
                "an escalation budget is either a share of the rows or a number a minute, one of them",
            )
        if self.share is not None:
            check_number("budget.share", self.share, 0, 1)
        if self.per_minute is not None:
            check_number("budget.per_minute", self.per_minute, 0, MOST_A_MINUTE)
        check_number("budget.burst", self.burst, 1, MOST_A_MINUTE)


class Allowance(msgspec.Struct, frozen=True):
    """What is left in the bucket, and when it was last filled (monotonic seconds)."""

    tokens: float
    filled_s: float


def full(budget: EscalationBudget, now_s: float) -> Allowance:
    """The allowance to start with."""
    return Allowance(budget.burst, now_s)


def seen(budget: EscalationBudget, allowance: Allowance, rows: int, now_s: float) -> Allowance:
    """The allowance at `now_s`, when one call brings `rows` more rows."""
    if budget.share is not None:
        # A batch may spend what its own rows bring, however many; only what is left of that is capped.
        return Allowance(min(allowance.tokens, budget.burst) + budget.share * rows, now_s)
    gained = (budget.per_minute or 0.0) / 60.0 * max(now_s - allowance.filled_s, 0.0)
    return Allowance(min(allowance.tokens + gained, budget.burst), now_s)


def take(allowance: Allowance, wanted: int) -> tuple[int, Allowance]:
    """How many of the rows that want to go up may, and the allowance after them."""
    granted = min(wanted, int(allowance.tokens + 1e-9))  # ten times 0.1 is a whole token
    return granted, Allowance(allowance.tokens - granted, allowance.filled_s)


def replayed(budget: EscalationBudget, wanting: Sequence[bool], rows_a_second: float | None) -> list[bool]:
    """Which of the rows that want to go up may, asked one by one in this order.

    `rows_a_second` is how fast they come; a budget by share does not depend on it.
    """
    may, rows_before = [], 0
    allowance = full(budget, 0.0)
    for at, wants in enumerate(wanting):
        granted = 0
        if wants:
            now_s = at / rows_a_second if rows_a_second else 0.0
            allowance = seen(budget, seen(budget, allowance, rows_before, now_s), 1, now_s)
            granted, allowance = take(allowance, 1)
            rows_before = 0
        else:
            rows_before += 1
        may.append(granted == 1)
    return may
