"""The gate answers what is sure enough, sends up the rest, and says why of every row."""

import numpy as np
import pytest

from halocline.decide.gate import (
    NO_CLASS,
    Policy,
    Score,
    check_threshold,
    confidence_of,
    gate,
    thresholds_of,
)
from halocline.decide.one_row import WIDE_ROW, row_reader
from halocline.errors import Misconfigured
from halocline.records import Reason, ScoreKind


def decide(confidence, index=None, *, policy=None, **more):
    confidence = np.asarray(confidence, float)
    index = np.zeros(len(confidence), int) if index is None else np.asarray(index)
    return gate(index, confidence, policy or Policy(threshold=0.5), **more)


def test_a_row_at_its_threshold_stays():
    assert decide([0.5, 0.4999]).reasons == [Reason.CONFIDENT, Reason.ESCALATED]


def test_a_hold_keeps_every_row_down_and_gives_its_reason_only_to_those_that_wanted_up():
    decisions = decide([0.9, 0.1], hold=Reason.BREAKER_OPEN)
    assert decisions.reasons == [Reason.CONFIDENT, Reason.BREAKER_OPEN]
    assert not decisions.escalate.any()


def test_the_budget_lets_the_least_sure_go_first():
    decisions = decide([0.4, 0.1, 0.9, 0.2, 0.3], granted=lambda wanted: 2)
    assert decisions.escalate.tolist() == [False, True, False, True, False]
    assert decisions.reasons[0] is decisions.reasons[4] is Reason.BUDGET
    assert decisions.reasons[2] is Reason.CONFIDENT


def test_the_budget_is_asked_for_the_unsure_rows_and_only_where_there_are_any():
    asked = []

    def granted(wanted):
        asked.append(wanted)
        return wanted

    decide([0.9, 0.8], granted=granted)
    decide([0.1, 0.8, 0.2], granted=granted)
    assert asked == [2]


def test_each_class_may_have_its_own_threshold():
    policy = Policy(threshold=0.5, class_thresholds={1: 0.9, 2: 0.0})
    assert decide([0.6, 0.6, 0.1], [0, 1, 2], policy=policy).escalate.tolist() == [False, True, False]
    assert np.asarray(thresholds_of(np.array([2, 7]), policy)).tolist() == [0.0, 0.5]


@pytest.mark.parametrize("score", list(Score))
@pytest.mark.parametrize("classes", [2, 10, WIDE_ROW])
def test_a_row_with_nan_is_never_sure_and_goes_up_first_whatever_the_threshold(score, classes):
    policy = Policy(threshold=0.0, score=score)
    probs = np.full((3, classes), 1 / classes)
    probs[1, -1] = np.nan
    index, confidence = confidence_of(probs, score)
    assert index[1] == NO_CLASS
    decisions = gate(index, confidence, policy, granted=lambda wanted: 1)
    assert decisions.escalate.tolist() == [False, True, False]
    one_index, one_confidence = row_reader(ScoreKind.PROBABILITIES, policy, classes)(probs[1])
    assert one_index == NO_CLASS
    assert one_confidence < policy.threshold


@pytest.mark.parametrize(
    ("score", "sure", "torn"), [("max_softmax", 1, 0.5), ("margin", 1, 0), ("entropy", 1, 0)]
)
def test_every_score_runs_from_torn_to_sure(score, sure, torn):
    _, confidence = confidence_of(np.array([[1.0, 0.0], [0.5, 0.5]]), Score(score))
    assert confidence.tolist() == pytest.approx([sure, torn], abs=1e-12)


def test_the_formulas_of_the_scores():
    probs = np.array([[0.7, 0.2, 0.1]])
    want = {
        Score.MAX_SOFTMAX: 0.7,
        Score.MARGIN: 0.5,
        Score.ENTROPY: 1 - -(probs * np.log(probs)).sum() / np.log(3),
    }
    for score, value in want.items():
        assert confidence_of(probs, score)[1][0] == pytest.approx(value)


def test_a_model_of_one_class_is_read():
    for score in Score:
        index, confidence = confidence_of(np.array([[1.0]]), score)
        assert (index[0], confidence[0]) == (0, 1.0)


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(0.5), np.float64(0.25), np.int64(1)])
def test_any_number_in_range_is_a_threshold(value):
    assert check_threshold("threshold", value) == float(value)


@pytest.mark.parametrize("value", [-0.01, 1.01, 80, float("nan"), float("inf"), "0.8", None, [0.8]])
def test_a_threshold_out_of_range_is_named_with_its_value(value):
    with pytest.raises(Misconfigured, match=r"threshold must be in \[0, 1\], got ") as caught:
        check_threshold("threshold", value)
    assert caught.value.code == "HAL-101"
    assert repr(value) in str(caught.value)


def test_a_percentage_is_recognised():
    with pytest.raises(Misconfigured, match=r"Did you mean 0\.8\?"):
        Policy(threshold=80)


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ({"class_thresholds": {3: 80}}, r"class_thresholds\[3\]"),
        ({"temperature": 0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"budget": 0.1}, r"EscalationBudget\(share=0\.1\)"),
    ],
)
def test_a_policy_out_of_range_is_named(setting, word):
    with pytest.raises(Misconfigured, match=word) as caught:
        Policy(**setting)
    assert caught.value.code in ("HAL-101", "HAL-102")
