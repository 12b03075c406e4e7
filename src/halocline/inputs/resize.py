"""Resize 8-bit pictures exactly as Pillow does, so that a camera's array and a JPEG give the same tensor.

A pass resizes along one axis with antialiasing: the columns first, then the rows, rounded to 8 bit after
each. The weights are whole numbers of 1 / 2^22, and so are the sums, which int32 holds: no machine rounds
them otherwise. (A matrix product would do as well, and waits for its threads on a machine that is busy.)
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from halocline.inputs.description import Filter

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Resize: TypeAlias = Callable[[Array, int, int, Filter], Array]

_UNIT_BITS = 22
_UNIT = 1 << _UNIT_BITS
_SUPPORT = {"bilinear": 1.0, "bicubic": 2.0}


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
    first, weights = _taps(len(pixels), size, how)
    lines = pixels.reshape(len(pixels), -1)
    sums = np.full((size, lines.shape[1]), _UNIT // 2, np.int32)
    part = np.empty_like(sums)
    for tap, weight in enumerate(weights):
        np.multiply(lines[np.minimum(first + tap, len(lines) - 1)], weight[:, None], out=part)
        sums += part
    sums >>= _UNIT_BITS
    return np.clip(sums, 0, 255, out=sums).astype(np.uint8).reshape(size, *pixels.shape[1:])


@lru_cache(maxsize=64)
def _taps(size: int, wanted: int, how: Filter) -> tuple[Array, Array]:
    """The first input that each output looks at, and int32 weights `[taps, outputs]` from there on."""
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
    whole = np.trunc(raw * _UNIT + np.where(raw < 0, -0.5, 0.5)).astype(np.int32)
    return first, np.ascontiguousarray(whole.T)


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
