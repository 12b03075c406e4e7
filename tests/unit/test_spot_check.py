"""Spot checks are drawn by chance alone: the stated share, repeatable, each row alike."""

import numpy as np
import pytest

from halocline.decide.spot_check import SpotCheck, after, draw_among, first
from halocline.errors import Misconfigured


def positions(spot_check, rows):
    return [each.at for each in draw_among(spot_check, first(spot_check), rows)[0]]


@pytest.mark.parametrize("share", [0.01, 0.2, 0.9])
def test_the_stated_share_is_drawn(share):
    rows = 100_000
    drawn = len(positions(SpotCheck(share=share, seed=7), rows))
    assert abs(drawn - share * rows) < 4 * np.sqrt(share * (1 - share) * rows)


def test_every_row_is_drawn_with_share_one():
    assert positions(SpotCheck(share=1.0), 5) == [0, 1, 2, 3, 4]


def test_each_row_has_the_same_chance_whatever_was_drawn_before():
    share, rows = 0.25, 8
    counts = np.zeros(rows)
    pairs = 0
    seeds = 4_000
    for seed in range(seeds):
        drawn = positions(SpotCheck(share=share, seed=seed), rows)
        counts[drawn] += 1
        pairs += 0 in drawn and 1 in drawn
    assert np.abs(counts / seeds - share).max() < 0.03
    assert abs(pairs / seeds - share**2) < 0.02


def test_the_same_seed_draws_the_same_rows_and_another_does_not():
    assert positions(SpotCheck(share=0.1, seed=3), 1000) == positions(SpotCheck(share=0.1, seed=3), 1000)
    assert positions(SpotCheck(share=0.1, seed=3), 1000) != positions(SpotCheck(share=0.1, seed=4), 1000)


def test_what_a_drawn_row_stands_for_adds_up_to_all_rows():
    spot_check = SpotCheck(share=0.3, seed=1)
    found, _ = draw_among(spot_check, first(spot_check), 500)
    assert sum(each.gap for each in found) == found[-1].at + 1


def test_one_by_one_draws_what_a_batch_does():
    spot_check = SpotCheck(share=0.3, seed=5)
    state, one_by_one = first(spot_check), []
    for at in range(200):
        found, state = draw_among(spot_check, state, 1)
        one_by_one += [(at, each.gap) for each in found]
    whole, _ = draw_among(spot_check, first(spot_check), 200)
    assert one_by_one == [(each.at, each.gap) for each in whole]


def test_the_next_gap_is_that_of_the_next_number():
    spot_check = SpotCheck(share=0.3, seed=5)
    assert after(spot_check, first(spot_check)).number == 1


@pytest.mark.parametrize("share", [0, -0.1, 1.5, 5, float("nan"), "0.1"])
def test_a_share_out_of_range_is_named(share):
    with pytest.raises(Misconfigured, match=r"spot_check\.share must be in \(0, 1\]") as caught:
        SpotCheck(share=share)
    assert caught.value.code == "HAL-101"
