"""Bound a mean from few observations: exact for losses of 0 or 1, valid for all in [0, 1]."""

import math
from collections.abc import Callable
from statistics import NormalDist

import msgspec
import numpy as np

from halocline.records import Array

_LEAST_P_VALUE = 1e-30
"""No p-value below this is told apart from it: the sums leave out tails that are smaller."""


class Estimate(msgspec.Struct, frozen=True):
    """A figure and the interval that goes with it; `low <= value <= high`."""

    value: float
    low: float
    high: float


def binomial_p_value(losses: int, rows: int, risk: float) -> float:
    """P(Binomial(rows, risk) <= losses): a p-value for "the risk is above `risk`". Exact."""
    if losses >= rows or risk <= 0:
        return 1.0
    if losses < 0 or risk >= 1:
        return 0.0
    low, pmf = _binomial_pmf(rows, risk)
    p_value = float(pmf[: losses - low + 1].sum()) if losses >= low else 0.0
    return min(max(p_value, _LEAST_P_VALUE), 1.0)


def most_losses(rows: int, risk: float, alpha: float) -> int:
    """The largest number of losses whose `binomial_p_value` is at most `alpha`; -1 where not even 0 is."""
    if risk <= 0:
        return -1
    if risk >= 1:
        return rows - 1
    low, pmf = _binomial_pmf(rows, risk)
    return low + int(np.searchsorted(np.cumsum(pmf), alpha, side="right")) - 1


def hoeffding_bentkus_p_value(mean_loss: float, n: int, risk: float) -> float:
    """A p-value for "the mean of losses in [0, 1] is above `risk`", from the mean of `n` independent ones.

    Bates, Angelopoulos, Lei, Malik, Jordan (2021), Distribution-Free, Risk-Controlling Prediction Sets.
    """
    if risk <= 0:
        return 1.0
    if risk >= 1:
        return 0.0 if mean_loss < 1 else 1.0
    hoeffding = math.exp(-n * _divergence(min(mean_loss, risk), risk))
    # A mean of n numbers is read back as their sum: 3 / 7 * 7 must not count as 4 losses.
    bentkus = math.e * binomial_p_value(math.ceil(n * mean_loss - 1e-9), n, risk)
    return min(hoeffding, bentkus, 1.0)


def product_p_value(log_kept: float, n: int, risk: float) -> float:
    """A p-value for "the mean of losses in [0, 1] is above `risk`", from the sum of log(1 - loss) of `n`.

    (1 - loss) / (1 - risk) is at least 0 and has a mean of at most 1 where the mean loss is `risk` or
    more, so the product over independent losses is at least 1 / p with probability at most p (Markov).
    This is the largest bet of Waudby-Smith and Ramdas (2024, Estimating means of bounded random
    variables by betting), close to the best one where losses are rare. It does not depend on order,
    and with no loss at all it is (1 - risk) ** n, which is exact.
    """
    if risk >= 1:
        return 0.0 if log_kept > -math.inf else 1.0
    return math.exp(min(n * math.log1p(-max(risk, 0.0)) - log_kept, 0.0))


def upper_bound(losses: int, rows: int, alpha: float) -> float:
    """The upper end of the one-sided exact interval at level 1 - alpha (Clopper and Pearson 1934)."""
    if losses >= rows:
        return 1.0
    return _bisect(lambda risk: binomial_p_value(losses, rows, risk) > alpha, losses / rows, 1.0)


def lower_bound(losses: int, rows: int, alpha: float) -> float:
    """The lower end of the one-sided exact interval at level 1 - alpha (Clopper and Pearson 1934)."""
    return 1.0 - upper_bound(rows - losses, rows, alpha)


def exact_interval(successes: int, rows: int, alpha: float = 0.05) -> Estimate:
    """A share with its two-sided Clopper-Pearson interval at level 1 - alpha."""
    if rows == 0:
        return Estimate(math.nan, 0.0, 1.0)
    low, high = lower_bound(successes, rows, alpha / 2), upper_bound(successes, rows, alpha / 2)
    return Estimate(successes / rows, low, high)


