"""Bound the difference between two shares that were counted on the same rows."""

from statistics import NormalDist

from halocline.stats.bounds import Estimate


def paired_difference(wins: float, losses: float, rows: float, alpha: float = 0.05) -> Estimate:
    """How much larger one share is than the other, with a 1 - alpha interval that is never of no width.

    `wins` are rows that only the one gets right, `losses` those that only the other does, of `rows`.
    Agresti and Min (2005), Simple improved confidence intervals for comparing matched proportions: half
    a row is added to each cell of the table, so that few rows without a difference prove little.
    """
    value = (wins - losses) / rows
    b, c, n = wins + 0.5, losses + 0.5, rows + 2
    middle = (b - c) / n
    z = NormalDist().inv_cdf(1 - alpha / 2)
    half = z * ((b + c) - (b - c) ** 2 / n) ** 0.5 / n
    return Estimate(value, max(-1.0, min(middle - half, value)), min(1.0, max(middle + half, value)))
