"""How far a sample lies from everything that a model was trained on."""

import math
from collections.abc import Callable
from typing import TypeAlias

import msgspec
import numpy as np

from halocline.errors import Rejected
from halocline.records import Array

_FOLDS = 5
_LEAST_SHRINKAGE = 1e-4
"""A pixel that is always black has no variance; with this much of the mean one, float32 holds the inverse."""


class Novelty(msgspec.Struct, frozen=True, eq=False):
    """Where the known classes lie, and from which distance on a sample counts as new.

    `output` names the model output whose rows are the features; "" means the input itself, flattened.
    `means` float32 `[classes, features]`; `precision` float32 `[features, features]`, one for all
    classes, of the shrunk covariance; a sample is new where its distance is above `cut`.
    """

    output: str
    means: Array
    precision: Array
    cut: float


DistanceReader: TypeAlias = Callable[[Array], float]
"""One row of features `[features]` to its distance."""


def fit_novelty(
    features: Array,
    y: Array,
    *,
    output: str = "",
    false_positive_share: float = 0.05,
    held_out: Array | None = None,
) -> Novelty:
    """Learn the known classes from features `[n, d]` (or `[n, …]`, flattened) of the classes `y` `[n]`.

    Distance is Mahalanobis to the nearest class mean with one covariance for all (Lee et al. 2018),
    shrunk as Ledoit and Wolf (2004). At most `false_positive_share` of new known samples lie above the
    cut, on average over what it was set on: `held_out` features `[m, …]`, or, without them, these same
    rows in five folds, each measured by the other four. Raises Rejected (HAL-601).
    """
    rows = _flat(features)
    _check(rows, y)
    means, precision = _fit(rows, y)
    known = _out_of_fold(rows, y) if held_out is None else _distances(means, precision, _flat(held_out))
    return Novelty(
        output, means.astype(np.float32), precision.astype(np.float32), _cut(known, false_positive_share)
    )


def distances(novelty: Novelty, features: Array) -> Array:
    """Distance float64 `[n]` of each row of features `[n, d]` (or `[n, …]`) to the nearest known class."""
    return _distances(novelty.means, novelty.precision, _flat(features))


def distance_reader(novelty: Novelty) -> DistanceReader:
    """The quickest function that reads one row `[d]` as `distances` reads a batch (to float32 rounding)."""
    whiten = _whitening(novelty.precision)
    centre = novelty.means.mean(axis=0, dtype=np.float64)
    spread = np.ascontiguousarray(whiten, dtype=np.float32)
    classes = ((novelty.means - centre) @ whiten).astype(np.float32)
    origin = (centre @ whiten).astype(np.float32)

    def read(row: Array) -> float:
        off = classes - (row.reshape(-1) @ spread - origin)
        return math.sqrt(float(np.einsum("cd,cd->c", off, off).min()))

    return read


def distance_row(novelty: Novelty, row: Array) -> float:
    """The distance of one row `[d]`; where there are many, make a `distance_reader` once."""
    return distance_reader(novelty)(row)


def auroc(known: Array, unknown: Array) -> float:
    """The probability that a random unknown scores above a random known one, ties counting half."""
    if not len(known) or not len(unknown):
        return math.nan
    ordered = np.sort(known)
    below = np.searchsorted(ordered, unknown, side="left")
    not_above = np.searchsorted(ordered, unknown, side="right")
    return float((below + not_above).mean() / (2 * len(known)))


def shrunk_covariance(residuals: Array) -> Array:
    """Covariance float64 `[d, d]` of residuals `[n, d]` of mean 0, shrunk towards a multiple of the identity.

    Ledoit and Wolf (2004), A well-conditioned estimator for large-dimensional covariance matrices.
    """
    n, d = residuals.shape
    empirical = residuals.T @ residuals / n
    scale = float(np.trace(empirical)) / d
    off_target = float((empirical**2).sum()) / d - scale**2
    norms = (residuals**2).sum(axis=1)
    noise = (float((norms**2).sum()) / n - float((empirical**2).sum())) / (n * d)
    shrinkage = min(max(noise, 0.0) / off_target, 1.0) if off_target > 0 else 1.0
    shrinkage = max(shrinkage, _LEAST_SHRINKAGE)
    shrunk = (1 - shrinkage) * empirical
    shrunk[np.diag_indices(d)] += shrinkage * scale
    return np.asarray(shrunk)


def _fit(rows: Array, y: Array) -> tuple[Array, Array]:
    """Class means and the precision of what is left around them, float64."""
    names, member = np.unique(y, return_inverse=True)
    means = np.stack([rows[member == c].mean(axis=0) for c in range(len(names))])
    covariance = shrunk_covariance(rows - means[member])
    if not np.trace(covariance) > 0:
        raise Rejected(
            "HAL-601",
            f"the features of all {len(rows)} rows are the same within each class; nothing to learn",
        )
    return means, np.linalg.inv(covariance)


def _distances(means: Array, precision: Array, rows: Array) -> Array:
    whiten = _whitening(precision)
    centre = means.mean(axis=0, dtype=np.float64)
    white, classes = (rows - centre) @ whiten, (means - centre) @ whiten
    nearest = np.full(len(rows), np.inf)
    for mean in classes:  # one class at a time: [n, classes, d] would not fit for images
        np.minimum(nearest, ((white - mean) ** 2).sum(axis=1), out=nearest)
    return np.asarray(np.sqrt(nearest))


def _whitening(precision: Array) -> Array:
    """W float64 `[d, d]` with W Wᵀ = precision; float32 may have rounded its least eigenvalues below 0."""
    values, vectors = np.linalg.eigh(precision.astype(np.float64))
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def _out_of_fold(rows: Array, y: Array) -> Array:
    """The distance of each row by what the other folds know; a class that is in one fold only is left out."""
    order = np.argsort(y, kind="stable")
    fold = np.empty(len(rows), dtype=np.int64)
    fold[order] = np.arange(len(rows)) % _FOLDS
    out = np.full(len(rows), np.nan)
    for at in range(min(_FOLDS, len(rows))):
        own, rest = fold == at, fold != at
        if rest.any():
            out[own] = _distances(*_fit(rows[rest], y[rest]), rows[own])
    return out


def _cut(known: Array, false_positive_share: float) -> float:
    """The order statistic above which a new exchangeable distance lies with at most this probability."""
    if not 0 < false_positive_share < 1:
        raise Rejected("HAL-101", f"false_positive_share must be in (0, 1), got {false_positive_share}")
    ordered = np.sort(known[~np.isnan(known)])
    rank = math.ceil((len(ordered) + 1) * (1 - false_positive_share) - 1e-9)
    if rank > len(ordered):
        fewest = math.ceil(1 / false_positive_share - 1e-9) - 1
        raise Rejected(
            "HAL-601",
            f"{len(ordered)} rows cannot set a cut with {false_positive_share:g} false positives; "
            f"at least {fewest} can",
        )
    return float(ordered[rank - 1])


def _flat(features: Array) -> Array:
    return np.asarray(features, dtype=np.float64).reshape(len(features), -1)


def _check(rows: Array, y: Array) -> None:
    if len(rows) != len(y) or len(rows) < 2:
        raise Rejected(
            "HAL-601", f"novelty needs one class for each row, got {len(rows)} rows, {len(y)} classes"
        )
    if not np.isfinite(rows).all():
        bad = int((~np.isfinite(rows)).any(axis=1).sum())
        raise Rejected(
            "HAL-601", f"the features of {bad} of {len(rows)} rows hold NaN or infinity; leave them out"
        )
