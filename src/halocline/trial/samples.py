"""Pick the rows that show what goes up, and count what going up did."""

from collections.abc import Sequence

import msgspec
import numpy as np

from halocline.records import Array
from halocline.trial.look import Look
from halocline.tuning.curve import class_name

MOST_SHOWN = 24


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
    """One row that goes up: what each tier says of it, and how sure the edge is. `truth` may be unknown."""

    row: str
    edge: str
    confidence: float
    cloud: str
    truth: str | None
    look: Look


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
