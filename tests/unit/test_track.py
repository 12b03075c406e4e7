"""A stated share goes up, however the confidences shift, are tied, or turn out new."""

import math

import numpy as np
import pytest

from halocline.decide.gate import FARTHEST, NO_CONFIDENCE
from halocline.decide.track import (
    HIGHEST,
    LOWEST,
    SLACK_ROWS,
    Tracker,
    level_of,
    moved,
    start,
    threshold_of,
    track,
    wants_up,
)


def share_of(up):
    return float(np.mean(up))


def test_it_begins_at_the_threshold_that_was_tuned():
    assert threshold_of(start(0.71)) == pytest.approx(0.71)
    assert wants_up(start(0.71), 0.70)
    assert not wants_up(start(0.71), 0.72)


@pytest.mark.parametrize("share", [0.05, 0.27, 0.8])
def test_the_share_is_held_on_steady_data_and_the_least_sure_go_up(share):
    sureness = np.random.default_rng(0).beta(5, 1, 20_000)
    up, tracker = track(start(0.5), share, sureness)
    assert share_of(up) == pytest.approx(share, abs=0.01)
    assert threshold_of(tracker) == pytest.approx(np.quantile(sureness, share), abs=0.06)


def test_the_share_is_held_when_everything_becomes_unsure_at_once():
    rng = np.random.default_rng(1)
    sureness = np.concatenate([rng.beta(20, 1, 10_000), rng.beta(2, 3, 10_000)])
    up, _ = track(start(0.9), 0.2, sureness)
    assert share_of(up[:10_000]) == pytest.approx(0.2, abs=0.02)
    assert share_of(up[10_000:]) == pytest.approx(0.2, abs=0.02)
    fixed = sureness < np.quantile(sureness[:10_000], 0.2)
    assert share_of(fixed[10_000:]) > 0.9


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, FARTHEST / 2])
def test_the_share_is_held_when_all_confidences_are_the_same(value):
    up, _ = track(start(0.5), 0.3, np.full(20_000, value))
    assert share_of(up) == pytest.approx(0.3, abs=0.05)


def test_rows_without_an_answer_always_go_up():
    up, tracker = track(start(0.0), 0.1, np.full(500, NO_CONFIDENCE))
    assert up.all()
    assert tracker.level >= LOWEST - 1
    assert track(tracker, 0.1, np.asarray([0.5]))[0].tolist() == [False]


def test_a_threshold_of_a_rows_own_is_kept_and_counts():
    fixed = np.where(np.arange(20_000) % 4 == 0, 1.0, np.nan)
    sureness = np.random.default_rng(2).random(20_000)
    up, _ = track(start(0.5), 0.3, sureness, fixed)
    assert up[::4].all()
    assert share_of(up) == pytest.approx(0.3, abs=0.02)


def test_a_share_of_none_and_of_all():
    sureness = np.random.default_rng(3).random(5_000)
    assert not track(start(0.5), 0.0, sureness)[0][-1000:].any()
    assert share_of(track(start(0.5), 1.0, sureness)[0][-1000:]) > 0.98


def test_the_level_says_confidences_near_one_apart_and_ends_somewhere():
    assert level_of(0.9999) < level_of(0.99999) < level_of(1.0) == HIGHEST
    assert level_of(FARTHEST) == level_of(NO_CONFIDENCE) == LOWEST
    assert moved(Tracker(HIGHEST), 1.0, up=False).level > HIGHEST
    assert math.isfinite(SLACK_ROWS)
