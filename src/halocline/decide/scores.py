"""Read class probabilities out of a classifier's scores, and say whether they can be probabilities at all."""

import numpy as np

from halocline.records import Array, ScoreKind

PROBABILITY_SUM_TOLERANCE = 0.02
"""How far a row may be from summing to 1: half-precision and 8-bit models round by up to a percent."""


def probabilities(raw: Array, kind: ScoreKind, temperature: float = 1.0) -> Array:
    """Class probabilities `[rows, classes]`, float64, from raw scores of the same shape.

    `temperature` divides the logits (Guo et al. 2017, On Calibration of Modern Neural Networks);
    for probabilities it acts on their logarithms, which is the same thing.
    """
    scores = raw.astype(np.float64)
    if kind is ScoreKind.PROBABILITIES:
        if temperature == 1.0:
            return scores
        scores = np.log(np.maximum(scores, np.finfo(np.float64).tiny))
    if temperature != 1.0:
        scores /= temperature
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores


def why_invalid(raw: Array, kind: ScoreKind) -> str | None:
    """What is wrong with scores `[rows, classes]` that came from elsewhere, or None where nothing is."""
    if raw.ndim != 2 or raw.shape[1] == 0:
        return f"scores must have the shape [rows, classes], got {list(raw.shape)}"
    if raw.dtype.kind not in "fiu":
        return f"scores must be numbers, got {raw.dtype}"
    if kind is ScoreKind.PROBABILITIES:
        smallest, least_sum, largest_sum = _extremes(raw)
        fits = (
            smallest >= -PROBABILITY_SUM_TOLERANCE
            and least_sum >= 1 - PROBABILITY_SUM_TOLERANCE
            and largest_sum <= 1 + PROBABILITY_SUM_TOLERANCE
        )
        if fits:  # false also where one of them is NaN
            return None
    if np.isnan(raw).any():
        return "scores hold NaN"
    if kind is ScoreKind.PROBABILITIES:
        return (
            "scores are read as probabilities and do not sum to 1 "
            f'(row sums {least_sum:.3g} to {largest_sum:.3g}); say scores="logits" if they are logits'
        )
    if not np.isfinite(raw.max(axis=1)).all():
        return "scores hold infinity where the largest of a row should be"
    return None


def _extremes(raw: Array) -> tuple[float, float, float]:
    """The smallest score, the least and the largest sum of a row; NaN anywhere makes a sum NaN."""
    if len(raw) == 1:  # an escalated sample: Python's sums are quicker on a short row
        values: list[float] = raw[0].tolist()
        total = sum(values)
        return min(values), total, total
    sums = raw.sum(axis=1, dtype=np.float64)
    return float(raw.min()), float(sums.min()), float(sums.max())
