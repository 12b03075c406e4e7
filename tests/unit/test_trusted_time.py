"""A device's idea of the time comes from who can be trusted, and never goes back."""

from hypothesis import given
from hypothesis import strategies as st

from halocline.decide.trusted_time import SLACK_S, TrustedTime, believed, passed, told

NOW_S = 1_800_000_000.0
times = st.floats(0, 4e9)
steps = st.lists(st.tuples(times, st.floats(0, 1e6), st.floats(-4e9, 4e9)), max_size=20)


@given(steps)
def test_what_has_passed_never_goes_back(heard: list[tuple[float, float, float]]) -> None:
    time, steady_s, before_s = TrustedTime(), 0.0, 0.0
    for told_s, later_s, clock_s in heard:
        steady_s += later_s
        time = told(time, told_s, certified=None, steady_s=steady_s, clock_s=clock_s)
        assert passed(time, steady_s=steady_s) >= max(before_s, told_s)
        before_s = passed(time, steady_s=steady_s)


@given(st.floats(-4e9, 4e9), st.floats(0, 1e6))
def test_a_wrong_clock_is_seen_through_once_the_hub_told_the_time(ahead_s: float, later_s: float) -> None:
    time = told(TrustedTime(), NOW_S, certified=None, steady_s=5.0, clock_s=NOW_S + ahead_s)
    now_s = believed(time, steady_s=5.0 + later_s, clock_s=NOW_S + later_s + ahead_s)
    assert abs(now_s - NOW_S - later_s) < 0.01


def test_the_clock_alone_moves_nothing_that_certificates_are_judged_by() -> None:
    time = TrustedTime(passed_s=NOW_S, steady_s=0.0)
    assert passed(time, steady_s=10.0) == NOW_S + 10
    assert believed(time, steady_s=10.0, clock_s=NOW_S + 4e8) == NOW_S + 4e8
    assert believed(time, steady_s=10.0, clock_s=0.0) == NOW_S + 10


def test_a_hub_whose_clock_does_not_fit_its_own_certificate_is_not_believed() -> None:
    time = TrustedTime(passed_s=NOW_S)
    certified = NOW_S - 100, NOW_S + 100
    for told_s in (NOW_S - 101 - SLACK_S, NOW_S + 101 + SLACK_S):
        assert told(time, told_s, certified=certified, steady_s=0, clock_s=0) == time
    assert told(time, NOW_S + 50, certified=certified, steady_s=0, clock_s=0) != time