def wilson(successes: float, rows: int, alpha: float = 0.05) -> Estimate:
    """A share with its score interval at level 1 - alpha (Wilson 1927): right on average, never empty."""
    if rows == 0:
        return Estimate(math.nan, 0.0, 1.0)
    z = NormalDist().inv_cdf(1 - alpha / 2)
    share = successes / rows
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * math.sqrt(share * (1 - share) / rows + (z / (2 * rows)) ** 2)
    return Estimate(share, min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share))


def bootstrap(
    statistic: Callable[[Array], float],
    rows: int,
    *,
    groups: Array | None = None,
    alpha: float = 0.05,
    draws: int = 400,
    seed: int = 0,
) -> Estimate:
    """Any statistic with its percentile interval at level 1 - alpha, by drawing rows, or whole groups, anew.

    `statistic` takes one weight for each row, float64 `[rows]`: how often the row was drawn. Draws for
    which it gives NaN (a class that was not drawn) are left out.
    """
    rng = np.random.default_rng(seed)
    names, member = (None, np.arange(rows)) if groups is None else np.unique(groups, return_inverse=True)
    count = rows if names is None else len(names)
    value = float(statistic(np.ones(rows)))
    drawn = [
        float(statistic(np.bincount(rng.integers(count, size=count), minlength=count)[member].astype(float)))
        for _ in range(draws)
    ]
    told = np.asarray([figure for figure in drawn if not math.isnan(figure)])
    if not told.size:
        return Estimate(value, math.nan, math.nan)
    low, high = np.quantile(told, [alpha / 2, 1 - alpha / 2])
    return Estimate(value, min(float(low), value), max(float(high), value))


def smallest_loss_for_groups(m: int, alpha: float) -> float:
    """The smallest mean loss that `m` independent groups, or rows, prove at 1 - alpha where none is lost."""
    return 1.0 if m < 1 else -math.expm1(math.log(alpha) / m)


def groups_for_loss(loss: float, alpha: float) -> int:
    """How many independent groups, or rows, prove this loss at 1 - alpha where none is lost."""
    # 229.0000000001 is 229: the division rounds, and then one group fewer would not do.
    return math.ceil(math.log(alpha) / math.log1p(-loss) - 1e-9)


def _binomial_pmf(rows: int, risk: float) -> tuple[int, Array]:
    """The probabilities of `low`, `low + 1`, …: all but tails of together less than 1e-30.

    Summed from the mode outwards, so that rounding stays relative to what is large, and normed.
    """
    mode = min(int((rows + 1) * risk), rows)
    # Bernstein: beyond this distance lies less than exp(-71) on either side.
    reach = 24 + math.sqrt(24.0**2 + 142 * rows * risk * (1 - risk)) + 1
    low, high = max(int(mode - reach), 0), min(int(mode + reach) + 1, rows)
    odds = math.log(risk) - math.log1p(-risk)
    up = np.arange(mode, high, dtype=np.float64)
    down = np.arange(mode, low, -1, dtype=np.float64)
    log_up = np.cumsum(np.log(rows - up) - np.log(up + 1) + odds)
    log_down = np.cumsum(np.log(down) - np.log(rows - down + 1) - odds)
    weights = np.exp(np.concatenate([log_down[::-1], [0.0], log_up]))
    return low, weights / weights.sum()


def _divergence(a: float, b: float) -> float:
    """Kullback-Leibler divergence between coins of a and b, 0 < b < 1."""
    heads = a * math.log(a / b) if a > 0 else 0.0
    tails = (1 - a) * (math.log1p(-a) - math.log1p(-b)) if a < 1 else 0.0
    return heads + tails


def _bisect(below: Callable[[float], bool], low: float, high: float) -> float:
    """The least number in [low, high], to within rounding, at which `below` ends; given high's side."""
    for _ in range(100):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if below(middle) else (low, middle)
    return high
