"""A running loss is bounded at every moment at once, and the evidence grows where the claim is false."""

import math

import numpy as np
import pytest

from halocline.errors import Rejected
from halocline.stats.sequences import (
    _ABOVE,
    _BELOW,
    LossSequence,
    evidence_broken,
    evidence_kept,
    merged,
    observe,
    passed,
    running_loss,
    upper_loss,
)

LOOKS = np.unique(np.geomspace(1, 2000, 16).astype(int))


def sequences(losses, probability, least):
    """The sequence at each look, for losses and probabilities `[rows]`; probability 0 is "not drawn"."""
    weighted = np.where(probability > 0, losses * least / np.maximum(probability, least), 0.0)
    for n in LOOKS:
        yield LossSequence(
            least_probability=least,
            rows=int(n),
            checks=int((probability[:n] > 0).sum()),
            weighted=float(weighted[:n].sum()),
        )


@pytest.mark.parametrize("risk", [0.002, 0.02, 0.3])
@pytest.mark.parametrize("kind", ["coins", "fractions"])
def test_the_bounds_miss_the_true_loss_at_any_moment_in_at_most_alpha_of_the_runs(risk, kind):
    rng = np.random.default_rng(1)
    alpha, runs = 0.1, 300
    missed = 0
    for _ in range(runs):
        draws = rng.random(2000) < risk if kind == "coins" else rng.beta(risk / 2, (1 - risk) / 2, 2000)
        bounds = [running_loss(seq, alpha) for seq in sequences(draws, np.ones(2000), 1.0)]
        missed += any(not bound.low <= risk <= bound.high for bound in bounds)
    assert missed / runs <= alpha + 2 * math.sqrt(alpha * (1 - alpha) / runs)


def test_the_bounds_hold_for_rows_checked_by_chance_with_differing_probabilities():
    rng = np.random.default_rng(2)
    alpha, runs, risk = 0.1, 300, 0.1
    missed = 0
    for _ in range(runs):
        chance = np.where(rng.random(2000) < 0.5, 0.05, 0.2)
        loses = rng.random(2000) < np.where(chance == 0.05, 0.05, 0.15)  # the mean is 0.1
        drawn = np.where(rng.random(2000) < chance, chance, 0.0)
        bounds = [running_loss(seq, alpha) for seq in sequences(loses, drawn, 0.05)]
        missed += any(not bound.low <= risk <= bound.high for bound in bounds)
    assert missed / runs <= alpha + 2 * math.sqrt(alpha * (1 - alpha) / runs)


def betting_capital(losses, mean, bets):
    """The capital of Waudby-Smith and Ramdas (2024), section 4: constant bets, row by row."""
    return sum(
        share * np.prod(1 + (1 - times) / (1 - mean) * (mean - losses))
        for times, share in bets
        if times * mean < 1
    )


@pytest.mark.parametrize("mean", [0.01, 0.2])
def test_the_capital_is_that_of_the_published_bets_for_coins_and_no_more_for_other_losses(mean):
    rng = np.random.default_rng(5)
    coins, fractions = (rng.random(80) < 0.1).astype(float), rng.beta(0.5, 4, 80)
    for bets, evidence in ((_BELOW, evidence_kept), (_ABOVE, evidence_broken)):
        for losses in (coins, fractions):
            seq = LossSequence()
            for loss in losses:
                seq = observe(seq, float(loss))
            theirs = betting_capital(losses, mean, bets)
            if losses is coins:
                assert evidence(seq, mean) == pytest.approx(theirs, rel=1e-9)
            else:
                assert evidence(seq, mean) <= theirs * (1 + 1e-9)


@pytest.mark.parametrize("risk", [0.01, 0.05])
def test_neither_evidence_ever_reaches_its_bar_more_often_than_alpha_on_the_edge_of_both_claims(risk):
    rng = np.random.default_rng(3)
    runs, bar = 400, 1 / 0.1
    kept = broken = 0
    for _ in range(runs):
        seqs = list(sequences(rng.random(2000) < risk, np.ones(2000), 1.0))
        kept += any(evidence_kept(seq, risk) >= bar for seq in seqs)
        broken += any(evidence_broken(seq, risk) >= bar for seq in seqs)
    margin = 2 * math.sqrt(0.09 / runs)
    assert kept / runs <= 0.1 + margin
    assert broken / runs <= 0.1 + margin


