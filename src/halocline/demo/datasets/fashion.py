"""Fashion-MNIST: greyscale pictures of clothes.

The folder holds train_images.npy.xz and test_images.npy.xz (uint8 `[rows, 28, 28]`) with train_labels.npy
and test_labels.npy (uint8 `[rows]`).
"""

from pathlib import Path

import numpy as np

from halocline.demo.datasets.files import check_folder, check_rows, read_array
from halocline.demo.datasets.rows import Parts, Rows
from halocline.records import Array

FILES = ("train_images.npy.xz", "train_labels.npy", "test_images.npy.xz", "test_labels.npy")
LABELS = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
SIDE = 28
TUNE_SHARE = 12
"""One picture in so many of the training ones only chooses the threshold."""


def read_fashion(folder: Path) -> Parts:
    """Pixels in 0..1; the last twelfth of the training pictures tunes. Raises Misconfigured (HAL-304)."""
    check_folder(folder, FILES, "Fashion-MNIST")
    known, test = _part(folder, "train"), _part(folder, "test")
    cut = len(known) - len(known) // TUNE_SHARE
    return Parts(train=known.where(np.arange(cut)), tune=known.where(np.arange(cut, len(known))), test=test)


def pictures_of(folder: Path, part: str) -> tuple[Array, Array]:
    """Uint8 pixels `[rows, 784]` and classes int64 of "train" or "test". Raises Misconfigured (HAL-304)."""
    pictures = read_array(folder / f"{part}_images.npy.xz")
    labels = read_array(folder / f"{part}_labels.npy")
    pictures = pictures.reshape(len(pictures), -1)
    check_rows(folder / f"{part}_images.npy.xz", pictures, (len(labels), SIDE * SIDE))
    return pictures, labels.astype(np.int64)


def _part(folder: Path, part: str) -> Rows:
    pictures, labels = pictures_of(folder, part)
    pixels: Array = pictures.astype(np.float32) / 255
    return Rows(pixels, labels, np.arange(len(labels)))
