"""Digits to try everything with: two trained models and rows that they never saw, made once and cached."""

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import msgspec
import numpy as np

import halocline
from halocline.extras import need
from halocline.folders import cache_folder as cache_folder  # benchmarks ask for it here
from halocline.records import Array

LABELS = tuple("0123456789")
RECIPE = 1
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
    folder = cache_folder() / f"digits-{_key()}"
    found = _read(folder)
    if found is None:
        _make(folder, _write_all)
        found = _read(folder)
    assert found is not None, f"{folder} does not read back"
    return found


class _Manifest(msgspec.Struct, frozen=True):
    """What lies in the folder, so that a damaged cache is noticed."""

    thresholds: tuple[float, ...]
    sha256: dict[str, str]


def _key() -> str:
    parts = [halocline.__version__, str(RECIPE)]
    parts += [f"{name}={version(name)}" for name in ("scikit-learn", "skl2onnx", "onnx", "numpy")]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def _read(folder: Path) -> DigitFolds | None:
    """What the folder holds; None where it is not there or not as it was written."""
    try:
        manifest = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=_Manifest)
        if any(_sha256(folder / name) != digest for name, digest in manifest.sha256.items()):
            return None
        folds = tuple(_fold(folder, at, threshold) for at, threshold in enumerate(manifest.thresholds))
    except (OSError, ValueError, KeyError, msgspec.MsgspecError):
        return None
    return DigitFolds(folds, folder / "cloud")


def _fold(folder: Path, at: int, threshold: float) -> Digits:
    with np.load(folder / f"rows-{at}.npz") as rows:
        return Digits(
            edge_path=folder / f"edge-{at}.onnx",
            cloud_path=folder / "cloud" / f"digits-{at}" / "1" / "model.onnx",
            threshold=threshold,
            x=rows["x"],
            y=rows["y"],
        )


def _write_all(folder: Path) -> None:
    from halocline.demo.training import train_folds

    thresholds = []
    for at, fold in enumerate(train_folds()):
        cloud = folder / "cloud" / f"digits-{at}" / "1"
        cloud.mkdir(parents=True)
        (cloud / "model.onnx").write_bytes(fold.cloud_onnx)
        (folder / f"edge-{at}.onnx").write_bytes(fold.edge_onnx)
        np.savez(folder / f"rows-{at}.npz", x=fold.x, y=fold.y)
        thresholds.append(fold.threshold)
    digests = {str(path.relative_to(folder)): _sha256(path) for path in folder.rglob("*") if path.is_file()}
    manifest = _Manifest(tuple(thresholds), digests)
    (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))


def _make(folder: Path, write: Callable[[Path], None]) -> None:
    """Fill the folder at once or not at all; what lay there, damaged, is replaced."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        write(building)
        if folder.exists():
            folder.rename(building / "damaged")
        with contextlib.suppress(OSError):  # another process was faster: its folder is as good
            building.rename(folder)
        shutil.rmtree(folder / "damaged", ignore_errors=True)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
