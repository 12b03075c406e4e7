"""Read one row of scores as quickly as it can be done: as `confidence_of` reads a batch, to within rounding.

On a short row a Python list beats numpy several times over; this is most of what an edge answer costs.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from halocline.decide.gate import NO_CLASS, NO_CONFIDENCE, Policy, Score, confidence_of
from halocline.decide.scores import probabilities
from halocline.records import Array, ScoreKind

WIDE_ROW = 48
"""From this many classes on, numpy beats a Python list for one row (measured 2026-11-24)."""
_TINY = float(np.finfo(np.float64).tiny)

RowReader: TypeAlias = Callable[[Array], tuple[int, float]]
"""One row of raw scores `[classes]` to (class index, confidence), or (NO_CLASS, NO_CONFIDENCE)."""
RowProbabilities: TypeAlias = Callable[[Array], Array]
"""One row of raw scores `[classes]` to class probabilities float64 `[classes]`."""
_Weights: TypeAlias = Callable[[Array], tuple[int, list[float]]]
"""One row to its class index, and weights that are the probabilities but for a factor; the largest is 1."""


def row_reader(kind: ScoreKind, policy: Policy, classes: int) -> RowReader:
    """The quickest reader of a row under this policy."""
    score, temperature = policy.score, policy.temperature
    if kind is ScoreKind.PROBABILITIES and temperature == 1.0 and score is Score.MAX_SOFTMAX:
        return _top_of_wide_row if classes >= WIDE_ROW else _top_of_row
    if classes >= WIDE_ROW:

        def read_wide(row: Array) -> tuple[int, float]:
            index, confidence = confidence_of(probabilities(row[None], kind, temperature), score)
            return int(index[0]), float(confidence[0])

        return read_wide
    if kind is ScoreKind.PROBABILITIES and temperature == 1.0:
        return _margin_of_row if score is Score.MARGIN else _entropy_of_row
    weights, confidence_by = _weights(kind, temperature), _CONFIDENCE_BY[score]

    def read(row: Array) -> tuple[int, float]:
        index, values = weights(row)
        total = sum(values)
        if total != total:  # NaN is the one number that differs from itself
            return NO_CLASS, NO_CONFIDENCE
        return index, confidence_by(values, total)

    return read


def row_probabilities(kind: ScoreKind, temperature: float, classes: int) -> RowProbabilities:
    """The quickest function from a row to what `probabilities` makes of it."""
    if classes >= WIDE_ROW or (kind is ScoreKind.PROBABILITIES and temperature == 1.0):
        return lambda row: np.asarray(probabilities(row[None], kind, temperature)[0])
    weights = _weights(kind, temperature)

    def read(row: Array) -> Array:
        _, values = weights(row)
        total = sum(values)
        return np.array([value / total for value in values])

    return read


# From probabilities as they stand, which need not sum to 1 exactly


def _top_of_row(row: Array) -> tuple[int, float]:
    values: list[float] = row.tolist()
    total = sum(values)
    if total != total:
        return NO_CLASS, NO_CONFIDENCE
    top = max(values)
    return values.index(top), min(top, 1.0)  # softmax in float32 may round to above 1


def _top_of_wide_row(row: Array) -> tuple[int, float]:
    index = int(row.argmax())
    top = float(row[index])
    if top != top:  # argmax finds NaN first
        return NO_CLASS, NO_CONFIDENCE
    return index, min(top, 1.0)


def _margin_of_row(row: Array) -> tuple[int, float]:
    values: list[float] = row.tolist()
    total = sum(values)
    if total != total:
        return NO_CLASS, NO_CONFIDENCE
    ordered = sorted(values)
    margin = ordered[-1] - ordered[-2] if len(ordered) > 1 else ordered[-1]
    return values.index(ordered[-1]), min(max(margin, 0.0), 1.0)


def _entropy_of_row(row: Array) -> tuple[int, float]:
    values: list[float] = row.tolist()
    total = sum(values)
    if total != total:
        return NO_CLASS, NO_CONFIDENCE
    log = math.log
    entropy = -sum([value * log(value) if value > _TINY else value * _LOG_TINY for value in values])
    return values.index(max(values)), min(max(1.0 - entropy / log(max(len(values), 2)), 0.0), 1.0)


# From weights, whose sum makes them probabilities


def _weights(kind: ScoreKind, temperature: float) -> _Weights:
    sharpness, exp = 1.0 / temperature, math.exp

    def of_logits(row: Array) -> tuple[int, list[float]]:
        values: list[float] = row.tolist()
        top = max(values)
        return values.index(top), [exp((value - top) * sharpness) for value in values]

    def of_probabilities(row: Array) -> tuple[int, list[float]]:
        values: list[float] = row.tolist()
        top = max(values)
        least = max(top, _TINY)
        weights = [(value / least if value > _TINY else _TINY / least) ** sharpness for value in values]
        total = sum(values)
        if total != total:
            weights[0] = math.nan
        return values.index(top), weights

    return of_probabilities if kind is ScoreKind.PROBABILITIES else of_logits


def _top_share(values: list[float], total: float) -> float:
    return 1.0 / total


def _margin_share(values: list[float], total: float) -> float:
    return (1.0 - sorted(values)[-2]) / total if len(values) > 1 else 1.0


def _entropy_share(values: list[float], total: float) -> float:
    log = math.log
    spread = sum([value * log(value) for value in values if value > 0.0])
    entropy = log(total) - spread / total
    return min(max(1.0 - entropy / log(max(len(values), 2)), 0.0), 1.0)


_LOG_TINY = math.log(_TINY)
_CONFIDENCE_BY = {
    Score.MAX_SOFTMAX: _top_share,
    Score.MARGIN: _margin_share,
    Score.ENTROPY: _entropy_share,
}
