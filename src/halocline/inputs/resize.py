"""Resize 8-bit pictures exactly as Pillow does, so that a camera's array and a JPEG give the same tensor.

A pass resizes along one axis with antialiasing: the columns first, then the rows, rounded to 8 bit after
each. The weights are whole numbers of 1 / 2^22, so that the sums are exact in float64, whatever the order
in which a matrix product adds them up.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from halocline.inputs.description import Filter

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Resize: TypeAlias = Callable[[Array, int, int, Filter], Array]

_UNIT = 1 << 22
_BLOCK = 12
"""Outputs of one matrix product: they share most of the pixels that they look at (8 to 16 measured best)."""
_SUPPORT = {"bilinear": 1.0, "bicubic": 2.0}


class _Block(NamedTuple):
    """Outputs `start` to `stop` are `weights [stop - start, last - first]` times inputs `first` to `last`."""

    start: int
    stop: int
    first: int
    last: int
    weights: Array


def resize(pixels: Array, width: int, height: int, how: Filter) -> Array:
    """Uint8 `[height, width, …]` of uint8 `[rows, columns, …]`, to the bit what Pillow's resize gives."""
    rows, columns = pixels.shape[:2]
    if how == "nearest":
        return pixels[_nearest(rows, height)][:, _nearest(columns, width)]
    if columns != width:
        turned = np.ascontiguousarray(pixels.swapaxes(0, 1))
        pixels = _passed(turned, width, how).swapaxes(0, 1)
    if rows != height:
        pixels = _passed(np.ascontiguousarray(pixels), height, how)
    return np.ascontiguousarray(pixels)


def _passed(pixels: Array, size: int, how: Filter) -> Array:
    """Resize the first axis."""
    lines = pixels.reshape(len(pixels), -1).astype(np.float64)
    out = np.empty((size, lines.shape[1]), np.uint8)
    for block in _blocks(len(pixels), size, how):
        sums = block.weights @ lines[block.first : block.last]
        sums *= 1 / _UNIT  # a power of two: exact
        sums += 0.5
        np.floor(sums, out=sums)
        out[block.start : block.stop] = np.clip(sums, 0, 255, out=sums)
    return out.reshape(size, *pixels.shape[1:])


@lru_cache(maxsize=64)
def _blocks(size: int, wanted: int, how: Filter) -> tuple[_Block, ...]:
    first, count, weights = _weights(size, wanted, how)
    blocks = []
    for start in range(0, wanted, _BLOCK):
        stop = min(start + _BLOCK, wanted)
        low, high = int(first[start:stop].min()), int((first + count)[start:stop].max())
        dense = np.zeros((stop - start, high - low))
        for at in range(start, stop):
            dense[at - start, first[at] - low : first[at] - low + count[at]] = weights[at, : count[at]]
        blocks.append(_Block(start, stop, low, high, dense))
    return tuple(blocks)


def _weights(size: int, wanted: int, how: Filter) -> tuple[Array, Array, Array]:
    """For each output: the first input it looks at, how many, and their weights in units of 1 / 2^22."""
    step = size / wanted
    stretch = max(step, 1.0)
    support = _SUPPORT[how] * stretch
    centre = (np.arange(wanted) + 0.5) * step
    first = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    count = np.minimum((centre + support + 0.5).astype(np.int64), size) - first
    at = np.arange(int(count.max()))
    shape = _triangle if how == "bilinear" else _cubic
    raw = shape((at + first[:, None] - centre[:, None] + 0.5) * (1.0 / stretch))
    raw[at >= count[:, None]] = 0.0
    # One after the other, as a loop adds: a pairwise sum rounds otherwise.
    raw /= np.cumsum(raw, axis=1)[:, -1:]
    return first, count, np.trunc(raw * _UNIT + np.where(raw < 0, -0.5, 0.5))


def _triangle(x: Array) -> Array:
    x = np.abs(x)
    return np.where(x < 1.0, 1.0 - x, 0.0)


def _cubic(x: Array) -> Array:
    """Keys 1981, with a = -0.5."""
    x, a = np.abs(x), -0.5
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


@lru_cache(maxsize=64)
def _nearest(size: int, wanted: int) -> Array:
    """The input that each output is."""
    step = size / wanted
    steps = np.full(wanted, step)
    steps[0] = step * 0.5
    # Stepped on, as a loop does: (n + 0.5) * step rounds otherwise, and now and then to another pixel.
    return np.minimum(np.cumsum(steps).astype(np.int64), size - 1)
