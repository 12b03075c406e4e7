"""Figures agree with those counted by hand, and intervals are over what was drawn."""

import numpy as np
import pytest

from halocline.tuning.tally import CLOUD, EDGE, LOST, TIERED, UP, Tally

TRUTH = np.array([0, 0, 0, 0, 1, 1])
EDGE_RIGHT = np.array([1, 1, 0, 0, 1, 0], dtype=bool)
CLOUD_RIGHT = np.array([1, 0, 1, 1, 1, 0], dtype=bool)
WENT_UP = np.array([0, 1, 1, 0, 0, 1], dtype=bool)


def test_figures_are_those_counted_by_hand():
    tally = Tally(TRUTH, EDGE_RIGHT, CLOUD_RIGHT, WENT_UP, None)
    assert tally.share(EDGE).value == 3 / 6
    assert tally.share(CLOUD).value == 4 / 6
    assert tally.share(TIERED).value == 3 / 6  # right: row 0 (edge), row 2 (cloud), row 4 (edge)
    assert tally.share(UP).value == 3 / 6
    assert tally.share(LOST).value == 1 / 6  # row 3 stays, is wrong, and the cloud is right
    assert tally.share(TIERED, 0).value == 2 / 4
    assert tally.share(TIERED, 1).value == 1 / 2
    assert tally.balanced(CLOUD).value == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert tally.gain(TIERED, CLOUD).value == pytest.approx(-1 / 6)
    assert tally.by_group(LOST) == tally.share(LOST)


def test_the_mean_over_groups_counts_each_group_once():
    tally = Tally(TRUTH, EDGE_RIGHT, CLOUD_RIGHT, WENT_UP, np.array(["a", "a", "a", "b", "b", "b"]))
    assert tally.by_group(LOST).value == pytest.approx((0 / 3 + 1 / 3) / 2)
    uneven = Tally(TRUTH, EDGE_RIGHT, CLOUD_RIGHT, WENT_UP, np.array(["a", "a", "a", "b", "a", "a"]))
    assert uneven.by_group(LOST).value == pytest.approx((0 / 5 + 1 / 1) / 2)


@pytest.mark.parametrize("grouped", [False, True])
def test_intervals_cover_the_true_share_about_as_often_as_they_say(grouped):
    rng = np.random.default_rng(0)
    covered, rounds = 0, 200
    for _ in range(rounds):
        if grouped:  # 40 groups of 25 rows, whose accuracies differ
            right = rng.random((40, 25)) < rng.beta(9, 1, size=40)[:, None]
            group = np.repeat(np.arange(40), 25)
        else:
            right, group = rng.random((1, 200)) < 0.9, None
        right = right.ravel()
        truth = np.zeros(len(right), np.int64)
        told = Tally(truth, right, right, ~right, group).share(EDGE)
        covered += told.low <= 0.9 <= told.high
    assert 0.88 * rounds <= covered <= 0.99 * rounds


def test_rows_of_one_patient_count_as_less_than_as_many_patients():
    rng = np.random.default_rng(1)
    right = np.repeat(rng.random(20) < 0.8, 50)
    truth, up = np.zeros(1000, np.int64), np.zeros(1000, dtype=bool)
    by_row = Tally(truth, right, right, up, None).share(EDGE)
    by_group = Tally(truth, right, right, up, np.repeat(np.arange(20), 50)).share(EDGE)
    assert by_group.high - by_group.low > 3 * (by_row.high - by_row.low)


def test_all_right_is_not_certain():
    right = np.ones(30, dtype=bool)
    for group in (None, np.arange(30) // 10):
        told = Tally(np.zeros(30, np.int64), right, right, ~right, group).share(EDGE)
        assert told.value == told.high == 1.0
        assert told.low < (0.9 if group is None else 0.5)
