"""What each threshold would have done on the rows at hand."""

import msgspec
import numpy as np

from halocline.decide.evidence import Evidence
from halocline.records import Array

POINTS = 201


class Curve(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What was observed at up to 201 thresholds, from "everything at the edge" to "everything up".

    All float64 `[points]`: `threshold` ascending, `escalated` (share of rows), `accuracy` of both tiers
    together, `loss` (share of rows answered at the edge, wrong, that the cloud had right), and `cost`
    in USD a request, NaN where no prices were given. The last point has the threshold 1, which sends
    every row up except those whose confidence is exactly 1.
    """

    threshold: Array
    escalated: Array
    accuracy: Array
    loss: Array
    cost: Array


class Operating(msgspec.Struct, frozen=True, eq=False):
    """Every distinct way to split the rows: the `up[i]` least sure ones go up, at `threshold[i]`.

    Float64 `[splits]` each; `errors` and `lost` are counts of rows.
    """

    threshold: Array
    up: Array
    errors: Array
    lost: Array


def operating_points(evidence: Evidence) -> Operating:
    """Every distinct split of the rows by a threshold in [0, 1]."""
    order = np.argsort(evidence.confidence, kind="stable")
    confidence = evidence.confidence[order]
    first = np.flatnonzero(np.diff(confidence, prepend=-2.0))  # of each run of equal confidences
    up = first[confidence[first] >= 0]  # rows without an answer (-1) go up at any threshold
    if confidence[-1] < 1:
        up = np.append(up, len(order))
    edge_wrong, cloud_wrong = ~evidence.edge_correct[order], ~evidence.cloud_right[order]
    wrong_above = np.concatenate([np.cumsum(edge_wrong[::-1])[::-1], [0]])
    lost_above = np.concatenate([np.cumsum((edge_wrong & ~cloud_wrong)[::-1])[::-1], [0]])
    wrong_below = np.concatenate([[0], np.cumsum(cloud_wrong)])
    threshold = np.concatenate([confidence, [1.0]])[up]
    return Operating(threshold, up, wrong_above[up] + wrong_below[up], lost_above[up])


def curve_of(evidence: Evidence, cost_usd: tuple[float, float] | None = None) -> Curve:
    """The curve over evenly spread shares of escalation; `cost_usd` is (a cloud call, a wrong answer)."""
    points = operating_points(evidence)
    rows = evidence.rows
    wanted = np.searchsorted(points.up, np.linspace(points.up[0], rows, POINTS), side="left")
    at = np.unique(np.minimum(wanted, len(points.up) - 1))
    escalated, errors = points.up[at] / rows, points.errors[at] / rows
    cost = np.full(len(at), np.nan) if cost_usd is None else escalated * cost_usd[0] + errors * cost_usd[1]
    return Curve(
        threshold=points.threshold[at],
        escalated=escalated,
        accuracy=1.0 - errors,
        loss=points.lost[at] / rows,
        cost=cost,
    )
