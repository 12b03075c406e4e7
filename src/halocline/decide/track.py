"""Decide where the threshold must lie so that a stated share of the rows goes up, whatever the data do.

The threshold follows a quantile of what was seen: each row that stays raises it a little, each row that
wants up lowers it (the subgradient of the pinball loss; Gibbs and Candès 2021, Adaptive Conformal
Inference; Angelopoulos, Candès and Tibshirani 2023, Conformal PID Control, Proposition 1). No label is
needed, nothing is assumed of the data, and the state is one number.
"""

import math

import msgspec
import numpy as np

from halocline.decide.gate import FARTHEST, NO_CONFIDENCE
from halocline.records import Array

STEP = 0.02
"""How far a row moves the level. Smaller follows a shift later and holds the share less tightly; larger
sends up rows of a hard stretch and an easy one alike."""
_CLOSEST = 2.0**-24
"""Single-precision confidences end here, short of 1."""
LOWEST = -math.log(1.0 - FARTHEST)
"""At this level nothing goes up but rows without an answer."""
HIGHEST = -math.log(_CLOSEST)
"""At a level above this everything goes up."""
SLACK_ROWS = math.ceil((HIGHEST - LOWEST) / STEP) + 2
"""Over any n rows in a row, at most this many more or fewer than share x n want to go up.

It holds for rows that the level decides, in every stretch of which no more than the share have no answer
at all: such rows go up whatever the level is, so that each one beyond the share adds to it, and so does
each one decided by a threshold of its class. It says little of short stretches: where n is not many times
this number, look at the share seen (`Latest`).
"""


class Tracker(msgspec.Struct, frozen=True):
    """Where the threshold lies at present: `level` is -log(1 - threshold), to resolve what lies near 1."""

    level: float


def start(threshold: float) -> Tracker:
    """The tracker that begins at this threshold."""
    return Tracker(level_of(threshold))


def level_of(sureness: float) -> float:
    """-log(1 - sureness), cut to LOWEST … HIGHEST."""
    if sureness <= FARTHEST:
        return LOWEST
    return -math.log(max(1.0 - sureness, _CLOSEST))


def threshold_of(tracker: Tracker) -> float:
    """The threshold in force, for people; above 1 it reads 1, below 0 (only new kinds go up) 0."""
    return min(max(1.0 - math.exp(-tracker.level), 0.0), 1.0)


def wants_up(tracker: Tracker, sureness: float) -> bool:
    """Whether a row of this sureness is below the threshold in force."""
    return sureness == NO_CONFIDENCE or level_of(sureness) < tracker.level


def moved(tracker: Tracker, share: float, *, up: bool) -> Tracker:
    """The tracker after a row that wanted up, or did not."""
    level = tracker.level + STEP * (share - up)
    return Tracker(min(max(level, LOWEST - STEP), HIGHEST + STEP))


def track(
    tracker: Tracker, share: float, sureness: Array, fixed: Array | None = None
) -> tuple[Array, Tracker]:
    """Which rows `[rows]` want up, one after the other, and the tracker after them.

    `fixed` `[rows]` gives the thresholds of rows that have one of their own, NaN elsewhere.
    """
    up = np.zeros(len(sureness), dtype=bool)
    own = [math.nan] * len(sureness) if fixed is None else fixed.tolist()
    for at, value in enumerate(sureness.tolist()):
        wants = wants_up(tracker, value) if math.isnan(own[at]) else value < own[at]
        tracker = moved(tracker, share, up=wants)
        up[at] = wants
    return up, tracker
