"""The networks of the real sets: true gradients, seeds that decide, and files that say what numpy says."""

import numpy as np
import onnxruntime
import pytest

from halocline.demo.datasets import graph, network, patches
from halocline.demo.datasets.model import train
from halocline.demo.datasets.network import Recipe
from halocline.records import Array

LABELS = ("a", "b", "c")


def some_rows(width: int, rows: int = 300) -> tuple[Array, Array]:
    """Three classes that differ in their first values."""
    rng = np.random.default_rng(3)
    y = rng.integers(0, 3, rows)
    x = rng.standard_normal((rows, width)).astype(np.float32)
    x[np.arange(rows), y] += 2
    return x, y


def test_the_gradients_are_those_of_the_weighted_cross_entropy() -> None:
    rng = np.random.default_rng(0)
    x, y = some_rows(6, 20)
    x, wanted, share = x.astype(np.float64), np.eye(3)[y], rng.random((20, 1)) / 20
    weights = [rng.standard_normal(size) for size in ((6, 5), (5, 4), (4, 3))]
    biases = [rng.standard_normal(size) for size in (5, 4, 3)]

    def loss() -> float:
        value = x
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            value = np.maximum(value @ weight + bias, 0)
        likely = network.softmax(value @ weights[-1] + biases[-1])
        return float(-(share[:, 0] * np.log((likely * wanted).sum(axis=1))).sum())

    found = network._gradients(x, wanted, share, weights, biases, 0.0, rng)
    for value, gradient in zip([*weights, *biases], found, strict=True):
        for at in list(np.ndindex(value.shape))[::3]:
            value[at] += 1e-6
            above = loss()
            value[at] -= 2e-6
            below = loss()
            value[at] += 1e-6
            assert gradient[at] == pytest.approx((above - below) / 2e-6, abs=1e-5)


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(hidden=(7,), epochs=3),
        Recipe(hidden=(7, 5), epochs=3, members=3, dropout=0.2, class_weights=(1.0, 2.0, 0.5)),
        Recipe(hidden=(6,), epochs=3, columns=(0, 5)),
        Recipe(hidden=(6,), epochs=3, patches=4, members=2),
    ],
)
def test_a_file_says_what_numpy_says(recipe: Recipe) -> None:
    x, y = some_rows(784)
    model = train(x, y, 3, recipe, seed=1)
    session = onnxruntime.InferenceSession(model.to_onnx(784, LABELS, features=True))
    told, features = session.run([graph.SCORES, graph.FEATURES], {graph.INPUT: x})
    assert np.allclose(told, model.scores(x), atol=1e-5)
    assert features.shape == (len(x), recipe.hidden[-1])
    assert (features >= 0).all()
    constants = sum(each.size for part in model.networks for each in (*part.weights, *part.biases))
    fixed = 0 if model.lens is None else 4 * 36 + 4
    assert model.parameters == constants + fixed


def test_training_learns_and_the_seed_decides_every_weight() -> None:
    x, y = some_rows(8)
    recipe = Recipe(hidden=(16,), epochs=60, learning_rate=0.02, dropout=0.1)
    models = [train(x, y, 3, recipe, seed) for seed in (1, 1, 2)]
    first, same, other = (each.networks[0].weights[0] for each in models)
    assert (first == same).all()
    assert (first != other).any()
    assert (models[0].scores(x).argmax(axis=1) == y).mean() > 0.8


def test_columns_that_a_network_does_not_look_at_change_nothing() -> None:
    x, y = some_rows(8)
    model = train(x, y, 3, Recipe(hidden=(5,), epochs=2, columns=(0, 4)), seed=0)
    changed = x.copy()
    changed[:, 4:] += 100
    assert (model.scores(changed) == model.scores(x)).all()


def test_a_bright_spot_is_seen_where_it_is() -> None:
    rng = np.random.default_rng(0)
    lens = patches.learn(rng.random((50, 784), dtype=np.float32), 28, 5, rng)
    dark = np.zeros((1, 28, 28), np.float32)
    spot = dark.copy()
    spot[0, 20:26, 20:26] = rng.random((6, 6)) * 5
    off = (patches.look(lens, spot.reshape(1, -1)) - patches.look(lens, dark.reshape(1, -1))).reshape(5, 3, 3)
    assert (off[:, 0] == 0).all()
    assert (off[:, :, 0] == 0).all()
    assert (off[:, 2, 2] != 0).any()
