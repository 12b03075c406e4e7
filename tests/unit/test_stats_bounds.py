"""Bounds agree with scipy, and with the figures of the paper that Learn then Test comes from."""

import math

import numpy as np
import pytest
from scipy import stats

from halocline.stats.bounds import (
    binomial_p_value,
    bootstrap,
    exact_interval,
    groups_for_loss,
    hoeffding_bentkus_p_value,
    lower_bound,
    most_losses,
    product_p_value,
    smallest_loss_for_groups,
    upper_bound,
    wilson,
)

ROWS = [1, 5, 20, 500, 2000, 50_000, 1_000_000]
RISKS = [1e-4, 0.01, 0.1, 0.5, 0.9, 0.999]


def counts(rows, risk):
    near = {round(rows * risk * part) for part in (0, 0.5, 0.8, 0.97, 1, 1.03, 1.3)}
    return sorted(k for k in {0, 1, rows - 1, *near} if 0 <= k <= rows)


def scipy_hoeffding_bentkus(mean, n, risk):
    """The definition of Bates et al. (2021), section 3.1, written with scipy."""
    clipped = min(mean, risk)
    divergence = sum(stats_rel_entr(a, b) for a, b in ((clipped, risk), (1 - clipped, 1 - risk)))
    bentkus = math.e * stats.binom.cdf(math.ceil(round(n * mean, 6)), n, risk)
    return min(math.exp(-n * divergence), bentkus, 1.0)


def stats_rel_entr(a, b):
    from scipy.special import rel_entr

    return float(rel_entr(a, b))


@pytest.mark.parametrize("rows", ROWS)
def test_binomial_p_values_are_those_of_scipy(rows):
    for risk in RISKS:
        for losses in counts(rows, risk):
            expected = stats.binom.cdf(losses, rows, risk)
            assert binomial_p_value(losses, rows, risk) == pytest.approx(expected, abs=1e-10), (losses, risk)


@pytest.mark.parametrize("rows", [20, 500, 50_000])
def test_small_binomial_p_values_keep_their_digits(rows):
    for risk in (0.01, 0.1, 0.5):
        for losses in counts(rows, risk):
            expected = stats.binom.cdf(losses, rows, risk)
            if expected > 1e-25:
                assert binomial_p_value(losses, rows, risk) == pytest.approx(expected, rel=1e-9)


def test_a_p_value_is_never_below_what_the_sums_can_tell():
    assert binomial_p_value(0, 100_000, 0.5) == 1e-30


