"""The benchmark of the guarantee, in short: promises hold on digits and on fleets, naive tuning's do not."""

import guarantee
from pools import pools


def test_the_promise_holds_on_digits_and_costs_little_more_than_an_oracle():
    draws = 100
    measured = guarantee.measure_pool(pools(names=("digits",))["digits"], draws)
    for size in ("n500", "n2000"):
        assert measured["violations"][size] <= guarantee.allowed(draws)
        assert measured["naive"][size] > 0.3
        assert measured["over_certified"][size] <= 0.05


def test_a_promise_over_groups_holds_where_that_over_rows_is_broken():
    draws = 60
    measured = guarantee.measure_fleet(0.3, draws)
    assert measured["violations"] <= guarantee.allowed(draws)
    assert measured["promised"] == 1.0
    assert measured["oracle"] < measured["escalated"] < 0.85
    assert measured["plain_violations"] > guarantee.allowed(draws)
