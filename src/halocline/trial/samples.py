"""Pick the rows that show what goes up, and count what going up did."""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec
import numpy as np

from halocline.records import Array
from halocline.trial.look import Look
from halocline.tuning.curve import class_name

MOST_SHOWN = 24


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """Boxes (left, top, right, bottom, in fractions of the picture) of edge, cloud and truth."""

    edge: tuple[tuple[float, float, float, float], ...]
    cloud: tuple[tuple[float, float, float, float], ...]
    truth: tuple[tuple[float, float, float, float], ...]


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """Ranges and points on one line from `low` to `high`: each tier's low, value and high, and the truth.

    Of an anomaly scorer a score is a point, and `limit` is from where on it is an anomaly.
    """

    low: float
    high: float
    edge: tuple[float, float, float] | None
    cloud: tuple[float, float, float] | None
    truth: float | None = None
    limit: float | None = None


Drawn: TypeAlias = Marks | Scale


class Moves(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of rows, by who was right: those that went up, and those that stayed."""

    up: int
    up_mended: int
    """The edge was wrong, the cloud right."""
    up_needless: int
    """Both were right."""
    up_in_vain: int
    """Both were wrong."""
    up_spoilt: int
    """The edge was right, the cloud wrong."""
    stayed: int
    stayed_right: int
    stayed_lost: int
    """The edge was wrong, the cloud right."""
    stayed_wrong: int
    """Both were wrong."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One row that goes up: what each tier says of it, and how sure the edge is. `truth` may be unknown.

    `drawn` is what is drawn of the answers, where words do not tell them: boxes, or numbers on one line.
    """

    row: str
    edge: str
    confidence: float
    cloud: str
    truth: str | None
    edge_right: bool
    cloud_right: bool
    look: Look
    drawn: Drawn | None = None


def moves_of(up: Array, edge_right: Array, cloud_right: Array) -> Moves:
    """Count them; all bool `[rows]`."""

    def count(rows: Array) -> int:
        return int(rows.sum())

    return Moves(
        up=count(up),
        up_mended=count(up & ~edge_right & cloud_right),
        up_needless=count(up & edge_right & cloud_right),
        up_in_vain=count(up & ~edge_right & ~cloud_right),
        up_spoilt=count(up & edge_right & ~cloud_right),
        stayed=count(~up),
        stayed_right=count(~up & edge_right),
        stayed_lost=count(~up & ~edge_right & cloud_right),
        stayed_wrong=count(~up & ~edge_right & ~cloud_right),
    )


def picked(up: Array, confidence: Array, seed: int) -> list[int]:
    """The positions of up to 24 rows that go up, drawn by the seed, the least sure first."""
    rows = np.flatnonzero(up)
    drawn = np.random.default_rng(seed).permutation(rows)[:MOST_SHOWN]
    return [int(at) for at in drawn[np.argsort(confidence[drawn], kind="stable")]]


def label_of(labels: Sequence[str] | None, index: int) -> str:
    """The name of a class; a dash where the edge gave none."""
    return class_name(labels, index) if index >= 0 else "–"  # noqa: RUF001 - a dash
