"""Lay Fashion-MNIST out as PNG files in class folders, train and test apart."""

import gzip
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from halocline.demo.datasets import fashion
from halocline.demo.datasets.files import check_rows, read_array
from halocline.demo.datasets.public.files import chosen, write_png, write_table
from halocline.errors import Misconfigured
from halocline.records import Array

_PUBLISHED = {"train": "train", "test": "t10k"}


def write_pictures(source: Path, to: Path, rows: int | None) -> Iterable[Path]:
    """TO/train and TO/test: CLASS/NUMBER.png, and rows.csv with each file's label."""
    for part in ("train", "test"):
        pictures, labels = _read(source, part)
        folder = to / part
        table = []
        for at in chosen(len(labels), rows):
            label = fashion.LABELS[labels[at]]
            name = f"{label.replace('/', '-').replace(' ', '-')}/{at:05}.png"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_png(folder / name, pictures[at])
            table.append((name, label))
        write_table(folder / "rows.csv", ("file", "label"), table)
        yield folder


def _read(source: Path, part: str) -> tuple[Array, Array]:
    """Pictures uint8 `[rows, 28, 28]` and their classes."""
    arrays = source / f"{part}_images.npy.xz"
    if arrays.exists():
        path, pictures, labels = arrays, read_array(arrays), read_array(source / f"{part}_labels.npy")
    else:
        path = source / f"{_PUBLISHED[part]}-images-idx3-ubyte.gz"
        pictures, labels = _read_idx(path), _read_idx(source / f"{_PUBLISHED[part]}-labels-idx1-ubyte.gz")
    check_rows(path, pictures, (len(labels), fashion.SIDE, fashion.SIDE))
    return pictures, labels


def _read_idx(path: Path) -> Array:
    """The array of a gzip IDX file of bytes: 0, 0, 8, the number of axes, each length as a 32-bit number."""
    try:
        with gzip.open(path) as file:
            held = file.read()
        axes = held[3]
        shape = np.frombuffer(held, ">u4", axes, 4).astype(int).tolist()
        return np.frombuffer(held, np.uint8, offset=4 + 4 * axes).reshape(shape)
    except (OSError, EOFError, IndexError, ValueError) as exc:
        raise Misconfigured("HAL-304", f"{path} is not a gzip IDX file ({exc}). Copy it again") from None
