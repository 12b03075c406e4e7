"""The rate of an address is bounded, others are not touched by it, and memory is bounded too."""

from halocline.hub.rates import Rates


def test_a_burst_is_taken_and_then_the_rate_holds():
    rates = Rates(per_s=2, burst=3)
    assert [rates.wait_s("10.0.0.1", 100.0) for _ in range(4)] == [0, 0, 0, 1]
    assert rates.wait_s("10.0.0.1", 100.5) == 0
    assert rates.wait_s("10.0.0.1", 100.5) == 1


def test_one_address_does_not_spend_what_another_has():
    rates = Rates(per_s=1, burst=1)
    assert rates.wait_s("10.0.0.1", 0.0) == 0
    assert rates.wait_s("10.0.0.1", 0.0) == 1
    assert rates.wait_s("10.0.0.2", 0.0) == 0


def test_the_lower_half_of_an_ipv6_address_gives_no_new_bucket():
    rates = Rates(per_s=1, burst=1)
    assert rates.wait_s("2001:db8::1", 0.0) == 0
    assert rates.wait_s("2001:db8::2", 0.0) == 1
    assert rates.wait_s("2001:db8:0:1::2", 0.0) == 0
    assert rates.wait_s("::ffff:10.0.0.9", 0.0) == 0
    assert rates.wait_s("10.0.0.9", 0.0) == 1


def test_a_clock_that_goes_back_locks_nobody_out():
    rates = Rates(per_s=1, burst=1)
    assert rates.wait_s("a", 1_000_000.0) == 0
    assert rates.wait_s("a", 0.0) == 1
    assert rates.wait_s("a", 1.0) == 0


def test_memory_is_bounded():
    rates = Rates(per_s=1, burst=1, max_addresses=10)
    for number in range(1000):
        rates.wait_s(f"10.0.{number // 256}.{number % 256}", 0.0)
    assert len(rates._buckets) == 10
