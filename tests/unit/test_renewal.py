"""Devices renew in good time and never all at once."""

from hypothesis import given
from hypothesis import strategies as st

from halocline.decide.renewal import poll_wait, renews_at, retry_wait

shares = st.floats(0, 1, exclude_max=True)


@given(shares, st.floats(60, 1e8))
def test_renewal_begins_after_half_and_before_two_thirds_of_a_life(share: float, life_s: float) -> None:
    at_s = renews_at(1e9, 1e9 + life_s, share=share)
    assert life_s / 2 - 1e-3 <= at_s - 1e9 <= life_s * 2 / 3


@given(shares, st.floats(1, 1e5))
def test_looks_are_ten_per_cent_apart_from_their_time_at_most(share: float, poll_s: float) -> None:
    assert 0.89 * poll_s < poll_wait(poll_s, share=share) < 1.11 * poll_s


@given(shares, st.integers(0, 10_000))
def test_a_retry_never_hammers_and_never_waits_beyond_its_limit(share: float, failures: int) -> None:
    assert 0.25 <= retry_wait(failures, longest_s=60.0, share=share) <= 60.0


def test_retries_of_a_fleet_are_spread_over_the_whole_wait() -> None:
    waits = [retry_wait(9, longest_s=60.0, share=at / 100) for at in range(100)]
    assert min(waits) < 1
    assert max(waits) > 59
