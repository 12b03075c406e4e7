"""A running loss under watch: bounds that hold at every moment at once, from rows checked by chance.

Most rows are not checked; a checked one counts for as many rows as its probability of being drawn says
(inverse weighting), and one that was not drawn counts as 0. The evidence is a bet (Waudby-Smith and
Ramdas 2024): capital that cannot grow on average while the claim it bets against is true, so that it
ever reaches 1 / alpha with probability at most alpha (Ville), however often one looks.
"""

import math
from collections.abc import Callable

import msgspec

from halocline.errors import Rejected
from halocline.stats.bounds import Estimate

_BELOW = (
    (0.0, 0.4),
    (0.05, 0.1),
    (0.1, 0.1),
    (0.2, 0.1),
    (0.35, 0.1),
    (0.5, 0.08),
    (0.65, 0.06),
    (0.8, 0.04),
    (0.92, 0.02),
)
"""Bets that the loss is this fraction of the one tested, with their shares of the capital. The first wins
fastest where no loss is seen at all, which is what users hope for, so it holds the largest share."""

_ABOVE = (
    (1.1, 0.05),
    (1.25, 0.1),
    (1.5, 0.15),
    (2.0, 0.2),
    (3.0, 0.2),
    (5.0, 0.15),
    (10.0, 0.1),
    (30.0, 0.04),
    (100.0, 0.01),
)
"""Bets that the loss is this many times the one tested."""


class LossSequence(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen so far of a loss in [0, 1] whose rows are checked by chance. Two of them can be added up.

    `least_probability` is the smallest sampling probability that can occur, fixed before the first row:
    a loss found at probability p weighs `least_probability / p`. `rows` counts every row, checked or
    not, `checks` those that were drawn, and `weighted` sums the weighted losses.
    """

    least_probability: float = 1.0
    rows: int = 0
    checks: int = 0
    weighted: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.least_probability <= 1:
            raise Rejected("HAL-101", f"least_probability must be in (0, 1], got {self.least_probability}")


def observe(seq: LossSequence, loss: float, probability: float = 1.0) -> LossSequence:
    """The sequence after a row that was drawn with this probability and lost `loss`, in [0, 1].

    Raises Rejected (HAL-101) on a loss outside [0, 1], or a probability below `least_probability`.
    """
    if not 0 <= loss <= 1:
        raise Rejected("HAL-101", f"loss must be in [0, 1], got {loss}")
    if not seq.least_probability * (1 - 1e-9) <= probability <= 1:
        raise Rejected("HAL-101", f"probability must be in [{seq.least_probability:g}, 1], got {probability}")
    return msgspec.structs.replace(
        seq,
        rows=seq.rows + 1,
        checks=seq.checks + 1,
        weighted=seq.weighted + loss * min(seq.least_probability / probability, 1.0),
    )


def passed(seq: LossSequence, rows: int = 1) -> LossSequence:
    """The sequence after rows that were not drawn, or that cannot lose because they went up anyway.

    Without them the estimate would be the loss of the checked rows divided by their probability.
    """
    return msgspec.structs.replace(seq, rows=seq.rows + rows)


def merged(one: LossSequence, other: LossSequence) -> LossSequence:
    """Both together. Valid as one sequence where which one to merge was not chosen by what they hold.

    Raises Rejected (HAL-101) where their least probabilities differ.
    """
    if one.least_probability != other.least_probability:
        raise Rejected(
            "HAL-101",
            f"least_probability must be the same to merge, got {one.least_probability} and "
            f"{other.least_probability}",
        )
    return LossSequence(
        least_probability=one.least_probability,
        rows=one.rows + other.rows,
        checks=one.checks + other.checks,
        weighted=one.weighted + other.weighted,
    )


def evidence_kept(seq: LossSequence, loss: float) -> float:
    """An e-value against "the mean loss is `loss` or more": from 1 / alpha on it proves less, at alpha."""
    return _exp(_log_capital(seq, loss * seq.least_probability, _BELOW))


def evidence_broken(seq: LossSequence, loss: float) -> float:
    """An e-value against "the mean loss is `loss` or less": from 1 / alpha on it proves more, at alpha."""
    return _exp(_log_capital(seq, loss * seq.least_probability, _ABOVE))


def running_loss(seq: LossSequence, alpha: float = 0.05) -> Estimate:
    """The mean loss a row, and bounds that hold at every moment at once with probability 1 - alpha."""
    if seq.rows == 0:
        return Estimate(math.nan, 0.0, 1.0)
    bar = math.log(2 / alpha)
    scale = seq.least_probability
    mean = min(seq.weighted / seq.rows / scale, 1.0)
    high = _edge(lambda m: _log_capital(seq, m * scale, _BELOW) < bar, mean, 1.0)
    low = 1 - _edge(lambda m: _log_capital(seq, (1 - m) * scale, _ABOVE) < bar, 1 - mean, 1.0)
    return Estimate(mean, min(max(low, 0.0), mean), max(high, mean))


def upper_loss(seq: LossSequence, alpha: float) -> float:
    """The bound that the mean loss a row stays under, at every moment at once with probability 1 - alpha."""
    bar, scale = math.log(1 / alpha), seq.least_probability
    return _edge(lambda m: _log_capital(seq, m * scale, _BELOW) < bar, 0.0, 1.0)


def _log_capital(seq: LossSequence, mean: float, bets: tuple[tuple[float, float], ...]) -> float:
    """Log of what the bets against `mean` (of the weighted losses) have grown to from 1.

    A bet that the mean is q pays the likelihood ratio of coins, (q / mean) for a loss of 1 and
    (1 - q) / (1 - mean) for 0, and between them less than the straight line (Howard, Ramdas, McAuliffe
    and Sekhon 2021): so it is fair for coins and never better than fair for losses in [0, 1].
    """
    below = bets is _BELOW
    if mean <= 0:  # nothing is below 0; and a loss that cannot be was seen, or not
        return -math.inf if below else (math.inf if seq.weighted > 0 else 0.0)
    if mean >= 1:
        return math.inf if below and seq.weighted < seq.rows else 0.0
    kept = max(seq.rows - seq.weighted, 0.0)
    grown = []
    for times, share in bets:
        if times * mean >= 1 or (times == 0 and seq.weighted > 0):
            continue  # this share of the capital is lost (or not bet, and counted as lost)
        won = seq.weighted * math.log(times) if seq.weighted else 0.0
        won += kept * (math.log1p(-times * mean) - math.log1p(-mean))
        grown.append(math.log(share) + won)
    if not grown:
        return -math.inf
    top = max(grown)
    return top + math.log(sum(math.exp(value - top) for value in grown))


def _edge(inside: Callable[[float], bool], low: float, high: float) -> float:
    """The number in [low, high] at which `inside` ends."""
    if inside(high):
        return high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if inside(middle) else (low, middle)
    return high


def _exp(log_value: float) -> float:
    return math.exp(min(log_value, 700.0))
