"""The escalation budget: what may go up, and settings that make no sense are refused."""

import pytest

from halocline.decide.allowance import EscalationBudget, full, seen, take
from halocline.errors import Misconfigured


def test_a_quiet_time_fills_the_bucket_to_its_burst_and_no_further():
    budget = EscalationBudget(per_minute=60, burst=5)
    _, empty = take(full(budget, 0.0), 5)
    assert take(empty, 1)[0] == 0
    assert take(seen(budget, empty, 0, 2.0), 9)[0] == 2
    assert take(seen(budget, empty, 0, 3600.0), 9)[0] == 5


def test_rows_that_stayed_fill_a_budget_by_share():
    budget = EscalationBudget(share=0.1, burst=2)
    _, empty = take(full(budget, 0.0), 2)
    allowance = empty
    for row in range(10):
        granted, _ = take(allowance, 1)
        assert granted == 0, row
        allowance = seen(budget, allowance, 1, 0.0)
    assert take(allowance, 1)[0] == 1


def test_a_large_batch_gets_its_share_of_its_own_rows():
    budget = EscalationBudget(share=0.1, burst=10)
    _, empty = take(full(budget, 0.0), 10)
    granted, left = take(seen(budget, empty, 1000, 0.0), 1000)
    assert granted == 100
    assert left.tokens == pytest.approx(0.0)


def test_what_a_large_batch_left_over_is_not_saved_beyond_the_burst():
    budget = EscalationBudget(share=0.1, burst=10)
    allowance = seen(budget, full(budget, 0.0), 1000, 0.0)
    allowance = seen(budget, allowance, 1, 0.0)
    assert take(allowance, 1000)[0] == 10


def test_a_clock_that_steps_back_takes_nothing_away():
    budget = EscalationBudget(per_minute=60, burst=5)
    assert take(seen(budget, full(budget, 100.0), 0, 50.0), 9)[0] == 5


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"share": 0.1, "per_minute": 3},
        {"share": -0.1},
        {"share": 10},
        {"share": float("nan")},
        {"per_minute": -1},
        {"per_minute": float("inf")},
        {"share": 0.1, "burst": 0},
        {"share": 0.1, "burst": float("nan")},
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(settings):
    with pytest.raises(Misconfigured) as caught:
        EscalationBudget(**settings)
    assert caught.value.code == "HAL-101"
