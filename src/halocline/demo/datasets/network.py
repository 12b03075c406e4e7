"""Train a small dense network in numpy: the same weights for the same seed on one machine."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import msgspec
import numpy as np

from halocline.records import Array

BATCH = 256
_MOMENT, _SQUARE = 0.9, 0.999
"""Adam's two memories (Kingma and Ba 2015)."""

Augment: TypeAlias = Callable[[Array, np.random.Generator], Array]
"""A batch to a changed copy of it, as new recordings of the same things would differ."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How one network is made.

    `columns` are the inputs it looks at, the first and the one after the last. `decay` shrinks weights
    apart from the gradient (Loshchilov and Hutter 2019). `members` networks of other seeds are averaged.
    `patches` > 0 has them look at pictures through so many filters (see `patches.py`).
    """

    hidden: tuple[int, ...]
    epochs: int
    learning_rate: float = 2e-3
    decay: float = 0.01
    dropout: float = 0.0
    class_weights: tuple[float, ...] | None = None
    columns: tuple[int, int] | None = None
    members: int = 1
    patches: int = 0
    augment: Augment | None = None


def as_facts(recipe: Recipe) -> dict[str, object]:
    """The recipe as plain values, for a name that depends on it."""
    plain = msgspec.structs.asdict(recipe)
    return {
        name: getattr(value, "__name__", value) if callable(value) else value for name, value in plain.items()
    }


class Network(msgspec.Struct, frozen=True, eq=False):
    """Dense layers with ReLU between them; weights float32 `[inputs, outputs]`, biases `[outputs]`."""

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    columns: tuple[int, int]

    @property
    def parameters(self) -> int:
        """How many numbers were learnt."""
        return sum(each.size for each in (*self.weights, *self.biases))


def fit(x: Array, y: Array, classes: int, recipe: Recipe, seed: int) -> tuple[Network, ...]:
    """The recipe's members, each from a seed of its own."""
    columns = recipe.columns or (0, x.shape[1])
    seen = np.ascontiguousarray(x[:, slice(*columns)])
    return tuple(
        _fit(seen, y, classes, recipe, np.random.default_rng((seed, member)), columns)
        for member in range(recipe.members)
    )


def scores(networks: Sequence[Network], x: Array) -> Array:
    """Class probabilities float32 `[rows, classes]`: the mean over the members."""
    each = np.stack([softmax(_logits(network, x)) for network in networks])
    return np.asarray(each.mean(axis=0, dtype=np.float32))


def softmax(logits: Array) -> Array:
    """Rows that sum to 1."""
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))


def _logits(network: Network, x: Array) -> Array:
    value = x[:, slice(*network.columns)]
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        value = np.maximum(value @ weight + bias, 0)
    return np.asarray(value @ network.weights[-1] + network.biases[-1])


def _fit(
    x: Array, y: Array, classes: int, recipe: Recipe, rng: np.random.Generator, columns: tuple[int, int]
) -> Network:
    sizes = (x.shape[1], *recipe.hidden, classes)
    weights = [_start(rng, *each) for each in itertools.pairwise(sizes)]
    biases = [np.zeros(size, np.float32) for size in sizes[1:]]
    descent = _Descent(
        weights + biases, len(weights), recipe, steps=recipe.epochs * math.ceil(len(x) / BATCH)
    )
    wanted = np.eye(classes, dtype=np.float32)
    weight_of = np.asarray(recipe.class_weights or (1.0,) * classes, np.float32)
    for batch in _batches(len(x), recipe.epochs, rng):
        rows = x[batch] if recipe.augment is None else recipe.augment(x[batch], rng)
        share = weight_of[y[batch]]
        share = (share / share.sum())[:, None]
        descent.step(_gradients(rows, wanted[y[batch]], share, weights, biases, recipe.dropout, rng))
    return Network(tuple(weights), tuple(biases), columns)


def _start(rng: np.random.Generator, inputs: int, outputs: int) -> Array:
    """Small random weights (He et al. 2015)."""
    return (rng.standard_normal((inputs, outputs)) * math.sqrt(2 / inputs)).astype(np.float32)


def _batches(rows: int, epochs: int, rng: np.random.Generator) -> Iterator[Array]:
    for _ in range(epochs):
        order = rng.permutation(rows)
        for start in range(0, rows, BATCH):
            yield order[start : start + BATCH]


def _gradients(
    x: Array,
    wanted: Array,
    share: Array,
    weights: list[Array],
    biases: list[Array],
    dropout: float,
    rng: np.random.Generator,
) -> list[Array]:
    """Of the cross-entropy, by every weight and then every bias."""
    seen, kept = [x], []
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        value = seen[-1] @ weight + bias
        keep = (value > 0).astype(np.float32)
        if dropout:
            keep *= (rng.random(value.shape, dtype=np.float32) >= dropout) / np.float32(1 - dropout)
        kept.append(keep)
        seen.append(value * keep)
    error = (softmax(seen[-1] @ weights[-1] + biases[-1]) - wanted) * share
    by_weight, by_bias = [], []
    for at in reversed(range(len(weights))):
        by_weight.append(seen[at].T @ error)
        by_bias.append(error.sum(axis=0))
        if at:
            error = (error @ weights[at].T) * kept[at - 1]
    return by_weight[::-1] + by_bias[::-1]


class _Descent:
    """Adam in place, with steps that shrink along a cosine to nothing."""

    def __init__(self, values: list[Array], decaying: int, recipe: Recipe, *, steps: int) -> None:
        self._values = values
        self._decaying = decaying
        self._recipe = recipe
        self._steps = steps
        self._done = 0
        self._means = [np.zeros_like(value) for value in values]
        self._squares = [np.zeros_like(value) for value in values]

    def step(self, gradients: list[Array]) -> None:
        rate = self._recipe.learning_rate * (1 + math.cos(math.pi * self._done / self._steps)) / 2
        self._done += 1
        of_mean, of_square = 1 - _MOMENT**self._done, 1 - _SQUARE**self._done
        for at, (value, gradient) in enumerate(zip(self._values, gradients, strict=True)):
            mean, square = self._means[at], self._squares[at]
            mean += (1 - _MOMENT) * (gradient - mean)
            square += (1 - _SQUARE) * (gradient * gradient - square)
            change = (mean / of_mean) / (np.sqrt(square / of_square) + 1e-8)
            if at < self._decaying:
                change += self._recipe.decay * value
            value -= np.float32(rate) * change
