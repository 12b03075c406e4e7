"""Make a classifier's confidence mean what it says, and measure how far it is from that."""

import math

import msgspec
import numpy as np

from halocline.errors import Rejected
from halocline.records import Array, ScoreKind
from halocline.stats.bounds import Estimate, bootstrap

TEMPERATURES = (1e-3, 1e3)
"""The range searched. Similarities in [-1, 1] read as logits want about 0.01, most networks 1 to 5."""


class Bin(msgspec.Struct, frozen=True):
    """One bar of a reliability diagram: the rows with a confidence in (low, high].

    `confidence` and `accuracy` are their means, NaN where there are no `rows`.
    """

    low: float
    high: float
    confidence: float
    accuracy: float
    rows: int


def fit_temperature(scores: Array, kind: ScoreKind, y: Array) -> float:
    """The temperature that makes the classes `y` int `[n]` most likely under scores `[n, classes]`.

    Guo, Pleiss, Sun, Weinberger (2017). Rows with NaN are left out. 1.0 where every row is right by
    any temperature (there is then no most likely one) and where the scores tell nothing at all.
    Raises Rejected (HAL-601).
    """
    gaps = _gaps(scores, kind, y)
    if not (gaps.max(axis=1) > 0).any() or not (gaps < 0).any():
        return 1.0  # never wrong, or never right: the likelihood has no maximum, or wants infinity
    low, high = (math.log(1 / t) for t in reversed(TEMPERATURES))
    for _ in range(60):  # the slope of the likelihood in 1 / T only ever rises
        middle = (low + high) / 2
        if _slope(gaps, math.exp(middle)) > 0:
            high = middle
        else:
            low = middle
    return math.exp(-(low + high) / 2)


def expected_calibration_error(
    confidence: Array,
    correct: Array,
    *,
    bins: int = 15,
    groups: Array | None = None,
    alpha: float = 0.05,
    seed: int = 0,
) -> Estimate:
    """Mean gap between confidence `[n]` and the share right of bool `[n]`, over bins of equal width.

    The interval at level 1 - alpha is a bootstrap over rows, or over whole `groups` `[n]`, less the
    bootstrap's own bias: a sample of a sample always looks worse calibrated. Raises Rejected (HAL-601).
    """
    where, count = _binned(confidence, correct, bins), len(confidence)
    gap = np.asarray(correct, dtype=np.float64) - confidence

    def error(weights: Array) -> float:
        return float(np.abs(np.bincount(where, weights * gap, minlength=bins)).sum() / weights.sum())

    drawn: list[float] = []

    def noted(weights: Array) -> float:
        drawn.append(error(weights))
        return drawn[-1]

    spread = bootstrap(noted, count, groups=groups, alpha=alpha, seed=seed)
    bias = float(np.mean(drawn[1:])) - spread.value
    value = spread.value
    return Estimate(value, min(max(spread.low - bias, 0.0), value), min(max(spread.high - bias, value), 1.0))


def reliability(confidence: Array, correct: Array, bins: int = 15) -> list[Bin]:
    """Confidence against the share right, bin by bin, for `[n]` rows. Raises Rejected (HAL-601)."""
    where = _binned(confidence, correct, bins)
    rows = np.bincount(where, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = np.bincount(where, confidence, minlength=bins) / rows
        shares = np.bincount(where, correct, minlength=bins) / rows
    return [
        Bin(at / bins, (at + 1) / bins, float(means[at]), float(shares[at]), int(rows[at]))
        for at in range(bins)
    ]


def _gaps(scores: Array, kind: ScoreKind, y: Array) -> Array:
    """How far each class's logit lies above the true class's, float64 `[usable rows, classes]`."""
    if scores.ndim != 2 or len(scores) != len(y) or not len(y):
        raise Rejected("HAL-601", f"expected scores [n, classes] and y [n], got {scores.shape} and {y.shape}")
    if y.min() < 0 or y.max() >= scores.shape[1]:
        raise Rejected(
            "HAL-601", f"y must be in 0..{scores.shape[1] - 1}, got {int(y.min())} to {int(y.max())}"
        )
    logits = scores.astype(np.float64)
    if kind is ScoreKind.PROBABILITIES:
        logits = np.log(np.maximum(logits, np.finfo(np.float64).tiny))
    usable = ~np.isnan(logits).any(axis=1)
    logits, y = logits[usable], y[usable]
    if not len(y):
        raise Rejected("HAL-601", "every row of the scores holds NaN")
    # log(0) of a class that is ruled out: far below, but a number, so that 0 times it is 0.
    logits = np.maximum(logits - logits.max(axis=1, keepdims=True), -1e4)
    return np.asarray(logits - logits[np.arange(len(y)), y][:, None])


def _slope(gaps: Array, inverse: float) -> float:
    """The derivative by 1 / T of the mean negative log-likelihood: the expected gap."""
    weights = np.exp(inverse * (gaps - gaps.max(axis=1, keepdims=True)))
    return float(((weights * gaps).sum(axis=1) / weights.sum(axis=1)).mean())


def _binned(confidence: Array, correct: Array, bins: int) -> Array:
    if confidence.shape != correct.shape or confidence.ndim != 1 or not confidence.size:
        raise Rejected(
            "HAL-601", f"expected confidence [n] and correct [n], got {confidence.shape} and {correct.shape}"
        )
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise Rejected("HAL-601", "confidence must be in [0, 1] in every row; leave out the rows with NaN")
    return np.asarray(np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1))
