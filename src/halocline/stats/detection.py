"""Measure detectors: average precision by class, and its mean over classes and overlaps."""

from collections.abc import Sequence

import msgspec
import numpy as np

from halocline.errors import Rejected
from halocline.records import Array, Boxes
from halocline.stats.overlap import SAME, matches

OVERLAPS = tuple(np.linspace(0.5, 0.95, 10).round(2).tolist())
"""The overlaps over which COCO's main figure is a mean (Lin et al. 2014, Microsoft COCO)."""
RECALLS = np.linspace(0, 1, 101)
"""Precision is read at these recalls, as COCO's is."""
MOST_BOXES = 100
"""So many boxes of a picture count, the likeliest."""


class Precision(msgspec.Struct, frozen=True, kw_only=True):
    """How good a detector is on some pictures; figures are NaN where there is nothing to be found.

    `at_half` is the mean over classes of the average precision at an overlap of one half, `mean` that over
    the overlaps .5 to .95 besides; `by_class` the average precision at one half of each class that occurs.
    """

    at_half: float
    mean: float
    by_class: dict[int, float]


def mean_average_precision(found: Sequence[Boxes], true: Sequence[Boxes]) -> Precision:
    """The figures of these answers against what is in these pictures. Raises Rejected (HAL-601)."""
    if len(found) != len(true):
        raise Rejected("HAL-601", f"{len(found)} answers for {len(true)} pictures; give one for each")
    classes = sorted({int(index) for boxes in true for index in boxes.index})
    pairs = {index: _pairs(found, true, index) for index in classes}
    by_overlap = [
        {index: _average_precision(each, least_iou) for index, each in pairs.items()}
        for least_iou in OVERLAPS
    ]
    means = [float(np.mean(list(each.values()))) if each else float("nan") for each in by_overlap]
    return Precision(at_half=means[0], mean=float(np.mean(means)), by_class=by_overlap[0])


def average_precision(
    found: Sequence[Boxes], true: Sequence[Boxes], index: int, least_iou: float = SAME
) -> float:
    """The mean over recalls of the best precision at that recall or beyond, of one class.

    NaN where no picture holds the class.
    """
    return _average_precision(_pairs(found, true, index), least_iou)


def _pairs(found: Sequence[Boxes], true: Sequence[Boxes], index: int) -> list[tuple[Boxes, Boxes]]:
    """What was found of one class and what is there, of the pictures that have either."""
    pairs = [
        (_of_class(said, index), _of_class(there, index))
        for said, there in zip(found, true, strict=True)
        if index in said.index or index in there.index
    ]
    return [(ours, theirs) for ours, theirs in pairs if len(ours) or len(theirs)]


def _average_precision(pairs: Sequence[tuple[Boxes, Boxes]], least_iou: float) -> float:
    there = sum(len(theirs) for _, theirs in pairs)
    if not there:
        return float("nan")
    scores = np.concatenate([ours.scores for ours, _ in pairs])
    right = np.concatenate([matches(ours, theirs, least_iou) >= 0 for ours, theirs in pairs])
    return _under_curve(scores, right, there)


def _of_class(boxes: Boxes, index: int) -> Boxes:
    likeliest = np.argsort(-boxes.scores, kind="stable")[:MOST_BOXES]
    kept = likeliest[boxes.index[likeliest] == index]
    return Boxes(xyxy=boxes.xyxy[kept], index=boxes.index[kept], scores=boxes.scores[kept])


def _under_curve(scores: Array, right: Array, there: int) -> float:
    if not len(scores):
        return 0.0
    right = right[np.argsort(-scores, kind="stable")]
    hits = np.cumsum(right)
    recall = hits / there
    precision = hits / np.arange(1, len(right) + 1)
    best_beyond = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, RECALLS, side="left")
    reached = at < len(recall)
    return float(np.where(reached, best_beyond[np.minimum(at, len(recall) - 1)], 0.0).mean())