def test_observing_row_by_row_is_what_the_sums_say():
    seq = LossSequence(least_probability=0.1)
    seq = observe(seq, 1.0, 0.1)
    seq = observe(seq, 0.5, 0.2)
    seq = observe(seq, 0.0, 1.0)
    seq = passed(seq, 17)
    assert (seq.rows, seq.checks, seq.weighted) == (20, 3, pytest.approx(1.25))
    assert running_loss(seq).value == pytest.approx((1 / 0.1 + 0.5 / 0.2) / 20)


def test_the_estimate_is_right_on_average_however_rows_are_drawn():
    rng = np.random.default_rng(4)
    told = []
    for _ in range(200):
        seq = LossSequence(least_probability=0.05)
        for loses in rng.random(300) < 0.1:
            chance = 0.3 if loses else 0.05  # suspicious rows are checked more often
            seq = observe(seq, float(loses), chance) if rng.random() < chance else passed(seq)
        told.append(running_loss(seq).value)
    assert np.mean(told) == pytest.approx(0.1, abs=3 * np.std(told) / math.sqrt(200))


def test_the_first_bad_checks_do_not_break_a_promise_and_many_do():
    seq = observe(LossSequence(), 1.0)
    assert evidence_broken(seq, 0.1) < 10
    for _ in range(9):
        seq = observe(seq, 1.0)
    assert evidence_broken(seq, 0.1) > 1000


def test_looking_all_the_time_costs_a_sixth_more_rows_than_one_look():
    """Rows without a loss that prove 1 % at 0.1: 230 for one look at a time fixed before, 265 at any."""
    assert evidence_kept(LossSequence(rows=264, checks=264), 0.01) < 10
    assert evidence_kept(LossSequence(rows=265, checks=265), 0.01) >= 10
    assert upper_loss(LossSequence(rows=265, checks=265), 0.1) == pytest.approx(0.01, rel=0.01)


def test_checking_one_row_in_a_hundred_proves_as_much_as_its_checks():
    every = LossSequence(rows=500, checks=500, weighted=1)
    some = LossSequence(least_probability=0.01, rows=50_000, checks=500, weighted=1)
    assert upper_loss(some, 0.1) == pytest.approx(upper_loss(every, 0.1), rel=0.02)
    assert running_loss(some).low == pytest.approx(running_loss(every).low, rel=0.05)


def test_before_the_first_row_nothing_is_known():
    told = running_loss(LossSequence())
    assert math.isnan(told.value)
    assert (told.low, told.high) == (0.0, 1.0)
    assert evidence_kept(LossSequence(), 0.01) == pytest.approx(1.0)
    assert 0.9 < evidence_broken(LossSequence(), 0.01) <= 1.0


def test_bounds_are_ordered_at_the_ends_of_the_range():
    for seq in (
        LossSequence(rows=50, checks=50, weighted=50),
        LossSequence(rows=50, checks=50),
        LossSequence(least_probability=0.01, rows=50, checks=2, weighted=2),
    ):
        told = running_loss(seq)
        assert 0 <= told.low <= told.value <= told.high <= 1


def test_two_devices_add_up():
    one = LossSequence(rows=10, checks=4, weighted=1.0)
    assert merged(one, one) == LossSequence(rows=20, checks=8, weighted=2.0)
    with pytest.raises(Rejected, match="least_probability"):
        merged(one, LossSequence(least_probability=0.5))


@pytest.mark.parametrize(("loss", "probability"), [(1.5, 1.0), (float("nan"), 1.0), (1.0, 0.05), (1.0, 1.1)])
def test_a_loss_or_probability_out_of_range_is_refused(loss, probability):
    with pytest.raises(Rejected, match="HAL-101"):
        observe(LossSequence(least_probability=0.1), loss, probability)
