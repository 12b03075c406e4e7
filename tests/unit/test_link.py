"""The link is measured from the calls themselves, and an escalation that cannot arrive is not tried."""

import numpy as np
import pytest

from halocline.decide.link import FEWEST_MEASUREMENTS, RETRY_S, Link, expected_s, measured, too_slow


def link_of(samples, now_s=0.0):
    link = Link()
    for payload_bytes, elapsed_s in samples:
        link = measured(link, payload_bytes, elapsed_s, now_s)
    return link


def line(sizes, latency_s=0.05, bytes_per_s=125_000, noise=0.0, seed=0):
    chance = np.random.default_rng(seed)
    return [
        (size, (latency_s + size / bytes_per_s) * (1 + noise * chance.standard_normal())) for size in sizes
    ]


def test_latency_and_bandwidth_are_recovered_from_calls_of_several_sizes():
    link = link_of(line([1_000, 50_000, 3_000, 20_000, 100_000, 5_000, 60_000] * 4))
    for size in (0, 10_000, 200_000):
        assert expected_s(link, size) == pytest.approx(0.05 + size / 125_000, rel=1e-6)


def test_they_are_recovered_through_noise():
    link = link_of(line([1_000, 50_000, 3_000, 20_000, 100_000, 5_000, 60_000] * 8, noise=0.05))
    assert expected_s(link, 100_000) == pytest.approx(0.85, rel=0.15)
    assert expected_s(link, 1_000) == pytest.approx(0.058, abs=0.05)


def test_calls_of_one_size_say_nothing_of_the_slope():
    link = link_of([(3_000, 0.02)] * 20)
    assert expected_s(link, 3_000_000) == pytest.approx(0.02)


def test_a_larger_call_is_never_expected_to_be_faster():
    link = link_of([(1_000, 0.5), (100_000, 0.01)] * 10)
    assert expected_s(link, 10_000_000) >= expected_s(link, 1_000) * 0.99


def test_the_link_follows_a_change():
    link = link_of([(3_000, 0.02)] * 20 + [(3_000, 0.5)] * 40)
    assert expected_s(link, 3_000) == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("count", range(FEWEST_MEASUREMENTS))
def test_it_is_never_too_slow_before_it_is_measured(count):
    link = link_of([(3_000, 10.0)] * count)
    assert too_slow(link, 3_000, 0.001, 0.1)[0] is False


def test_a_call_that_cannot_arrive_is_not_tried_and_one_that_can_is():
    link = link_of([(3_000, 0.5)] * 10)
    assert too_slow(link, 3_000, 0.3, 0.1)[0] is True
    assert too_slow(link, 3_000, 0.6, 0.1)[0] is False


def test_a_large_call_may_be_too_slow_where_a_small_one_is_not():
    link = link_of(line([1_000, 50_000, 3_000, 20_000, 100_000] * 6))
    assert too_slow(link, 1_000, 0.3, 0.1)[0] is False
    assert too_slow(link, 300_000, 0.3, 0.1)[0] is True


def test_one_outlier_does_not_make_a_link_slow():
    for outlier_s in (0.5, 5.0, 30.0):
        link = link_of([(3_000, 0.02)] * 30 + [(3_000, outlier_s)])
        assert too_slow(link, 3_000, 0.3, 0.1)[0] is False


def test_sizes_that_hardly_differ_do_not_make_a_large_call_look_slow():
    chance = np.random.default_rng(7)
    link = link_of([(int(chance.normal(3_000, 40)), float(chance.normal(0.02, 0.004))) for _ in range(60)])
    assert too_slow(link, 96_000, 0.3, 0.1)[0] is False


def test_one_call_in_each_retry_time_goes_through_a_slow_link_and_no_more():
    link = link_of([(3_000, 5.0)] * 10)
    through = []
    for tick in range(100):
        now_s = tick * 0.1
        slow, link = too_slow(link, 3_000, 0.3, now_s)
        if not slow:
            through.append(now_s)
    assert through == pytest.approx(np.arange(RETRY_S, 10.0, RETRY_S), abs=0.11)


def test_a_link_that_recovered_is_noticed_by_the_calls_let_through():
    link, now_s = link_of([(3_000, 5.0)] * 10), 0.0
    for _ in range(200):
        now_s += RETRY_S
        slow, link = too_slow(link, 3_000, 0.3, now_s)
        assert slow is False
        link = measured(link, 3_000, 0.02, now_s)
        if not too_slow(link, 3_000, 0.3, now_s + 0.01)[0]:
            break
    assert now_s <= 3 * RETRY_S
