"""What two tiers say of the same rows, and what asking took."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from halocline.decide.gate import NO_CLASS
from halocline.records import Anomaly, Array, ModelRef, ModelSpec, ScoreKind, Task
from halocline.tuning.desk import CloudCost
from halocline.tuning.intake import LeftOut
from halocline.tuning.said import Said
from halocline.tuning.truth import VERDICTS

NAMED = 3
"""So many samples that are left out are named in a note."""


class Latency(msgspec.Struct, frozen=True):
    """Seconds that one row took, at the median and at the 99th percentile, over so many calls."""

    p50_s: float
    p99_s: float
    calls: int


def latency_of(took_s: Sequence[float]) -> Latency:
    """The latency of calls that took so long each."""
    p50, p99 = np.percentile(took_s, [50, 99])
    return Latency(float(p50), float(p99), len(took_s))


class Gathered(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What both tiers say of the same rows, in the edge's class order.

    `scores` `[rows, classes]` are the edge's as it gave them, of the kind `score_kind`; `cloud_index`
    `[rows]` the class that the cloud gave; `outputs` the edge's outputs by name and `inputs` its feed.
    In other tasks than classification `said` has the answers, there are no scores and outputs, and
    `cloud_index` is a scorer's verdict, 0 or 1, else NO_CLASS.
    """

    edge: ModelSpec
    edge_digest: str
    scores: Array
    score_kind: ScoreKind | None
    outputs: Mapping[str, Array]
    inputs: Mapping[str, Array]
    cloud: ModelRef
    cloud_digest: str | None
    cloud_index: Array
    cost: CloudCost
    row_bytes: int
    """The request body of one escalated row, as this cloud is spoken to, or would be if it is a model here
    and were served; of files the mean of the first."""
    edge_s: Latency
    cloud_s: Latency | None
    """None where no call was made to time it."""
    notes: tuple[str, ...] = ()
    given: int
    """How many rows were given; `places` int64 `[rows]` says which of them these are."""
    places: Array
    left_out: tuple[LeftOut, ...] = ()
    said: Said | None = None

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.places)

    @property
    def classes(self) -> Sequence[str] | None:
        """The names of the classes that rows are counted by; None where they have none."""
        if self.edge.task is Task.SCORE:
            return VERDICTS
        return self.edge.labels if self.edge.task is Task.CLASSIFY else None


def verdicts(values: Sequence[Any]) -> Array:
    """The verdicts of a scorer as classes int64 `[rows]`, 1 for an anomaly; NO_CLASS for any other value."""
    return np.asarray(
        [int(each.is_anomaly) if isinstance(each, Anomaly) else NO_CLASS for each in values], dtype=np.int64
    )


def told_left_out(left: Sequence[LeftOut], given: int) -> tuple[str, ...]:
    """Which samples could not be made ready; nothing where all could."""
    if not left:
        return ()
    named = "; ".join(f"{each.name}: {each.why}" for each in left[:NAMED])
    more = f"; and {len(left) - NAMED} more" if len(left) > NAMED else ""
    verb = "is" if len(left) == 1 else "are"
    return (f"{len(left)} of the {given} samples could not be read and {verb} left out: {named}{more}",)
