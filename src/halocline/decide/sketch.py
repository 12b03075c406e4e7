"""Say in a few numbers what a sample looks like, so that frames of one scene are known as such."""

import math

import numpy as np

from halocline.records import Array

SIDE, LENGTH = 8, 64
"""Pictures and planes are averaged over 8 x 8 fields, what is long in one direction over 64 stretches."""
MOST = 1_024
"""Numbers of a sketch; of more, each so-and-so-many-th is kept."""
_FEW = 64
"""So many numbers or fewer are columns of a table rather than a signal: each counts for itself."""
_SHARP = 1e3
"""Numbers of a table are the same where they differ little for their size; below 1 / 1,000 all are."""


def sketch(row: Array) -> Array:
    """A sketch float32 `[n]` of one sample `[…]`; those of samples that look alike are near each other.

    Of a signal it is the shape at low resolution, without its mean and strength: light and loudness do not
    matter. Of a few numbers, as in a row of a table, it is their logarithms, with sign.
    """
    values = np.asarray(row, dtype=np.float32)
    if values.size <= _FEW:
        return np.asarray(np.arcsinh(values.reshape(-1) * np.float32(_SHARP)))
    long = [axis for axis, size in enumerate(values.shape) if size > SIDE]
    fields = LENGTH if len(long) == 1 else SIDE
    for axis in long:
        values = _averaged(values, axis, fields)
    flat = values.reshape(-1)
    flat = flat[:: math.ceil(flat.size / MOST)]
    flat = flat - flat.mean()
    strength = float(np.sqrt(np.dot(flat, flat)))
    return np.asarray(flat / strength if strength > 0 else flat, dtype=np.float32)


def distance(one: Array, other: Array) -> float:
    """How different two samples look: 0 alike, of signals 2 at most; of unlike shapes infinity."""
    if one.shape != other.shape:
        return math.inf
    off = one - other
    return math.sqrt(float(np.dot(off, off)))


def _averaged(values: Array, axis: int, fields: int) -> Array:
    size = values.shape[axis]
    if size <= fields:
        return values
    starts = np.linspace(0, size, fields, endpoint=False).astype(np.int64)
    shape = [1] * values.ndim
    shape[axis] = fields
    widths = np.diff(np.append(starts, size)).astype(np.float32).reshape(shape)
    return np.asarray(np.add.reduceat(values, starts, axis=axis) / widths)
