"""Look at a picture through filters cut out of other pictures: a first layer that needs no training.

Coates, Lee and Ng (2011), An analysis of single-layer networks in unsupervised feature learning.
"""

import msgspec
import numpy as np

from halocline.records import Array

SIZE, MARGIN, POOL = 6, 2, 9
"""Filters of 6 x 6 pixels on the picture with a black margin; of each 9 x 9 answers the mean."""
_SAMPLES = 20_000
_LEAST_CONTRAST = 0.05
_LEAST_VARIANCE = 0.01
_QUIET = 0.5
"""An answer below this is none."""
_AT_ONCE = 500


class Patches(msgspec.Struct, frozen=True, eq=False):
    """Filters float32 `[36, filters]` and what is added to the answer of each."""

    weight: Array
    bias: Array
    side: int

    @property
    def cells(self) -> int:
        """So many averages lie beside each other, and below."""
        return (self.side + 2 * MARGIN - SIZE + 1) // POOL


def learn(x: Array, side: int, filters: int, rng: np.random.Generator) -> Patches:
    """Filters from pictures `[n, side * side]`: random pieces of them, whitened, of length 1."""
    which = rng.integers(0, len(x), _SAMPLES)
    at = rng.integers(0, side - SIZE + 1, (_SAMPLES, 2))
    pictures = x.reshape(-1, side, side)
    pieces = np.stack(
        [
            pictures[n, down : down + SIZE, right : right + SIZE].ravel()
            for n, (down, right) in zip(which, at, strict=True)
        ]
    )
    pieces = pieces[pieces.std(axis=1) > _LEAST_CONTRAST]
    mean = pieces.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(pieces.T))
    whiten = (vectors / np.sqrt(np.maximum(values, 0) + _LEAST_VARIANCE)) @ vectors.T
    chosen = ((pieces - mean) @ whiten)[rng.permutation(len(pieces))[:filters]]
    weight = whiten @ (chosen / np.linalg.norm(chosen, axis=1, keepdims=True)).T
    return Patches(weight.astype(np.float32), (-mean @ weight - _QUIET).astype(np.float32), side)


def look(patches: Patches, x: Array) -> Array:
    """Float32 `[n, filters * cells * cells]`: how strongly each filter answers in each part."""
    parts = [_look(patches, x[start : start + _AT_ONCE]) for start in range(0, len(x), _AT_ONCE)]
    return np.concatenate(parts)


def _look(patches: Patches, x: Array) -> Array:
    pictures = np.pad(x.reshape(-1, patches.side, patches.side), ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)))
    pieces = np.lib.stride_tricks.sliding_window_view(pictures, (SIZE, SIZE), axis=(1, 2))
    cells = patches.cells
    pieces = pieces[:, : cells * POOL, : cells * POOL].reshape(-1, SIZE * SIZE)
    answers = np.maximum(pieces @ patches.weight + patches.bias, 0)
    answers = answers.reshape(len(x), cells, POOL, cells, POOL, -1).mean(axis=(2, 4))
    return np.ascontiguousarray(answers.transpose(0, 3, 1, 2)).reshape(len(x), -1)
