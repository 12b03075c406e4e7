"""Measure how much boxes overlap, and pair what was found with what is there."""

import numpy as np

from halocline.records import Array, Boxes

SAME = 0.5
"""Boxes that overlap by so much are the same thing (Everingham et al. 2010, The Pascal VOC Challenge)."""


def iou(one: Array, other: Array) -> Array:
    """Intersection over union of boxes `[n, 4]` and `[m, 4]` (left, top, right, bottom): float64 `[n, m]`.

    0 for boxes without area.
    """
    a, b = one.astype(np.float64)[:, None], other.astype(np.float64)[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    common = np.maximum(sides, 0).prod(axis=-1)
    union = _area(a) + _area(b) - common
    return np.asarray(np.divide(common, union, out=np.zeros_like(common), where=union > 0))


def matches(found: Boxes, true: Boxes, least_iou: float = SAME) -> Array:
    """For each box found, in the order of its score, the box of `true` that it is, int64 `[n]`; -1: none.

    A pair has the same class and overlaps by `least_iou`; of several, a box takes the one that it
    overlaps most among those that no likelier box took.
    """
    matched = np.full(len(found), -1)
    if not len(found) or not len(true):
        return matched
    overlap = iou(found.xyxy, true.xyxy)
    overlap[found.index[:, None] != true.index[None]] = -1
    for at in np.argsort(-found.scores, kind="stable"):
        best = int(overlap[at].argmax())
        if overlap[at, best] >= least_iou:
            matched[at] = best
            overlap[:, best] = -1
    return matched


def is_all_right(found: Boxes, true: Boxes) -> bool:
    """Whether every thing was found, at an overlap of one half and with the right class, and nothing else."""
    return len(found) == len(true) and bool((matches(found, true) >= 0).all())


def _area(boxes: Array) -> Array:
    return np.asarray(np.maximum(boxes[..., 2:] - boxes[..., :2], 0).prod(axis=-1))
