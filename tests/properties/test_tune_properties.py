"""Whatever the rows, the promise is carried by them, and their order does not matter."""

import math

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from halocline.decide.certify import GRID, Requirement, p_values
from halocline.decide.tune import Escalate, Evidence, MaxLoss, Prices, naive_threshold, tune

CONFIDENCES = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.5, 0.999999, 1.0, -1.0]))

EITHER = st.booleans()


@st.composite
def rows_of(draw, groups=EITHER):
    n = draw(st.integers(1, 80))
    confidence = draw(st.lists(CONFIDENCES, min_size=n, max_size=n))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    share = draw(st.sampled_from([0.0, 0.3, 0.8, 0.98, 1.0]))
    return Evidence(
        confidence=np.asarray(confidence, dtype=np.float64),
        edge_index=rng.integers(0, 3, n),
        edge_correct=rng.random(n) < share,
        cloud_correct=rng.random(n) < 0.9,
        label=rng.integers(0, 3, n),
        group=rng.integers(0, draw(st.integers(1, 40)), n) if draw(groups) else None,
    )


TARGETS = st.one_of(
    st.builds(MaxLoss, st.floats(0.001, 0.9), st.floats(0.01, 0.5)),
    st.builds(Escalate, st.floats(0, 1)),
    st.builds(Prices, st.floats(0, 10), st.floats(0, 10)),
)


@settings(max_examples=150, deadline=None)
@given(rows=rows_of(), target=TARGETS)
def test_a_choice_is_whole_and_promises_only_with_an_alpha(rows, target):
    choice = tune(rows, target)
    promise, curve = choice.promise, choice.curve
    assert 0.0 <= choice.threshold <= 1.0
    assert promise.reason
    assert (promise.max_loss is None) == (promise.alpha is None) == (promise.scope in ("share", "none"))
    assert (promise.share is not None) == (promise.scope == "share")
    if promise.max_loss is not None:
        assert choice.threshold in GRID
        assert promise.max_loss >= target.loss * (1 - 1e-9)
    assert (np.diff(curve.threshold) > 0).all()
    assert (np.diff(curve.escalated) > 0).all()
    assert (np.diff(curve.loss) <= 1e-12).all()


@settings(max_examples=100, deadline=None)
@given(rows=rows_of(), target=TARGETS, seed=st.integers(0, 1000))
def test_the_order_of_the_rows_does_not_matter(rows, target, seed):
    order = np.random.default_rng(seed).permutation(rows.rows)
    shuffled = Evidence(
        **{
            name: None if getattr(rows, name) is None else getattr(rows, name)[order]
            for name in rows.__struct_fields__
        }
    )
    one, other = tune(rows, target), tune(shuffled, target)
    assert one.threshold == other.threshold
    assert one.promise.scope == other.promise.scope


@settings(max_examples=100, deadline=None)
@given(rows=rows_of(groups=st.just(False)), loss=st.floats(0.02, 0.9), alpha=st.floats(0.01, 0.5))
def test_what_is_promised_over_rows_passes_the_exact_test_at_its_threshold(rows, loss, alpha):
    choice = tune(rows, MaxLoss(loss, alpha))
    if choice.promise.max_loss is None:
        assert rows.rows < math.log(alpha) / math.log1p(-loss) or rows.lost.any()
        return
    k = int((rows.lost & (rows.confidence >= choice.threshold)).sum())
    assert stats.binom.cdf(k, rows.rows, choice.promise.max_loss) <= alpha * (1 + 1e-6)


@settings(max_examples=60, deadline=None)
@given(rows=rows_of(), risk=st.floats(0.01, 0.9))
def test_p_values_are_those_of_each_threshold_alone(rows, risk):
    """The running sums over rows and groups against the definition, also where the cloud loses."""
    group = None if rows.group is None else np.unique(rows.group, return_inverse=True)[1]
    at_edge, in_cloud = ~rows.edge_correct, ~rows.cloud_correct
    got = p_values(Requirement(rows.confidence, at_edge, in_cloud, group, risk))
    for at in range(0, len(GRID), 197):
        loses = np.where(rows.confidence >= GRID[at], at_edge, in_cloud)
        if group is None:
            expected = stats.binom.cdf(loses.sum(), rows.rows, risk)
        else:
            sizes = np.bincount(group)
            kept = 1 - np.bincount(group, loses) / sizes
            product = np.prod(kept / (1 - risk))
            expected = 1.0 if product <= 1 else 1 / product
        assert math.isclose(got[at], expected, abs_tol=1e-9)


@settings(max_examples=60, deadline=None)
@given(rows=rows_of(groups=st.just(False)), loss=st.floats(0.02, 0.5))
def test_a_proven_threshold_is_never_below_the_naive_one(rows, loss):
    choice = tune(rows, MaxLoss(loss))
    if choice.promise.max_loss == loss:
        assert choice.threshold >= naive_threshold(rows, loss)


@settings(max_examples=60, deadline=None)
@given(rows=rows_of(), floor=st.floats(0.3, 0.99))
def test_a_floor_only_ever_raises_the_threshold_or_keeps_it(rows, floor):
    rows = msgspec.structs.replace(rows, label=np.zeros(rows.rows, dtype=int))
    free = tune(rows, MaxLoss(0.5, 0.2))
    floored = tune(rows, MaxLoss(0.5, 0.4), class_floors={0: floor})  # half of alpha goes to the floor
    if free.promise.max_loss == floored.promise.max_loss == 0.5:
        assert floored.threshold >= free.threshold
