"""Train a detector that looks through a window at every place of a grid: what is there, and where.

A network learns from windows cut out of scenes to tell the classes from background; a linear map of its last
hidden layer, by least squares, moves and sizes the box. As one graph, its first layer is a convolution.
"""

import msgspec
import numpy as np

from halocline.demo.datasets.network import Network, Recipe, fit
from halocline.demo.detection.canvas import ITEM, SIDE, Scenes
from halocline.records import Array

_RIDGE = 1.0
_HITS = 3
"""So many windows are cut out around each item."""
_MISSES = 8
"""So many out of each scene at random."""
_NEAR_MISSES = 4
"""So many more beside each item."""


class Detector(msgspec.Struct, frozen=True, eq=False):
    """One trained detector; the network's last class is background.

    `shift` float32 `[hidden + 1, 4]` gives centre and size of the box in pixels of the window, the last row
    being what is added. `stride` is the distance of the windows in pixels.
    """

    network: Network
    shift: Array
    stride: int

    @property
    def parameters(self) -> int:
        """How many numbers were learnt."""
        return self.network.parameters + self.shift.size


def train(scenes: Scenes, classes: int, recipe: Recipe, stride: int, seed: int) -> Detector:
    """Make the recipe's detector of these scenes; on one machine, the same bits for the same seed."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        windows, wanted, boxes = _windows(scenes, classes, stride, np.random.default_rng((seed, stride)))
        (network,) = fit(windows, wanted, classes + 1, recipe, seed)
        hits = wanted < classes
        return Detector(network, _shift(_hidden(network, windows[hits]), boxes[hits]), stride)


def _hidden(network: Network, x: Array) -> Array:
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        x = np.maximum(x @ weight + bias, 0)
    return x


def _shift(hidden: Array, boxes: Array) -> Array:
    features = np.concatenate([hidden, np.ones((len(hidden), 1), np.float32)], axis=1).astype(np.float64)
    normal = features.T @ features + _RIDGE * np.eye(features.shape[1])
    return np.linalg.solve(normal, features.T @ boxes).astype(np.float32)


def _windows(
    scenes: Scenes, classes: int, stride: int, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Windows `[n, 784]`, the class of each, and its box as centre and size in pixels of the window."""
    windows, wanted, boxes = [], [], []
    for picture, truth in zip(scenes.pictures, scenes.truth, strict=True):
        centres = (truth.xyxy[:, :2] + truth.xyxy[:, 2:]) / 2 * SIDE - ITEM / 2  # of windows that fit best
        for at in range(len(truth)):
            for _ in range(_HITS):
                corner = np.rint(centres[at] + rng.uniform(-stride / 2, stride / 2, 2)).astype(int)
                left, top = np.clip(corner, 0, SIDE - ITEM).tolist()
                windows.append(picture[top : top + ITEM, left : left + ITEM].ravel())
                wanted.append(int(truth.index[at]))
                boxes.append(_relative(truth.xyxy[at] * SIDE, left, top))
        for left, top in _elsewhere(centres, rng):
            away = np.abs(centres - (left, top)).max(axis=1)
            if (away > stride).all():
                windows.append(picture[top : top + ITEM, left : left + ITEM].ravel())
                wanted.append(classes)
                boxes.append(np.zeros(4, np.float32))
    return np.stack(windows), np.asarray(wanted), np.stack(boxes)


def _elsewhere(centres: Array, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Corners of windows that may show nothing: anywhere, and beside each item, where half of it is seen."""
    anywhere = rng.integers(0, SIDE - ITEM + 1, (_MISSES, 2))
    beside = np.repeat(centres, _NEAR_MISSES, axis=0)
    beside = np.rint(beside + rng.uniform(-ITEM, ITEM, beside.shape)).astype(int)
    return [
        (int(left), int(top)) for left, top in np.clip(np.concatenate([anywhere, beside]), 0, SIDE - ITEM)
    ]


def _relative(xyxy: Array, left: int, top: int) -> Array:
    corner = np.array([left, top], np.float32)
    return np.concatenate([(xyxy[:2] + xyxy[2:]) / 2 - corner, xyxy[2:] - xyxy[:2]])
