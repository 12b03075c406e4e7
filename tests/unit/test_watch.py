"""A promise is held, void, unwatched or none, and the reason says which and why."""

import numpy as np
import pytest

from halocline.decide.latest import WINDOW_ROWS, Latest, counted
from halocline.decide.promise import Promise
from halocline.decide.watch import (
    Promised,
    PromiseState,
    Watch,
    answered_by,
    checked,
    could_not_go_up,
    lowered,
    promise_health,
)
from halocline.records import ModelRef, Owner, Reason
from halocline.stats.sequences import LossSequence

PROMISE = Promise(scope="rows", reason="500 rows", max_loss=0.02, alpha=0.1, rows=500)
PROMISED = Promised(cloud="cloud@3")


def watch(probability=0.1):
    seen = Watch(losses=LossSequence(least_probability=probability))
    return answered_by(seen, PROMISED, ModelRef("cloud", "3"))


def after_checks(losses, probability=0.1, gap=10):
    seen = watch(probability)
    for lost in losses:
        seen = checked(seen, gap, lost=lost, probability=probability)
    return seen


def health(seen, /, promise=PROMISE, promised=PROMISED, **more):
    return promise_health(promise, seen, promised, owner=Owner.FILE, **more)


def test_a_threshold_of_ones_own_promises_nothing():
    assert health(watch(), None).state is PromiseState.NONE
    empty = Promise(scope="none", reason="too few rows")
    assert (health(watch(), empty).state, health(watch(), empty).reason) == (
        PromiseState.NONE,
        "too few rows",
    )


def test_a_promise_that_nobody_checks_is_unwatched():
    assert health(watch()).state is PromiseState.UNWATCHED
    assert "checked" in health(watch()).reason


def test_until_the_cloud_has_answered_its_version_is_not_known():
    told = health(Watch(losses=LossSequence()))
    assert told.state is PromiseState.UNWATCHED
    assert "version" in told.reason


def test_checks_without_a_loss_hold_the_promise():
    told = health(after_checks([False] * 200))
    assert (told.state, told.checks, told.loss) == (PromiseState.HELD, 200, 0.0)
    assert told.low == 0.0
    assert told.high < 0.05


def test_a_promise_that_broke_is_void():
    told = health(after_checks([at % 5 == 0 for at in range(200)]))
    assert told.state is PromiseState.VOID
    assert told.loss == pytest.approx(0.2, rel=0.01)
    assert told.low > 0.02
    assert "2.00%" in told.reason


def test_a_kept_promise_is_called_broken_in_at_most_one_of_twenty_streams():
    rng = np.random.default_rng(5)
    broken = 0
    for _ in range(200):
        seen = watch()
        for lost in rng.random(300) < 0.02:
            seen = checked(seen, 10, lost=bool(lost), probability=0.1)
            if lost and health(seen).state is PromiseState.VOID:
                broken += 1
                break
    assert broken <= 10


def test_what_the_tiers_differed_by_when_tuned_is_no_break():
    seen = after_checks([at % 20 == 0 for at in range(400)])
    assert health(seen).state is PromiseState.VOID
    labelled = Promised(cloud="cloud@3", disagreement=0.06)
    assert health(seen, promised=labelled).state is PromiseState.HELD


@pytest.mark.parametrize(
    ("cloud", "word"),
    [(ModelRef("cloud", "4"), "cloud@4"), (ModelRef("cloud"), "does not tell its version")],
)
def test_another_or_an_unknown_cloud_version_voids_the_promise_for_good(cloud, word):
    seen = answered_by(after_checks([False] * 50), PROMISED, cloud)
    seen = answered_by(seen, PROMISED, ModelRef("cloud", "3"))
    assert health(seen).state is PromiseState.VOID
    assert word in health(seen).reason


@pytest.mark.parametrize(("same", "state"), [(True, PromiseState.UNWATCHED), (False, PromiseState.VOID)])
def test_the_clouds_digest_goes_before_its_name(same, state):
    promised = Promised(cloud="cloud@3", same_bytes=same)
    cloud = ModelRef("renamed") if same else ModelRef("cloud", "3")
    seen = answered_by(Watch(losses=LossSequence()), promised, cloud)
    assert health(seen, promised=promised).state is state


