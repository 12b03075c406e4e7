"""Temperature and calibration error agree with other ways to compute them, and read hard cases well."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from halocline.decide.scores import probabilities
from halocline.errors import Rejected
from halocline.records import ScoreKind
from halocline.stats.calibrate import expected_calibration_error, fit_temperature, reliability


def sample(n=2000, classes=7, sharpness=3.0, seed=0):
    """Logits that are `sharpness` times too large, and classes drawn from what they should say."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(0, 1.5, (n, classes))
    y = (honest + rng.gumbel(size=honest.shape)).argmax(axis=1)
    return honest * sharpness, y


@pytest.mark.parametrize("sharpness", [0.02, 1.0, 3.0, 50.0])
def test_the_temperature_is_the_one_that_scipy_finds(sharpness):
    logits, y = sample(sharpness=sharpness)

    def loss(log_t):
        return -log_softmax(logits / np.exp(log_t), axis=1)[np.arange(len(y)), y].mean()

    best = minimize_scalar(
        loss, bounds=(np.log(1e-3), np.log(1e3)), method="bounded", options={"xatol": 1e-10}
    )
    assert fit_temperature(logits, ScoreKind.LOGITS, y) == pytest.approx(np.exp(best.x), rel=1e-5)
    assert fit_temperature(logits, ScoreKind.LOGITS, y) == pytest.approx(sharpness, rel=0.05)


def test_probabilities_and_log_probabilities_give_the_temperature_of_their_logits():
    logits, y = sample()
    probs = probabilities(logits, ScoreKind.LOGITS)
    expected = fit_temperature(logits, ScoreKind.LOGITS, y)
    assert fit_temperature(probs, ScoreKind.PROBABILITIES, y) == pytest.approx(expected)
    assert fit_temperature(np.log(probs), ScoreKind.LOG_PROBABILITIES, y) == pytest.approx(expected)


def test_a_class_that_is_ruled_out_does_not_hide_the_others():
    logits, y = sample()
    wide = np.column_stack([logits, np.full(len(y), -np.inf)])
    assert fit_temperature(wide, ScoreKind.LOGITS, y) == pytest.approx(
        fit_temperature(logits, ScoreKind.LOGITS, y)
    )


def test_rows_without_an_answer_are_left_out():
    logits, y = sample()
    holed = logits.copy()
    holed[::5] = np.nan
    kept = np.arange(len(y)) % 5 != 0
    assert fit_temperature(holed, ScoreKind.LOGITS, y) == fit_temperature(
        logits[kept], ScoreKind.LOGITS, y[kept]
    )


def test_rows_that_are_all_right_do_not_make_the_model_surer():
    logits, _ = sample(n=50)
    assert fit_temperature(logits, ScoreKind.LOGITS, logits.argmax(axis=1)) == 1.0


@pytest.mark.parametrize(
    ("scores", "y", "said"),
    [
        (np.zeros((3, 2)), np.array([0, 1]), "expected scores"),
        (np.zeros((2, 2)), np.array([0, 2]), "y must be in 0..1"),
        (np.full((2, 2), np.nan), np.array([0, 1]), "NaN"),
    ],
)
def test_scores_that_cannot_be_read_are_refused(scores, y, said):
    with pytest.raises(Rejected, match=said):
        fit_temperature(scores, ScoreKind.LOGITS, y)


def brute_force(confidence, correct, bins):
    """Naeini et al. (2015): over the bins, |accuracy - confidence| weighted by the rows in them."""
    total = 0.0
    for at in range(bins):
        low, high = at / bins, (at + 1) / bins
        inside = [
            (c, r)
            for c, r in zip(confidence, correct, strict=True)
            if low < c <= high or (at == 0 and c == 0)
        ]
        if inside:
            gap = sum(c for c, _ in inside) / len(inside) - sum(r for _, r in inside) / len(inside)
            total += abs(gap) * len(inside) / len(confidence)
    return total


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_the_calibration_error_is_its_definition(bins):
    rng = np.random.default_rng(1)
    confidence = np.concatenate([rng.random(300), [0.0, 1.0, 0.5]])
    correct = rng.random(303) < confidence**2
    error = expected_calibration_error(confidence, correct, bins=bins)
    assert error.value == pytest.approx(brute_force(confidence, correct, bins))
    bars = reliability(confidence, correct, bins)
    from_bars = sum(bar.rows * abs(bar.accuracy - bar.confidence) for bar in bars if bar.rows) / 303
    assert from_bars == pytest.approx(error.value)
    assert sum(bar.rows for bar in bars) == 303


def test_a_worked_example():
    """Two bins of two rows: |0.7 - 0.5| / 2 + |0.9 - 1| / 2."""
    error = expected_calibration_error(
        np.array([0.65, 0.75, 0.85, 0.95]), np.array([True, False, True, True]), bins=5
    )
    assert error.value == pytest.approx(0.15)


def test_the_interval_holds_the_true_error_about_as_often_as_it_says():
    """Confidence 0.9 or 0.6 where 0.8 and 0.5 are right: the true error is 0.1."""
    held = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        confidence = rng.choice([0.9, 0.6], 500)
        correct = rng.random(500) < confidence - 0.1
        error = expected_calibration_error(confidence, correct, alpha=0.1, seed=seed)
        held += error.low <= 0.1 <= error.high
    assert held >= 48


def test_groups_make_the_interval_wider_where_their_rows_are_alike():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(20), 50)
    confidence = np.full(1000, 0.9)
    correct = rng.random(1000) < rng.choice([0.5, 1.0], 20)[group]
    by_row = expected_calibration_error(confidence, correct)
    by_group = expected_calibration_error(confidence, correct, groups=group)
    assert by_group.high - by_group.low > 2 * (by_row.high - by_row.low)


def test_a_confidence_of_nan_is_refused():
    with pytest.raises(Rejected, match="HAL-601"):
        expected_calibration_error(np.array([0.5, np.nan]), np.array([True, False]))
