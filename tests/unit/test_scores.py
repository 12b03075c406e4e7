"""Raw scores become the class probabilities that they stand for, and bad ones are named."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from halocline.decide.scores import probabilities, why_invalid
from halocline.records import ScoreKind

LOGITS = np.array([[2.0, -1.0, 0.5], [700.0, -700.0, 0.0], [-1e30, 3.0, 3.0]], np.float32)


@pytest.mark.parametrize("temperature", [0.25, 1.0, 3.0])
@pytest.mark.parametrize("kind", list(ScoreKind))
def test_every_kind_of_score_becomes_the_same_probabilities(kind, temperature):
    moderate = LOGITS[:1]
    raw = {
        ScoreKind.LOGITS: moderate,
        ScoreKind.LOG_PROBABILITIES: log_softmax(moderate, axis=1),
        ScoreKind.PROBABILITIES: softmax(moderate, axis=1),
    }[kind]
    np.testing.assert_allclose(
        probabilities(raw, kind, temperature), softmax(moderate / temperature, axis=1), rtol=1e-5
    )


def test_extreme_logits_neither_overflow_nor_warn():
    with np.errstate(all="raise", under="ignore"):
        got = probabilities(LOGITS, ScoreKind.LOGITS)
    np.testing.assert_allclose(got, softmax(LOGITS.astype(np.float64), axis=1))


def test_a_probability_of_zero_survives_a_temperature():
    got = probabilities(np.array([[1.0, 0.0]]), ScoreKind.PROBABILITIES, 2.0)
    assert got[0, 0] == pytest.approx(1.0)
    assert got[0, 1] < 1e-100


def test_probabilities_are_not_written_over():
    raw = np.array([[1.0, 3.0]])
    probabilities(raw, ScoreKind.LOGITS, 2.0)
    assert raw.tolist() == [[1.0, 3.0]]


@pytest.mark.parametrize(
    ("raw", "kind", "word"),
    [
        (np.zeros(3), "probabilities", "shape"),
        (np.zeros((2, 0)), "probabilities", "shape"),
        (np.zeros((1, 2, 2)), "logits", "shape"),
        (np.array([["a", "b"]]), "logits", "numbers"),
        (np.array([[0.5, np.nan]]), "logits", "NaN"),
        (np.array([[np.inf, 0.0]]), "logits", "infin"),
        (np.array([[-np.inf, -np.inf]]), "log_probabilities", "infin"),
        (np.array([[np.inf, 0.0]]), "probabilities", "sum to 1"),
        (np.array([[2.0, -1.0]]), "probabilities", "logits"),
        (np.array([[0.6, 0.6]]), "probabilities", "sum to 1"),
        (np.array([[0, 7]]), "probabilities", "sum to 1"),
    ],
)
def test_scores_that_cannot_be_are_named(raw, kind, word):
    assert word in (why_invalid(raw, ScoreKind(kind)) or "")


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (np.array([[0.5, 0.505]], np.float16), "probabilities"),
        (np.array([[0, 1]]), "probabilities"),
        (np.array([[-np.inf, 3.0]]), "logits"),
        (np.array([[-np.inf, 0.0]]), "log_probabilities"),
        (np.array([[1e30, -1e30]]), "logits"),
    ],
)
def test_scores_that_can_be_are_let_through(raw, kind):
    assert why_invalid(raw, ScoreKind(kind)) is None
    assert np.isfinite(probabilities(raw, ScoreKind(kind))).all()
