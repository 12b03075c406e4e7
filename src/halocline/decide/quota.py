"""Decide whether there is room for one more sample: so much in any hour and day, at an even pace."""

import math
from collections.abc import Sequence

import msgspec

from halocline.decide.checks import check_number

HOUR_S, DAY_S = 3_600.0, 86_400.0
MOST = 10**15
"""Above any real traffic: what is more is a mistake."""
SLOTS = 120
"""A window is counted in so many parts."""
_KEPT = SLOTS + 2
"""A window may begin and end inside a part, and dividing rounds; so at most 2 % of the budget is not used."""
PACE = 10.0
"""A tenth of a window's budget may go at once; then only what is more valuable, until time has passed."""


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """How much may be sent in any hour, and in any day; None is no limit. Raises Misconfigured (HAL-101)."""

    records_per_hour: int | None = None
    bytes_per_hour: int | None = None
    records_per_day: int | None = None
    bytes_per_day: int | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not None:
                check_number(name, value, 0, MOST, whole=True)


class Spent(msgspec.Struct):
    """What was sent under one limit of late: by part of the window, oldest first, and the bar it left."""

    newest: int = 0
    amounts: list[int] = msgspec.field(default_factory=lambda: [0] * _KEPT)
    bar: float = 0.0
    bar_s: float = 0.0


class Meter:
    """Keeps one quota: in no window is more sent. `spent` is what `saved` gave before a restart.

    Times do not go back. A limit counts by parts of its window: memory does not depend on the quota.
    """

    def __init__(self, quota: Quota, spent: Sequence[Spent] | None = None) -> None:
        limits = (
            (quota.records_per_hour, HOUR_S, False),
            (quota.bytes_per_hour, HOUR_S, True),
            (quota.records_per_day, DAY_S, False),
            (quota.bytes_per_day, DAY_S, True),
        )
        is_whole = spent is not None and [len(each.amounts) for each in spent] == [_KEPT] * len(limits)
        self._spent = [*spent] if spent is not None and is_whole else [Spent() for _ in limits]
        self._limits = [
            _Limit(most, window_s, of_bytes, one)
            for (most, window_s, of_bytes), one in zip(limits, self._spent, strict=True)
            if most is not None
        ]

    def saved(self) -> list[Spent]:
        """A copy of what was sent of late, for the next start."""
        return [msgspec.structs.replace(each, amounts=[*each.amounts]) for each in self._spent]

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit at all."""
        return bool(self._limits)

    def has_room(self, payload_bytes: int, now_s: float) -> bool:
        """Whether a sample of that size may be sent now."""
        return all(limit.has_room(payload_bytes, now_s) for limit in self._limits)

    def bar(self, now_s: float) -> float:
        """The value that a sample needs now for the budget to last; 0 while little of it is used."""
        return max((limit.bar(now_s) for limit in self._limits), default=0.0)

    def spend(self, payload_bytes: int, now_s: float) -> None:
        """Count a sample that is sent."""
        for limit in self._limits:
            limit.spend(payload_bytes, now_s)


class _Limit:
    """One number of a quota."""

    def __init__(self, most: int, window_s: float, of_bytes: bool, spent: Spent) -> None:
        self._most = most
        self._of_bytes = of_bytes
        self._window_s = window_s
        self._spent = spent
        self._used = sum(spent.amounts)

    def has_room(self, payload_bytes: int, now_s: float) -> bool:
        self._pass(now_s)
        return self._used + (payload_bytes if self._of_bytes else 1) <= self._most

    def bar(self, now_s: float) -> float:
        gone_s = max(now_s - self._spent.bar_s, 0.0)
        return max(self._spent.bar - PACE * gone_s / self._window_s, 0.0)

    def spend(self, payload_bytes: int, now_s: float) -> None:
        self._pass(now_s)
        amount = payload_bytes if self._of_bytes else 1
        self._spent.amounts[-1] += amount
        self._used += amount
        self._spent.bar = self.bar(now_s) + PACE * amount / max(self._most, 1)
        self._spent.bar_s = max(now_s, self._spent.bar_s)

    def _pass(self, now_s: float) -> None:
        """Forget the parts that are over."""
        slot = math.floor(now_s / (self._window_s / SLOTS))
        passed = min(max(slot - self._spent.newest, 0), _KEPT)
        if passed:
            self._used -= sum(self._spent.amounts[:passed])
            self._spent.amounts[:] = [*self._spent.amounts[passed:], *[0] * passed]
            self._spent.newest = slot