def test_a_lower_threshold_of_a_request_voids_the_promise():
    told = health(lowered(after_checks([False] * 50), 3))
    assert told.state is PromiseState.VOID
    assert told.reason.startswith("3 rows")


def test_a_mode_that_never_escalates_voids_the_promise():
    promised = Promised(cloud="cloud@3", overruled="the mode edge_only never asks the cloud")
    assert health(watch(), promised=promised).state is PromiseState.VOID


def test_a_share_is_held_where_the_threshold_follows_it():
    share = Promise(scope="share", reason="27% go up", share=0.27)
    assert health(watch(), share, share=0.27).state is PromiseState.UNWATCHED  # no row yet
    told = health(watch(), share, share=0.27, seen=Latest(rows=1000, true=260))
    assert (told.state, told.share, told.share_rows) == (PromiseState.HELD, 0.26, 1000)
    assert "26.00% of the latest 1000 rows wanted up" in told.reason
    off = health(
        watch(), share, share=0.27, seen=Latest(rows=5000, true=4900, rows_before=5000, true_before=0)
    )
    assert off.state is PromiseState.VOID
    assert "49.00%" in off.reason
    assert health(watch(), share).state is PromiseState.UNWATCHED


def test_rows_between_checks_count_so_that_the_loss_is_that_of_all_rows():
    seen = watch(0.01)
    for at in range(100):
        seen = checked(seen, 100, lost=at < 10, probability=0.01)
    assert seen.losses.rows == 10_000
    assert health(seen).loss == pytest.approx(0.1)


def test_whose_promise_it_is_is_said():
    assert health(watch(), whose="fleet").whose == "fleet"


def test_rows_that_could_not_go_up_are_counted_and_suspend_the_promise_while_they_are_many():
    seen = after_checks([False] * 200)
    few = health(seen, kept=Latest(rows=1000, true=10))
    assert (few.state, few.rows, few.not_covered) == (PromiseState.HELD, 1000, 10)
    assert "10 of the latest 1000 rows could not go up, and the promise does not cover those" in few.reason
    many = health(seen, kept=Latest(rows=1000, true=30))
    assert many.state is PromiseState.SUSPENDED
    assert "30 of the latest 1000 rows" in many.reason


def test_a_long_past_without_trouble_hides_no_outage_and_a_past_outage_is_forgotten():
    seen = after_checks([False] * 200)
    kept = counted(Latest(), 1_000_000, 0)
    kept = counted(counted(kept, WINDOW_ROWS, 0), WINDOW_ROWS // 20, WINDOW_ROWS // 20)
    assert health(seen, kept=kept).state is PromiseState.SUSPENDED
    for _ in range(3):
        kept = counted(kept, WINDOW_ROWS // 2, 0)
    assert health(seen, kept=kept).state is PromiseState.HELD
    assert health(seen, kept=kept).not_covered == 0


@pytest.mark.parametrize(
    ("reason", "is_left_out"),
    [("deadline", True), ("budget", True), ("breaker_open", True), ("pending", False), ("confident", False)],
)
def test_a_row_is_left_out_where_it_was_to_go_up_and_could_not(reason, is_left_out):
    assert could_not_go_up(Reason(reason)) == is_left_out


def test_a_broken_promise_stays_void_while_rows_cannot_go_up():
    told = health(after_checks([True] * 200), kept=Latest(rows=500, true=500))
    assert told.state is PromiseState.VOID


def test_one_device_that_loses_more_than_the_mean_does_not_break_a_promise_about_new_groups():
    groups = Promise(scope="groups", reason="40 patients", max_loss=0.02, alpha=0.1, rows=500, groups=40)
    told = health(after_checks([True] * 200), groups)
    assert told.state is PromiseState.ABOVE_MEAN
    assert "this device loses more than the fleet's mean" in told.reason
    assert "tune again" not in told.reason
