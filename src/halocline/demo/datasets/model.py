"""One trained model, whatever it is made of: train it, run it in numpy, write it as ONNX."""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from halocline.demo.datasets import graph, network, patches
from halocline.demo.datasets.network import Network, Recipe
from halocline.demo.datasets.patches import Patches
from halocline.records import Array


class Trained(msgspec.Struct, frozen=True, eq=False):
    """Networks whose probabilities are averaged, and what they look through, if anything."""

    networks: tuple[Network, ...]
    lens: Patches | None

    @property
    def parameters(self) -> int:
        """How many numbers the model consists of."""
        fixed = self.lens.weight.size + self.lens.bias.size if self.lens is not None else 0
        return fixed + sum(each.parameters for each in self.networks)

    def scores(self, x: Array) -> Array:
        """Class probabilities float32 `[rows, classes]`."""
        return network.scores(self.networks, x if self.lens is None else patches.look(self.lens, x))

    def to_onnx(
        self,
        inputs: int,
        labels: Sequence[str],
        *,
        features: bool,
        row: Sequence[int] | None = None,
        excess: bool = False,
    ) -> bytes:
        """The same as a file; what `features`, `row` and `excess` mean, `graph.to_onnx` says."""
        return graph.to_onnx(
            self.networks, self.lens, inputs, labels, features=features, row=row, excess=excess
        )


def train(x: Array, y: Array, classes: int, recipe: Recipe, seed: int) -> Trained:
    """Make the recipe's model of these rows; on one machine, the same bits for the same seed."""
    from threadpoolctl import threadpool_limits

    # Matrix products of several threads add up in another order, and small ones are no faster.
    with threadpool_limits(1):
        return _train(x, y, classes, recipe, seed)


def _train(x: Array, y: Array, classes: int, recipe: Recipe, seed: int) -> Trained:
    if not recipe.patches:
        return Trained(network.fit(x, y, classes, recipe, seed), None)
    side = math.isqrt(x.shape[1])
    lens = patches.learn(x, side, recipe.patches, np.random.default_rng((seed, recipe.patches)))
    seen = patches.look(lens, x)
    mean, spread = seen.mean(axis=0), np.float32(seen.std())
    seen = (seen - mean) / spread
    return Trained(
        tuple(_on_raw(each, mean, spread) for each in network.fit(seen, y, classes, recipe, seed)), lens
    )


def _on_raw(trained: Network, mean: Array, spread: np.float32) -> Network:
    """The same network for inputs that were not brought to mean 0 and spread 1."""
    first = trained.weights[0] / spread
    return Network(
        (first, *trained.weights[1:]),
        (trained.biases[0] - mean @ first, *trained.biases[1:]),
        trained.columns,
    )
