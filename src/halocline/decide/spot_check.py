"""Decide which answers are checked: a small random share, drawn without looking at them."""

import math
from numbers import Real

import msgspec

from halocline.decide.chance import uniform
from halocline.errors import Misconfigured


class SpotCheck(msgspec.Struct, frozen=True, kw_only=True):
    """This share of the confident answers is sent up too, to see whether confidence deserves trust.

    So are those that only the budget kept at the edge. Each row is drawn with the probability `share`,
    whatever the others were; `seed` makes the drawing repeatable. Raises Misconfigured (HAL-101).
    """

    share: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.share, Real) and 0 < self.share <= 1:
            return
        is_percent = isinstance(self.share, Real) and 1 < self.share <= 100
        meant = f". Did you mean {self.share / 100:g}?" if is_percent else ""
        raise Misconfigured("HAL-101", f"spot_check.share must be in (0, 1], got {self.share!r}{meant}")


class Draw(msgspec.Struct, frozen=True):
    """The next row that is drawn is the `left`-th from here, and the `gap`-th after the one drawn before it.

    `number` counts the rows drawn before.
    """

    left: int
    gap: int
    number: int


class Drawn(msgspec.Struct, frozen=True):
    """A row that was drawn: its position among the rows asked about, and how many rows it stands for."""

    at: int
    gap: int


def first(spot_check: SpotCheck) -> Draw:
    """The state to start with."""
    gap = _gap(spot_check, 0)
    return Draw(gap, gap, 0)


def after(spot_check: SpotCheck, draw: Draw) -> Draw:
    """The state once the row that was drawn is passed."""
    gap = _gap(spot_check, draw.number + 1)
    return Draw(gap, gap, draw.number + 1)


def draw_among(spot_check: SpotCheck, draw: Draw, rows: int) -> tuple[list[Drawn], Draw]:
    """Which of the next `rows` rows are drawn, and the state after them."""
    found: list[Drawn] = []
    at = -1
    while at + draw.left < rows:
        at += draw.left
        found.append(Drawn(at, draw.gap))
        draw = after(spot_check, draw)
    return found, Draw(draw.left - (rows - 1 - at), draw.gap, draw.number)


def _gap(spot_check: SpotCheck, number: int) -> int:
    """Rows from one drawn row to the next: geometric, so that each row has the same chance."""
    if spot_check.share >= 1:
        return 1
    return 1 + int(math.log(uniform(spot_check.seed, number)) / math.log1p(-spot_check.share))
