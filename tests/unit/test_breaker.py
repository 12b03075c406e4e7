"""The breaker opens on failures, holds as long as it was asked to, and lets one probe through at a time."""

import itertools

import pytest

from halocline.decide.breaker import (
    TRANSITIONS,
    Breaker,
    BreakerLimits,
    Event,
    State,
    admit,
    failed,
    succeeded,
)
from halocline.errors import Misconfigured
from halocline.records import Reason

LIMITS = BreakerLimits(consecutive_failures=3, failure_rate=0.5, window=10, probe_interval_s=1.0)


def opened(now_s=0.0, retry_after_s=None):
    breaker = Breaker()
    for _ in range(1 if retry_after_s is not None else LIMITS.consecutive_failures):
        breaker = failed(breaker, LIMITS, now_s, retry_after_s)
    assert breaker.state is State.OPEN
    return breaker


def test_the_table_names_every_state_and_event():
    assert set(TRANSITIONS) == set(itertools.product(State, Event))


def test_it_opens_on_the_last_of_its_consecutive_failures_and_not_before():
    breaker = Breaker()
    for _ in range(LIMITS.consecutive_failures - 1):
        breaker = failed(breaker, LIMITS, 0.0)
        assert breaker.state is State.CLOSED
    assert failed(breaker, LIMITS, 0.0).state is State.OPEN


def test_a_success_starts_the_count_again():
    breaker = Breaker()
    for _ in range(3):
        breaker = failed(failed(breaker, LIMITS, 0.0), LIMITS, 0.0)
        breaker = succeeded(breaker, LIMITS)
        if breaker.state is State.OPEN:
            break
        assert breaker.consecutive == 0


def test_it_opens_on_the_failure_rate_of_a_full_window_only():
    limits = BreakerLimits(consecutive_failures=100, failure_rate=0.5, window=10)
    breaker = Breaker()
    for at in range(9):
        breaker = failed(breaker, limits, 0.0) if at % 2 else succeeded(breaker, limits)
        assert breaker.state is State.CLOSED
    assert failed(breaker, limits, 0.0).state is State.OPEN


def test_while_open_no_call_goes_through_until_the_probe_interval_is_over():
    breaker = opened(now_s=5.0)
    for now_s in (5.0, 5.5, 5.999):
        reason, breaker = admit(breaker, LIMITS, now_s)
        assert reason is Reason.BREAKER_OPEN
    assert admit(breaker, LIMITS, 6.0)[0] is None


def test_exactly_one_probe_goes_through_and_its_success_closes():
    reason, breaker = admit(opened(), LIMITS, 1.0)
    assert reason is None
    assert breaker.state is State.HALF_OPEN
    for now_s in (1.0, 1.2, 1.9):
        held, breaker = admit(breaker, LIMITS, now_s)
        assert held is Reason.BREAKER_OPEN
    breaker = succeeded(breaker, LIMITS)
    assert breaker.state is State.CLOSED
    assert admit(breaker, LIMITS, 1.3)[0] is None


def test_a_probe_that_fails_holds_for_another_interval():
    _, breaker = admit(opened(), LIMITS, 1.0)
    breaker = failed(breaker, LIMITS, 1.4)
    assert breaker.state is State.OPEN
    assert admit(breaker, LIMITS, 2.3)[0] is Reason.BREAKER_OPEN
    assert admit(breaker, LIMITS, 2.4)[0] is None


def test_a_probe_of_which_nothing_is_heard_gets_company_after_an_interval():
    _, breaker = admit(opened(), LIMITS, 1.0)
    assert admit(breaker, LIMITS, 1.9)[0] is Reason.BREAKER_OPEN
    reason, breaker = admit(breaker, LIMITS, 2.0)
    assert reason is None
    assert admit(breaker, LIMITS, 2.5)[0] is Reason.BREAKER_OPEN


def test_a_retry_after_opens_at_once_and_says_refused_for_as_long():
    breaker = opened(retry_after_s=7.0)
    for now_s in (0.0, 1.5, 6.9):
        assert admit(breaker, LIMITS, now_s)[0] is Reason.REFUSED
    assert admit(breaker, LIMITS, 7.0)[0] is None


def test_a_retry_after_is_not_shortened_by_what_comes_after_it():
    breaker = opened(retry_after_s=7.0)
    breaker = failed(breaker, LIMITS, 1.0, retry_after_s=2.0)
    breaker = failed(breaker, LIMITS, 1.0)
    breaker = succeeded(breaker, LIMITS)
    assert admit(breaker, LIMITS, 6.9)[0] is Reason.REFUSED


def test_a_refusal_in_answer_to_the_probe_is_held_to():
    _, breaker = admit(opened(), LIMITS, 1.0)
    breaker = failed(breaker, LIMITS, 1.0, retry_after_s=5.0)
    assert admit(breaker, LIMITS, 5.9)[0] is Reason.REFUSED
    _, breaker = admit(breaker, LIMITS, 6.0)
    assert admit(breaker, LIMITS, 6.0)[0] is Reason.BREAKER_OPEN


def test_answers_to_calls_from_before_it_opened_change_nothing():
    breaker = opened()
    assert succeeded(breaker, LIMITS).state is State.OPEN
    assert admit(failed(breaker, LIMITS, 0.9), LIMITS, 1.0)[0] is None


def test_recovery_starts_with_a_clean_record():
    _, breaker = admit(opened(), LIMITS, 1.0)
    breaker = succeeded(breaker, LIMITS)
    assert failed(failed(breaker, LIMITS, 1.0), LIMITS, 1.0).state is State.CLOSED


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("consecutive_failures", 0),
        ("failure_rate", 0.0),
        ("failure_rate", 50),
        ("failure_rate", float("nan")),
        ("window", 0),
        ("probe_interval_s", 0.0),
    ],
)
def test_a_limit_out_of_range_is_named(setting, value):
    with pytest.raises(Misconfigured, match=rf"breaker\.{setting} must be .*in .*, got {value}") as caught:
        BreakerLimits(**{setting: value})
    assert caught.value.code == "HAL-101"
