"""Say how sure a detector's answer to one picture is: of the boxes that it gives, and that there are no more.

No box found is not confidence: the likeliest candidate that fell short of the score threshold decides how
sure "nothing more here" is. By the stated rule that is 1 - score / threshold: certain where nothing was
seen at all, and a toss-up at the threshold counts as not sure at all. Calibrated on labelled pictures, it
is 1 less the chance that something was missed. The picture is as sure as the less sure of the two.
"""

import math

import numpy as np

from halocline.decide.outputs import DetectOutput
from halocline.records import Array
from halocline.stats.overlap import iou

_AT_ONCE = 128
_LEAST = 1e-6
"""A score of 0 or 1 is read as so much, or so much less than 1: its logit is a number."""


def likeliest_missed(boxes: Array, scores: Array, kept: Array, output: DetectOutput) -> float:
    """The score of the likeliest candidate below the score threshold, 0 where there is none.

    One that overlaps a kept box is a shadow of what was found, and does not count.
    """
    below = np.flatnonzero(scores < output.score_threshold)
    below = below[np.argsort(-scores[below], kind="stable")]
    for start in range(0, len(below), _AT_ONCE):
        part = below[start : start + _AT_ONCE]
        apart = (iou(boxes[part], boxes[kept]) <= output.iou_threshold).all(axis=1)
        if apart.any():
            return float(scores[part[apart.argmax()]])
    return 0.0


def sureness(least_margin: float | None, missed: float, output: DetectOutput) -> float:
    """How sure the answer to a picture is, in [0, 1].

    `least_margin` is that between a kept box's class and its strongest rival, the least of all kept boxes;
    None where there is none. `missed` is what `likeliest_missed` gives.
    """
    if output.floor is None:
        nothing_more = 1.0 - min(max(missed, 0.0) / output.score_threshold, 1.0)
    else:
        nothing_more = 1.0 - chance(missed, output.floor)
    if least_margin is None:
        return nothing_more
    boxes = least_margin if output.margin is None else chance(least_margin, output.margin)
    return min(max(boxes, 0.0), nothing_more)


def chance(value: float, fitted: tuple[float, float]) -> float:
    """A number in [0, 1] as a chance, by a logistic curve over its logit: slope and offset."""
    slope, offset = fitted
    return 0.5 * (1.0 + math.tanh(0.5 * (slope * logit(value) + offset)))


def logit(value: float) -> float:
    """The logarithm of the odds; finite at 0 and 1 too."""
    inside = min(max(value, _LEAST), 1.0 - _LEAST)
    return math.log(inside / (1.0 - inside))
