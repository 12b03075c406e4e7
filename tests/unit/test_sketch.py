"""Sketches tell frames of one scene from other scenes."""

import math

import numpy as np

from halocline.decide.rules import Thin
from halocline.decide.sketch import MOST, distance, sketch

CUT = Thin().distance


def pictures(count: int) -> np.ndarray:
    """Smooth random pictures float32 `[count, 3, 48, 64]`."""
    rng = np.random.default_rng(5)
    coarse = rng.random((count, 3, 6, 8))
    return coarse.repeat(8, axis=2).repeat(8, axis=3).astype(np.float32)


def test_noise_and_light_do_not_make_another_scene() -> None:
    rng = np.random.default_rng(6)
    for scene in pictures(20):
        noisy = scene + rng.normal(0, 0.05, scene.shape).astype(np.float32)
        assert distance(sketch(scene), sketch(noisy)) < CUT
        assert distance(sketch(scene), sketch(scene * 0.5 + 0.2)) < CUT


def test_other_scenes_are_far() -> None:
    sketches = [sketch(each) for each in pictures(40)]
    apart = [distance(one, two) for at, one in enumerate(sketches) for two in sketches[:at]]
    assert min(apart) > 3 * CUT


def test_a_sketch_is_short_whatever_the_sample() -> None:
    for shape in [(784,), (28, 28), (224, 224, 3), (3, 224, 224), (10_000, 6), (9, 9, 9, 9), (65,), (1, 65)]:
        made = sketch(np.random.default_rng(1).random(shape))
        assert made.dtype == np.float32
        assert made.ndim == 1
        assert 1 < made.size <= MOST
        assert np.isfinite(made).all()


def test_in_a_row_of_a_table_each_column_counts_whatever_its_unit() -> None:
    row = np.array([1e6, 0.5, 20.0])
    assert distance(sketch(row), sketch(row * 1.01)) < CUT
    assert distance(sketch(row), sketch(np.add(row, [0, 0.2, 0]))) > CUT
    assert distance(sketch(np.zeros(3)), sketch(np.zeros(3))) == 0


def test_samples_of_other_shapes_are_never_alike() -> None:
    assert distance(sketch(np.zeros(3)), sketch(np.zeros(4))) == math.inf


def test_a_flat_sample_has_a_sketch() -> None:
    assert distance(sketch(np.ones((28, 28))), sketch(np.ones((28, 28)))) == 0
