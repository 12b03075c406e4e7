"""Models, and samples that they have not seen, to try everything with: made once and cached."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from halocline.demo.cache import kept, key
from halocline.demo.training import FOLDS
from halocline.errors import Misconfigured
from halocline.extras import need
from halocline.folders import cache_folder as cache_folder  # benchmarks ask for it here
from halocline.records import Array

if TYPE_CHECKING:
    from halocline.demo.datasets.sample_pair import SamplePair

LABELS = tuple("0123456789")
RECIPE = 2
"""Raised when training changes, so that no cached model of an older recipe is taken."""


class Digits(msgspec.Struct, frozen=True, eq=False):
    """A small and a larger digit model, as ONNX files, and held-out rows.

    `x` is float32 `[rows, 64]`, pixels scaled to 0..1, `y` int64 `[rows]`. Neither the training nor
    the choice of `threshold` has seen them. Both models name their classes by `labels`.
    """

    edge_path: Path
    cloud_path: Path
    threshold: float
    x: Array
    y: Array
    labels: tuple[str, ...] = LABELS


class DigitFolds(msgspec.Struct, frozen=True, eq=False):
    """Five such splits; their held-out rows together are every one of the 1,797 digits, once.

    `served` is a folder NAME/VERSION/model.onnx of the cloud models, one for each split (`digits-0` …).
    """

    folds: tuple[Digits, ...]
    served: Path


def digits() -> Digits:
    """The first of the five splits. Trains it all in a few seconds the first time, offline.

    Raises Misconfigured (HAL-103) where the extra `demo` is not installed.
    """
    return digit_folds().folds[0]


def digit_folds() -> DigitFolds:
    """All five splits, from the cache where it is whole. Raises as `digits`."""
    need("demo", "sklearn", "skl2onnx", "onnx", what="halocline.samples")
    return kept(cache_folder() / f"digits-{key(RECIPE)}", _write_all, _read)


def pair(name: str, folder: str | os.PathLike[str] | None = None) -> "SamplePair":
    """An edge and a cloud model that take raw samples, and files that they have not seen to try them on.

    `name` is fashion-mnist (pictures), speech (sounds), ecg (rows), machine-temperature (a series, scored)
    or machine-state (the same series, classified). `folder` holds the real set's files; without one, small
    samples of that kind are made. Trains in two minutes at most the first
    time, offline.

    Raises Misconfigured: HAL-102 (no such name), HAL-103 (an extra is missing), HAL-304 (not that set).
    """
    need("demo", "sklearn", "onnx", what="halocline.samples")
    from halocline.demo.datasets.kits import KITS
    from halocline.demo.datasets.sample_pair import sample_pair

    if name not in KITS:
        raise Misconfigured("HAL-102", f"the name of a pair is one of {', '.join(KITS)}, got {name!r}")
    return sample_pair(KITS[name], None if folder is None else Path(folder).expanduser())


def _read(folder: Path) -> DigitFolds:
    return DigitFolds(tuple(_fold(folder, at) for at in range(FOLDS)), folder / "cloud")


def _fold(folder: Path, at: int) -> Digits:
    with np.load(folder / f"rows-{at}.npz") as rows:
        return Digits(
            edge_path=folder / f"edge-{at}.onnx",
            cloud_path=folder / "cloud" / f"digits-{at}" / "1" / "model.onnx",
            threshold=float(rows["threshold"]),
            x=rows["x"],
            y=rows["y"],
        )


def _write_all(folder: Path) -> None:
    from halocline.demo.training import train_folds

    for at, fold in enumerate(train_folds()):
        cloud = folder / "cloud" / f"digits-{at}" / "1"
        cloud.mkdir(parents=True)
        (cloud / "model.onnx").write_bytes(fold.cloud_onnx)
        (folder / f"edge-{at}.onnx").write_bytes(fold.edge_onnx)
        np.savez(folder / f"rows-{at}.npz", x=fold.x, y=fold.y, threshold=fold.threshold)
