"""What each threshold would have cost and brought on the rows tuned on: a table, and a picture."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from halocline.decide.curve import curve_of
from halocline.decide.evidence import Evidence
from halocline.decide.told import percent
from halocline.records import Array
from halocline.stats.bounds import Estimate
from halocline.tuning.tally import CLOUD, EDGE, LOST, TIERED, UP, Tally

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TABLE_SHARES = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.27, 0.35, 0.5, 0.75, 1.0)
"""Shares of escalation at which the table shows the curve."""


class Point(msgspec.Struct, frozen=True):
    """One threshold: the share that goes up, the accuracy of both tiers together, what is lost and spent.

    `loss` is the share answered at the edge, wrongly, where the cloud is right; `cost_usd` is that of
    a request, None where no prices were given.
    """

    threshold: float
    escalated: float
    accuracy: float
    loss: float
    cost_usd: float | None


class Baselines(msgspec.Struct, frozen=True):
    """What the curve is to be compared with: each tier alone, and always saying the same.

    That is the most frequent class; of pictures that nothing is there, of numbers the middle one.
    """

    edge: float
    cloud: float
    majority: float
    majority_label: str


class Curve(msgspec.Struct, frozen=True, eq=False):
    """Escalation against accuracy and cost over all thresholds; arrays of one length, threshold rising.

    `truth` is "labels", or "cloud" where the data had none and the cloud's answers stand for the truth.
    `chosen` is the threshold in question, `accuracy_there` its accuracy with a 95 % interval.
    """

    threshold: Array
    escalated: Array
    accuracy: Array
    loss: Array
    cost_usd: Array | None
    baselines: Baselines
    truth: str
    chosen: Point
    accuracy_there: Estimate

    def __len__(self) -> int:
        return len(self.threshold)

    def __iter__(self) -> Iterator[Point]:
        return (self.at(each) for each in range(len(self)))

    def at(self, position: int) -> Point:
        """One point of the curve."""
        return Point(
            float(self.threshold[position]),
            float(self.escalated[position]),
            float(self.accuracy[position]),
            float(self.loss[position]),
            None if self.cost_usd is None else float(self.cost_usd[position]),
        )

    def table(self) -> list[Point]:
        """About a dozen points, evenly enough to read, the chosen one among them."""
        nearest = {int(np.abs(self.escalated - share).argmin()) for share in TABLE_SHARES}
        points = {round(point.escalated, 3): point for point in map(self.at, sorted(nearest))}
        points[round(self.chosen.escalated, 3)] = self.chosen
        return sorted(points.values(), key=lambda point: (point.escalated, point.threshold))

    def plot(self, path: str | Path | None = None) -> "Figure":
        """Draw it; a notebook shows what this returns. With `path`, write .png (two, light and dark) or .svg.

        Raises Misconfigured: HAL-103 (the extra `plot` is not installed), HAL-102 (another ending).
        """
        from halocline.tuning.plot import draw_curve

        if path is not None:
            self.write(path)
        return draw_curve(self, "any")

    def write(self, path: str | Path) -> tuple[Path, ...]:
        """Write the picture, as `plot` does, and say which files that made."""
        from halocline.tuning.plot import draw_curve, write

        return write(Path(path), lambda theme: draw_curve(self, theme))

    def __repr__(self) -> str:
        there = self.chosen
        return (
            f"<Curve of {len(self)} thresholds: at {there.threshold:.4g} {percent(there.escalated)} go up, "
            f"accuracy {percent(there.accuracy)} (cloud {percent(self.baselines.cloud)}, "
            f"edge {percent(self.baselines.edge)})>"
        )

    def as_dict(self) -> dict[str, Any]:
        """The points of the table, for JSON."""
        return {"truth": self.truth, "baselines": self.baselines, "points": self.table()}


def curve_with(
    evidence: Evidence,
    tally: Tally,
    threshold: float,
    labels: Sequence[str] | None,
    prices: tuple[float, float] | None = None,
    always: tuple[float, str] | None = None,
) -> Curve:
    """The curve of the evidence, with the point that `tally` counted; `prices` USD a call and a mistake.

    `always` is how often one is right who always says the same, and what; None: the most frequent class.
    """
    points = curve_of(evidence, prices)
    accuracy, escalated = tally.share(TIERED), tally.share(UP).value
    cost = None if prices is None else escalated * prices[0] + (1 - accuracy.value) * prices[1]
    by_class = tally.counts.sum(axis=(1, 2, 3))
    if always is None:
        most = int(tally.classes[by_class.argmax()])
        always = float(by_class.max() / by_class.sum()), class_name(labels, most)
    return Curve(
        threshold=points.threshold,
        escalated=points.escalated,
        accuracy=points.accuracy,
        loss=points.loss,
        cost_usd=None if prices is None else points.cost,
        baselines=Baselines(
            edge=tally.share(EDGE).value,
            cloud=tally.share(CLOUD).value,
            majority=always[0],
            majority_label=always[1],
        ),
        truth=evidence.truth,
        chosen=Point(threshold, escalated, accuracy.value, tally.share(LOST).value, cost),
        accuracy_there=accuracy,
    )


def doubts_of(base: Baselines, *, has_classes: bool = True) -> tuple[str, ...]:
    """That accuracy tells little, where always saying the same would do as well as the cloud."""
    if base.majority < base.cloud:
        return ()
    told = f"always saying {base.majority_label!r} is right in {percent(base.majority)}, the cloud in"
    where = "recall of each class" if has_classes else "other figures"
    return (f"{told} {percent(base.cloud)}: accuracy tells little here; look at the {where}",)


def class_name(labels: Sequence[str] | None, index: int) -> str:
    """The name of a class, or its number where it has none."""
    return labels[index] if labels is not None else str(index)
