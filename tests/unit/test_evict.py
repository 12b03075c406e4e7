"""Evictions go by priority, then value, then age, and no more goes than must."""

from itertools import count

from halocline.decide.evict import Held, evictions, worth


def held(priority: int = 2, value: float = 0.0, size_bytes: int = 10, *, place: int) -> Held:
    return Held(place, priority, value, size_bytes)


def test_the_lowest_priority_goes_before_the_least_value_before_the_oldest():
    records = [
        held(3, 0.9, place=5),
        held(3, 0.1, place=7),
        held(3, 0.1, place=6),
        held(2, 0.0, place=1),
        held(0, 0.0, place=0),
    ]
    queued = sorted(records, key=worth)
    assert [each.place for each in evictions(queued, [], 10_000)] == [6, 7, 5, 1, 0]
    assert [each.place for each in evictions(queued, [], 15)] == [6, 7]


def test_nothing_goes_where_nothing_must():
    assert evictions([held(place=1)], [held(place=2)], 0) == []


def test_what_comes_is_measured_like_what_waits():
    assert evictions([held(1, place=1)], [held(3, place=2)], 5) == [held(3, place=2)]
    assert evictions([held(3, place=1)], [held(1, place=2)], 5) == [held(3, place=1)]


def test_small_ones_are_spared_where_a_large_one_of_more_worth_must_go_anyway():
    small = [held(3, place=at) for at in range(3)]
    large = held(2, size_bytes=1000, place=9)
    assert evictions(small, [large], 900) == [large]
    assert evictions(small, [large], 1005) == [held(3, place=0), large]


def test_a_long_queue_is_read_only_as_far_as_needed():
    read = count()

    def queued():
        while True:
            yield held(3, place=next(read))

    assert len(evictions(queued(), [], 30)) == 3
    assert next(read) <= 5