@pytest.mark.parametrize("n", [7, 50, 500, 5000])
def test_hoeffding_bentkus_p_values_are_those_of_scipy(n):
    for risk in (0.01, 0.1, 0.3):
        for losses in range(0, n, max(n // 13, 1)):
            mean = losses / n
            expected = scipy_hoeffding_bentkus(mean, n, risk)
            assert hoeffding_bentkus_p_value(mean, n, risk) == pytest.approx(expected, abs=1e-10)


def test_a_mean_that_is_a_fraction_counts_as_the_next_whole_loss():
    assert hoeffding_bentkus_p_value(0.0501, 100, 0.2) == pytest.approx(
        scipy_hoeffding_bentkus(0.0501, 100, 0.2), abs=1e-10
    )


@pytest.mark.parametrize("rows", [1, 20, 500, 50_000])
@pytest.mark.parametrize("alpha", [0.025, 0.1])
def test_clopper_pearson_is_that_of_scipy(rows, alpha):
    for losses in {0, 1, rows // 10, rows // 2, rows - 1, rows}:
        # scipy gives the two-sided interval: each of its ends leaves out (1 - level) / 2.
        interval = stats.binomtest(losses, rows).proportion_ci(1 - 2 * alpha, method="exact")
        assert upper_bound(losses, rows, alpha) == pytest.approx(interval.high, abs=1e-10)
        assert lower_bound(losses, rows, alpha) == pytest.approx(interval.low, abs=1e-10)


def test_wilson_and_the_exact_interval_are_those_of_scipy():
    for successes, rows in ((0, 10), (3, 10), (95, 100), (100, 100)):
        test = stats.binomtest(successes, rows)
        for ours, method in ((wilson, "wilson"), (exact_interval, "exact")):
            told, theirs = ours(successes, rows, 0.05), test.proportion_ci(0.95, method=method)
            assert (told.low, told.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
            assert told.low <= told.value <= told.high


@pytest.mark.parametrize("rows", [10, 230, 2000])
def test_most_losses_is_the_last_count_that_passes(rows):
    for risk in (0.01, 0.1):
        most = most_losses(rows, risk, 0.1)
        assert most == -1 or stats.binom.cdf(most, rows, risk) <= 0.1
        assert stats.binom.cdf(most + 1, rows, risk) > 0.1


def test_the_size_of_the_data_bounds_what_can_be_proven():
    """The figures that people are told: 22 groups 9.9 %, 6 groups 31.9 %, 1 % needs 230."""
    assert smallest_loss_for_groups(22, 0.1) == pytest.approx(0.0994, abs=5e-5)
    assert smallest_loss_for_groups(6, 0.1) == pytest.approx(0.319, abs=5e-4)
    assert groups_for_loss(0.01, 0.1) == 230
    assert smallest_loss_for_groups(0, 0.1) == 1.0


def test_as_many_groups_as_are_named_do_and_one_fewer_does_not():
    for loss in (0.003, 0.01, 0.05, 0.0994, 0.5):
        for alpha in (0.01, 0.1):
            needed = groups_for_loss(loss, alpha)
            assert smallest_loss_for_groups(needed, alpha) <= loss * (1 + 1e-9)
            assert smallest_loss_for_groups(needed - 1, alpha) > loss


def test_the_p_value_of_groups_is_exact_where_none_loses():
    for m in (22, 230):
        assert product_p_value(0.0, m, 0.01) == pytest.approx(stats.binom.cdf(0, m, 0.01), rel=1e-12)


@pytest.mark.parametrize("spread", [0.05, 0.3, 1.0])
def test_the_p_value_of_groups_is_below_alpha_at_most_that_often_where_the_claim_is_true(spread):
    """Mean losses of 60 groups, drawn from a beta of mean 0.05 exactly at the risk tested."""
    rng = np.random.default_rng(3)
    losses = rng.beta(0.05 * (1 / spread - 0.999), 0.95 * (1 / spread - 0.999), (20_000, 60))
    p_values = np.asarray(
        [product_p_value(kept, 60, 0.05) for kept in np.log1p(-np.minimum(losses, 1 - 1e-12)).sum(axis=1)]
    )
    for alpha in (0.02, 0.1, 0.3):
        margin = 3 * math.sqrt(alpha * (1 - alpha) / len(p_values))
        assert (p_values <= alpha).mean() <= alpha + margin


def test_the_p_value_of_groups_proves_more_than_hoeffding_bentkus_where_losses_are_shared_out():
    losses = np.full(300, 0.002)
    assert product_p_value(float(np.log1p(-losses).sum()), 300, 0.01) < 0.1
    assert hoeffding_bentkus_p_value(0.002, 300, 0.01) > 0.1


def test_a_bootstrap_interval_is_that_of_scipy_and_wider_by_group():
    rng = np.random.default_rng(0)
    level = rng.normal(0, 1, 30)
    groups = np.repeat(np.arange(30), 20)
    values = level[groups] + rng.normal(0, 1, 600)

    def mean(weights):
        return float((weights * values).sum() / weights.sum())

    by_row = bootstrap(mean, 600, draws=1000)
    by_group = bootstrap(mean, 600, groups=groups, draws=1000)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=1000, rng=1)
    assert by_row.value == by_group.value == pytest.approx(values.mean())
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert by_row.high - by_row.low == pytest.approx(width, rel=0.15)
    of_means = 2 * 1.96 * values.reshape(30, 20).mean(axis=1).std() / math.sqrt(30)
    assert by_group.high - by_group.low == pytest.approx(of_means, rel=0.15)
