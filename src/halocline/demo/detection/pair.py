"""Train a small and a larger detector on composed scenes, calibrate the small one; then read the cache."""

from pathlib import Path

import msgspec
import numpy as np

from halocline.adapters.onnxruntime import OnnxModel, load
from halocline.decide.outputs import DetectOutput
from halocline.demo.cache import kept, key
from halocline.demo.datasets.files import digest, read_array
from halocline.demo.datasets.network import Recipe
from halocline.demo.detection.canvas import ITEM, Items, Scenes, compose, mixed_counts
from halocline.demo.detection.graph import SSD, YOLO, to_onnx
from halocline.demo.detection.grid import train
from halocline.extras import need
from halocline.folders import cache_folder
from halocline.tuning.calibration import calibrated

RECIPE = 1
"""Raised when training or composing changes, so that no cached model of an older recipe is taken."""


class Sizes(msgspec.Struct, frozen=True):
    """How much is composed and learnt: scenes for training by tier, for tuning, for testing; both recipes."""

    edge_scenes: int
    cloud_scenes: int
    tune_scenes: int
    test_scenes: int
    edge: Recipe
    cloud: Recipe
    edge_stride: int = 6
    cloud_stride: int = 4


FASHION = Sizes(
    edge_scenes=5000,
    cloud_scenes=8000,
    tune_scenes=1500,
    test_scenes=1500,
    edge=Recipe(hidden=(48,), epochs=8),
    cloud=Recipe(hidden=(320, 96), epochs=6, learning_rate=1e-3, dropout=0.1),
)
DIGITS = Sizes(
    edge_scenes=1200,
    cloud_scenes=1200,
    tune_scenes=300,
    test_scenes=300,
    edge=Recipe(hidden=(24,), epochs=6),
    cloud=Recipe(hidden=(96,), epochs=10),
)


class Detectors(msgspec.Struct, frozen=True, eq=False):
    """Two detectors as ONNX files, how each is read, and scenes of items that no training has seen.

    `edge_form` is calibrated on the scenes of `tune`. The layouts and the label orders differ.
    """

    edge_path: Path
    cloud_path: Path
    edge_form: DetectOutput
    tune: Scenes
    test: Scenes

    @property
    def edge(self) -> OnnxModel:
        """The small one, calibrated."""
        return load(self.edge_path, task=self.edge_form)

    @property
    def cloud(self) -> OnnxModel:
        """The larger one."""
        return load(self.cloud_path, task=SSD)


def detectors(folder: Path | None = None, *, seed: int = 0) -> Detectors:
    """The pair for that seed, from the cache where it is whole; a minute or two where it is not.

    `folder` holds Fashion-MNIST; without it scenes are made of scikit-learn's digits, in seconds.
    Raises Misconfigured: HAL-103 (an extra is missing), HAL-304 (a file is missing or not what it should be).
    """
    need("demo", "onnx", "sklearn", "threadpoolctl", what="the detectors")
    known, fresh, facts = _digits() if folder is None else _fashion(folder)
    sizes = DIGITS if folder is None else FASHION
    rng = np.random.default_rng((seed, 1))
    tune = compose(fresh[0], mixed_counts(sizes.tune_scenes, rng), rng)
    test = compose(fresh[1], mixed_counts(sizes.test_scenes, rng), rng)
    recipes = msgspec.json.encode([msgspec.to_builtins(sizes), [YOLO, SSD]]).hex()
    edge_path, cloud_path, form = kept(
        cache_folder() / f"detectors-{seed}-{key(RECIPE, recipes, seed, facts)}",
        lambda building: _write(building, known, sizes, tune, seed),
        _read,
    )
    return Detectors(edge_path, cloud_path, form, tune, test)


def _write(folder: Path, items: Items, sizes: Sizes, tune: Scenes, seed: int) -> None:
    rng = np.random.default_rng((seed, 0))
    scenes = compose(items, mixed_counts(max(sizes.edge_scenes, sizes.cloud_scenes), rng), rng)
    order = list(range(len(items.labels)))
    tiers = (
        ("edge", sizes.edge_scenes, sizes.edge, sizes.edge_stride, order, YOLO),
        ("cloud", sizes.cloud_scenes, sizes.cloud, sizes.cloud_stride, order[::-1], SSD),
    )
    for name, rows, recipe, stride, classes, form in tiers:
        part = Scenes(scenes.pictures[:rows], scenes.truth[:rows])
        detector = train(part, len(items.labels), recipe, stride, seed)
        (folder / f"{name}.onnx").write_bytes(to_onnx(detector, items.labels, classes, form))
    edge = load(folder / "edge.onnx", task=YOLO)
    told = calibrated(edge, tune.pictures[:, None], tune.truth)
    (folder / "edge.json").write_bytes(msgspec.json.encode(told))


def _read(folder: Path) -> tuple[Path, Path, DetectOutput]:
    form = msgspec.json.decode((folder / "edge.json").read_bytes(), type=DetectOutput)
    for name in ("edge", "cloud"):
        load(folder / f"{name}.onnx", task=form if name == "edge" else SSD)
    return folder / "edge.onnx", folder / "cloud.onnx", form


def _fashion(folder: Path) -> tuple[Items, tuple[Items, Items], str]:
    """Items to train on, and others to tune and to test on."""
    from halocline.demo.datasets.fashion import FILES, LABELS
    from halocline.demo.datasets.files import check_folder

    check_folder(folder, FILES, "Fashion-MNIST")
    names = [name.removesuffix("/top") for name in LABELS]
    x = {
        part: read_array(folder / f"{part}_images.npy.xz").astype(np.float32) / 255
        for part in ("train", "test")
    }
    y = {part: read_array(folder / f"{part}_labels.npy").astype(np.int64) for part in ("train", "test")}
    cut = len(x["train"]) - len(x["train"]) // 12
    known = Items(x["train"][:cut], y["train"][:cut], tuple(names))
    tune = Items(x["train"][cut:], y["train"][cut:], tuple(names))
    return known, (tune, Items(x["test"], y["test"], tuple(names))), digest(folder, FILES)


def _digits() -> tuple[Items, tuple[Items, Items], str]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    small = digits.images.astype(np.float32) / 16
    big = np.kron(small, np.ones((3, 3), np.float32))
    margin = (ITEM - big.shape[1]) // 2
    x = np.pad(big, ((0, 0), (margin, margin), (margin, margin)))
    labels = tuple(map(str, range(10)))
    order = np.random.default_rng(0).permutation(len(x))
    parts = [order[:1000], order[1000:1400], order[1400:]]
    known, tune, test = (Items(x[part], digits.target[part].astype(np.int64), labels) for part in parts)
    return known, (tune, test), "digits"
