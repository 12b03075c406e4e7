"""Distance to the known classes agrees with scikit-learn, and is large for what was never seen."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from halocline.errors import Rejected
from halocline.stats.novelty import (
    auroc,
    distance_reader,
    distance_row,
    distances,
    fit_novelty,
    shrunk_covariance,
)


def blobs(n=900, d=6, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(d, d))
    means = np.random.default_rng(98).normal(0, 3, (classes, d))
    y = rng.integers(0, classes, n)
    return means[y] + rng.normal(size=(n, d)) @ mixing, y


def test_the_covariance_is_that_of_scikit_learn():
    for n in (20, 900):
        x, y = blobs(n)
        residuals = x - np.stack([x[y == c].mean(axis=0) for c in range(3)])[y]
        theirs, shrinkage = ledoit_wolf(residuals, assume_centered=True)
        assert shrinkage > 1e-4
        np.testing.assert_allclose(shrunk_covariance(residuals), theirs, rtol=1e-9)


def test_the_distance_is_mahalanobis_to_the_nearest_mean():
    x, y = blobs()
    novelty = fit_novelty(x, y)
    means = np.stack([x[y == c].mean(axis=0) for c in range(3)])
    theirs, _ = ledoit_wolf(x - means[y], assume_centered=True)
    inverse = np.linalg.inv(theirs)
    expected = [min(np.sqrt((row - mean) @ inverse @ (row - mean)) for mean in means) for row in x[:50]]
    np.testing.assert_allclose(distances(novelty, x[:50]), expected, rtol=1e-4)


def test_one_row_is_read_as_a_batch_is():
    x, y = load_digits(return_X_y=True)
    novelty = fit_novelty(x.astype(np.float32), y)
    read = distance_reader(novelty)
    expected = distances(novelty, x)
    got = [read(row) for row in x.astype(np.float32)[:200]]
    np.testing.assert_allclose(got, expected[:200], rtol=1e-4)
    assert distance_row(novelty, x[0].astype(np.float32)) == pytest.approx(got[0])


def test_features_far_from_zero_do_not_blur_the_distance():
    x, y = blobs()
    near, far = fit_novelty(x, y), fit_novelty(x + 1000.0, y)
    np.testing.assert_allclose(distances(far, x + 1000.0), distances(near, x), rtol=1e-3)
    read = distance_reader(far)
    np.testing.assert_allclose([read(row + 1000.0) for row in x[:50]], distances(near, x[:50]), rtol=2e-2)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_new_known_rows_lie_above_the_cut_as_rarely_as_asked(share):
    x, y = blobs(600)
    new, _ = blobs(4000, seed=1)
    novelty = fit_novelty(x, y, false_positive_share=share)
    told = fit_novelty(x, y, false_positive_share=share, held_out=blobs(600, seed=2)[0])
    for one in (novelty, told):
        above = (distances(one, new) > one.cut).mean()
        assert above <= share + 3 * np.sqrt(share / 600)
        assert above >= share / 4


def test_a_digit_that_was_never_seen_is_farther_than_the_known():
    x, y = load_digits(return_X_y=True)
    known = y != 4
    order = np.random.default_rng(0).permutation(known.sum())
    train, test = order[300:], order[:300]
    novelty = fit_novelty(x[known][train], y[known][train])
    assert auroc(distances(novelty, x[known][test]), distances(novelty, x[~known])) >= 0.85


def test_pixels_that_never_change_do_no_harm():
    x, y = blobs()
    padded = np.column_stack([x, np.zeros((len(x), 5))])
    assert np.isfinite(distances(fit_novelty(padded, y), padded)).all()


def test_auroc_is_that_of_scikit_learn_ties_too():
    rng = np.random.default_rng(0)
    known, unknown = rng.integers(0, 20, 200), rng.integers(5, 25, 150)
    truth = np.repeat([0, 1], [200, 150])
    assert auroc(known, unknown) == pytest.approx(roc_auc_score(truth, np.concatenate([known, unknown])))


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (np.full((40, 2), np.nan), np.zeros(40), "NaN"),
        (np.ones((40, 2)), np.zeros(40), "the same within each class"),
        (np.random.default_rng(0).normal(size=(10, 2)), np.zeros(10), "at least 19"),
        (np.ones((5, 2)), np.zeros(4), "one class for each row"),
    ],
)
def test_features_that_teach_nothing_are_refused(x, y, said):
    with pytest.raises(Rejected, match=said):
        fit_novelty(x, y)
