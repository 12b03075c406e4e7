"""Of boxes that mean the same thing, keep the likeliest."""

import numpy as np

from halocline.records import Array
from halocline.stats.overlap import iou

MOST_CANDIDATES = 2_000
"""Only so many, the likeliest, are compared with each other: work grows with the square."""


def suppress(boxes: Array, index: Array, scores: Array, iou_threshold: float, most: int) -> Array:
    """Positions, the likeliest first, of at most `most` boxes of which no two of a class overlap too much.

    Greedy: the likeliest stays, those of its class that overlap it by more than `iou_threshold` go.
    """
    order = np.argsort(-scores, kind="stable")[:MOST_CANDIDATES]
    kept: list[int] = []
    while order.size and len(kept) < most:
        first, order = order[0], order[1:]
        kept.append(int(first))
        same = index[order] == index[first]
        order = order[~(same & (iou(boxes[first][None], boxes[order])[0] > iou_threshold))]
    return np.asarray(kept, dtype=np.int64)
