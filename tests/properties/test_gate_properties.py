"""What holds of the gate for any scores: one row reads as a batch does, and the least sure go first."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from halocline.decide.gate import (
    NO_CLASS,
    NO_CONFIDENCE,
    Policy,
    Score,
    confidence_of,
    gate,
    thresholds_of,
)
from halocline.decide.one_row import WIDE_ROW, row_probabilities, row_reader
from halocline.decide.scores import probabilities
from halocline.records import Reason, ScoreKind

WIDTHS = st.sampled_from([1, 2, 3, 10, WIDE_ROW - 1, WIDE_ROW, 200])
DTYPES = st.sampled_from([np.float16, np.float32, np.float64])


@st.composite
def raw_rows(draw):
    """Scores `[rows, classes]` of some kind, a few of them NaN or infinite."""
    kind = draw(st.sampled_from(list(ScoreKind)))
    shape = (draw(st.integers(1, 4)), draw(WIDTHS))
    logits = draw(arrays(np.float64, shape, elements=st.floats(-30, 30)))
    raw = logits if kind is ScoreKind.LOGITS else probabilities(logits, ScoreKind.LOGITS)
    if kind is ScoreKind.LOG_PROBABILITIES:
        raw = np.log(raw)
    raw = raw.astype(draw(DTYPES))
    odd = draw(
        st.sampled_from(
            [None, np.nan] if kind is ScoreKind.PROBABILITIES else [None, np.nan, np.inf, -np.inf]
        )
    )
    if odd is not None:
        raw[draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1))] = odd
    return raw, kind


@given(
    raw_and_kind=raw_rows(),
    score=st.sampled_from(list(Score)),
    temperature=st.sampled_from([0.5, 1.0, 2.7]),
)
def test_one_row_is_read_as_a_batch_is(raw_and_kind, score, temperature):
    raw, kind = raw_and_kind
    policy = Policy(score=score, temperature=temperature)
    read = row_reader(kind, policy, raw.shape[1])
    with np.errstate(invalid="ignore"):
        probs = probabilities(raw, kind, temperature)
        batch = confidence_of(probs, score)
        singles = [read(row) for row in raw]
        rows = [row_probabilities(kind, temperature, raw.shape[1])(row) for row in raw]
    np.testing.assert_allclose(np.stack(rows), probs, rtol=1e-9, atol=1e-12, equal_nan=True)
    for at, (index, confidence) in enumerate(singles):
        assert type(index) is int
        assert type(confidence) is float
        assert abs(confidence - batch[1][at]) < 1e-9
        if index != batch[0][at]:  # a tie, to within rounding
            assert NO_CLASS not in (index, batch[0][at])
            assert abs(probs[at, index] - probs[at, batch[0][at]]) < 1e-9
        assert confidence == NO_CONFIDENCE if index == NO_CLASS else 0.0 <= confidence <= 1.0


CONFIDENCES = arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1))


@given(confidence=CONFIDENCES, threshold=st.floats(0, 1), allowed=st.integers(0, 40), data=st.data())
def test_the_least_sure_go_first_and_no_more_than_allowed(confidence, threshold, allowed, data):
    index = data.draw(arrays(np.int64, len(confidence), elements=st.integers(0, 3)))
    own = data.draw(st.dictionaries(st.integers(0, 3), st.floats(0, 1), max_size=4))
    policy = Policy(threshold=threshold, class_thresholds=own)
    decisions = gate(index, confidence, policy, granted=lambda wanted: min(wanted, allowed))
    up = decisions.escalate
    unsure = np.array([c < own.get(int(i), threshold) for i, c in zip(index, confidence, strict=True)])
    assert up.sum() == min(unsure.sum(), allowed)
    assert not (up & ~unsure).any()
    held = unsure & ~up
    if up.any() and held.any():
        assert confidence[up].max() <= confidence[held].min()
    for at, reason in enumerate(decisions.reasons):
        assert reason is (Reason.ESCALATED if up[at] else Reason.BUDGET if held[at] else Reason.CONFIDENT)


@given(confidence=CONFIDENCES, lower=st.floats(0, 1), higher=st.floats(0, 1))
def test_a_higher_threshold_never_sends_fewer_rows_up(confidence, lower, higher):
    lower, higher = sorted((lower, higher))
    index = np.zeros(len(confidence), int)
    few = gate(index, confidence, Policy(threshold=lower)).escalate
    many = gate(index, confidence, Policy(threshold=higher)).escalate
    assert not (few & ~many).any()
    assert thresholds_of(index, Policy(threshold=lower)) == lower
