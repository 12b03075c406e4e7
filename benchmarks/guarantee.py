"""Draw calibration rows again and again: how often is a tuned threshold's promise broken, at what cost?

A pool of held-out rows is the population, so the true loss of any threshold is known. Each draw takes n
rows with replacement, tunes as users do, and looks the threshold's loss up in the whole pool. Fleets of
groups are simulated: beta-binomial, where a group's own rate of lost answers is drawn first.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from common import SEED, arguments, report
from halocline.decide.certify import GRID
from halocline.decide.tune import Evidence, MaxLoss, naive_threshold, tune
from halocline.stats.bounds import most_losses
from pools import DATA, Pool, pools

ALPHA = 0.1
LOSS = 0.01
SIZES = (500, 2000)
DRAWS = 400
GROUPS = 300
CORRELATIONS = (0.05, 0.1, 0.3)
EDGE_LOSS = 0.02
"""The mean rate of lost answers over the simulated groups, everything answered at the edge."""
MARGIN_OF_ORACLE = 0.05


class Population(msgspec.Struct, frozen=True, eq=False):
    """The true loss and the share escalated at each threshold of GRID, and the least share at a loss."""

    loss: np.ndarray[Any, np.dtype[np.float64]]
    escalated: np.ndarray[Any, np.dtype[np.float64]]

    def at(self, threshold: float) -> tuple[float, float]:
        """Loss and share of the threshold of GRID."""
        index = int(np.searchsorted(-GRID, -threshold))
        return float(self.loss[index]), float(self.escalated[index])

    def oracle(self, loss: float) -> float:
        """The share that goes up at the lowest threshold whose true loss is at most this."""
        return float(self.escalated[self.loss <= loss].min())


def main() -> int:
    """Measure every pool and every kind of fleet."""
    options = arguments(
        __doc__ or "",
        draws={"type": int, "default": DRAWS, "help": "calibration draws for each figure"},
        data={"type": Path, "default": DATA, "help": "where the public data sets lie"},
    )
    limit = allowed(options.draws)
    values: dict[str, Any] = {"alpha": ALPHA, "loss": LOSS, "draws": options.draws, "allowed": limit}
    found = {name: measure_pool(pool, options.draws) for name, pool in pools(options.data).items()}
    for key in ("violations", "naive", "escalated", "oracle", "over_oracle", "certified", "over_certified"):
        values[key] = {name: measured[key] for name, measured in found.items()}
    values["groups"] = {
        f"icc_{correlation:g}": measure_fleet(correlation, options.draws) for correlation in CORRELATIONS
    }
    at_most = {f"violations.{name}.n{size}": limit for name in found for size in SIZES}
    at_most |= {f"groups.icc_{correlation:g}.violations": limit for correlation in CORRELATIONS}
    at_most |= {
        f"over_certified.{name}.n{size}": MARGIN_OF_ORACLE
        for name in ("ecg", "fashion_mnist")
        if name in found
        for size in SIZES
    }
    return report("guarantee", values, options, at_most=at_most)


def allowed(draws: int) -> float:
    """Violations up to which a rate of ALPHA is not refuted, by two standard errors of a binomial."""
    return float(ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / draws))


def measure_pool(pool: Pool, draws: int = DRAWS, sizes: tuple[int, ...] = SIZES) -> Mapping[str, Any]:
    """Violations and escalation over the draws, tuned and naive, beside an oracle that knows the pool.

    `oracle` escalates least at a true loss of LOSS. The loss that n rows can certify is lower, whatever
    the method: the largest share of losses that still passes the test (`certified`); `over_certified`
    compares with the oracle at that loss.
    """
    rng = np.random.default_rng(SEED)
    population = _population(pool)
    values: dict[str, dict[str, float]] = {}

    def note(key: str, size: int, value: float) -> None:
        values.setdefault(key, {})[f"n{size}"] = value

    for size in sizes:
        tuned, naive = [], []
        for _ in range(draws):
            rows = _evidence(pool, rng.integers(0, len(pool.confidence), size))
            tuned.append(population.at(tune(rows, MaxLoss(LOSS, ALPHA)).threshold))
            naive.append(population.at(naive_threshold(rows, LOSS)))
        certified = most_losses(size, LOSS, ALPHA) / size
        escalated = float(np.mean([share for _, share in tuned]))
        note("violations", size, float(np.mean([loss > LOSS for loss, _ in tuned])))
        note("naive", size, float(np.mean([loss > LOSS for loss, _ in naive])))
        note("escalated", size, escalated)
        note("oracle", size, population.oracle(LOSS))
        note("over_oracle", size, escalated - population.oracle(LOSS))
        note("certified", size, certified)
        note("over_certified", size, escalated - population.oracle(certified))
    return values


def measure_fleet(correlation: float, draws: int = DRAWS, loss: float = LOSS) -> Mapping[str, float]:
    """Violations of the promise over groups, and of the plain promise over rows, on simulated fleets."""
    rng = np.random.default_rng(SEED)
    broken, plain_broken, escalated, plain_escalated, promised = [], [], [], [], []
    for _ in range(draws):
        rows = _fleet(rng, correlation)
        choice = tune(rows, MaxLoss(loss, ALPHA))
        plain = tune(msgspec.structs.replace(rows, group=None), MaxLoss(loss, ALPHA))
        promised.append(choice.promise.scope == "groups")
        broken.append(promised[-1] and _fleet_loss(choice.threshold) > loss)
        plain_broken.append(_fleet_loss(plain.threshold) > loss)
        escalated.append(_fleet_share(choice.threshold))
        plain_escalated.append(_fleet_share(plain.threshold))
    least = min(_fleet_share(float(t)) for t in GRID[::20] if _fleet_loss(float(t)) <= loss)
    return {
        "violations": float(np.mean(broken)),
        "promised": float(np.mean(promised)),
        "escalated": float(np.mean(escalated)),
        "escalate_all": 1.0,
        "oracle": least,
        "plain_violations": float(np.mean(plain_broken)),
        "plain_escalated": float(np.mean(plain_escalated)),
    }


def _population(pool: Pool) -> Population:
    lost = np.sort(pool.confidence[~pool.edge_correct & pool.cloud_correct])
    rows = len(pool.confidence)
    return Population(
        loss=(len(lost) - np.searchsorted(lost, GRID, side="left")) / rows,
        escalated=np.searchsorted(np.sort(pool.confidence), GRID, side="left") / rows,
    )


def _evidence(pool: Pool, drawn: np.ndarray[Any, np.dtype[np.int64]]) -> Evidence:
    return Evidence(
        confidence=pool.confidence[drawn],
        edge_index=np.zeros(len(drawn), dtype=np.int64),
        edge_correct=pool.edge_correct[drawn],
        cloud_correct=pool.cloud_correct[drawn],
    )


def _fleet(rng: np.random.Generator, correlation: float) -> Evidence:
    """300 groups of 20 to 100 rows; a group's rate of lost answers is beta with this intra-class correlation.

    Confidence has the distribution c ** 10 among the lost rows and c ** 30 among the others.
    """
    spread = 1 / correlation - 1
    rate = rng.beta(EDGE_LOSS * spread, (1 - EDGE_LOSS) * spread, GROUPS)
    group = np.repeat(np.arange(GROUPS), rng.integers(20, 101, GROUPS))
    lost = rng.random(len(group)) < rate[group]
    confidence = rng.random(len(group)) ** np.where(lost, 1 / 10, 1 / 30)
    return Evidence(
        confidence=confidence,
        edge_index=np.zeros(len(group), dtype=np.int64),
        edge_correct=~lost,
        cloud_correct=np.ones(len(group), dtype=bool),
        group=group,
    )


def _fleet_loss(threshold: float) -> float:
    """The mean loss of a new group, known from how the fleet is made."""
    return EDGE_LOSS * (1 - threshold**10)


def _fleet_share(threshold: float) -> float:
    """The share of a new group's rows that goes up, likewise."""
    return float(EDGE_LOSS * threshold**10 + (1 - EDGE_LOSS) * threshold**30)


if __name__ == "__main__":
    sys.exit(main())
