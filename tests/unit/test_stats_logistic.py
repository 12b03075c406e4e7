"""A chance is fitted to a number as scikit-learn fits it, and few rows promise no certainty."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from halocline.errors import Rejected
from halocline.stats.logistic import fit_logistic


def drawn(rows=4000, seed=0):
    rng = np.random.default_rng(seed)
    value = rng.beta(1, 2, rows)
    chance = 1 / (1 + np.exp(-(1.7 * np.log(value / (1 - value)) + 0.8)))
    return value, rng.random(rows) < chance


def test_slope_and_offset_are_those_of_scikit_learn():
    value, event = drawn(40_000)
    theirs = LogisticRegression(C=1e6, tol=1e-10).fit(np.log(value / (1 - value))[:, None], event)
    slope, offset = fit_logistic(value, event)
    assert slope == pytest.approx(theirs.coef_[0, 0], rel=2e-3)
    assert offset == pytest.approx(theirs.intercept_[0], abs=5e-3)


def test_the_curve_that_drew_the_events_is_found():
    slope, offset = fit_logistic(*drawn(40_000))
    assert (slope, offset) == (pytest.approx(1.7, abs=0.06), pytest.approx(0.8, abs=0.06))


@pytest.mark.parametrize("event", [[True] * 4, [False] * 4, [False, False, True, True]])
def test_a_few_rows_that_all_agree_promise_no_certainty(event):
    slope, offset = fit_logistic(np.array([0.0, 0.2, 0.8, 1.0]), np.array(event))
    assert np.isfinite([slope, offset]).all()
    for value in (0.2, 0.8):
        chance = 1 / (1 + np.exp(-(slope * np.log(value / (1 - value)) + offset)))
        assert 0.01 < chance < 0.99


def test_rows_that_do_not_belong_together_are_refused():
    for value, event in (([0.1], [True, False]), ([np.nan], [True]), ([], [])):
        with pytest.raises(Rejected):
            fit_logistic(np.array(value), np.array(event, bool))
