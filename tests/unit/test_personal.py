"""A device comes to a promise and a threshold of its own by its own checks only, within bounds."""

import math

import numpy as np
import pytest

from halocline.decide.gate import Policy
from halocline.decide.personal import GRID, Check, Evidence, Personal, Start, learnt, update, withdrawn
from halocline.errors import Misconfigured


def policy(threshold=0.8, **rules):
    return Policy(threshold=threshold, personal=Personal(**{"max_loss": 0.05, **rules}))


def drawn(rows, seed=0, lost_below=0.0, loss=0.0):
    """Rows with confidence spread over [0, 1]; under `lost_below` half are lost, elsewhere `loss`."""
    rng = np.random.default_rng(seed)
    sureness = rng.random(rows)
    chance = np.where(sureness < lost_below, 0.5, loss)
    return [Check(float(s), bool(lost)) for s, lost in zip(sureness, rng.random(rows) < chance, strict=True)]


def test_a_policy_does_not_learn_unless_it_says_so():
    with pytest.raises(Misconfigured, match="personal="):
        Policy().update([])


def test_no_evidence_changes_nothing():
    before = policy()
    step = before.update([])
    assert step.policy is step.before is before
    assert step.promise is None
    assert "0 checks" in step.reason


def test_enough_checks_without_a_loss_give_a_promise_and_move_the_threshold_down():
    step = policy().update(drawn(200))
    assert step.promise.scope == "rows"
    assert (step.promise.max_loss, step.promise.alpha, step.promise.rows) == (0.05, 0.1, 200)
    assert step.policy.threshold == 0.0
    assert step.before.threshold == 0.8


def test_the_threshold_stays_where_losses_begin():
    step = policy().update(drawn(2_000, lost_below=0.5))
    assert 0.3 < step.policy.threshold < 0.6


def test_a_fleets_threshold_is_raised_only_where_it_is_shown_to_lose_too_much():
    start = policy(threshold=0.3)
    few = start.update(drawn(150, lost_below=0.6))
    assert few.policy.threshold == 0.3
    assert few.promise is None
    many = start.update(drawn(3_000, lost_below=0.6))
    assert many.policy.threshold > 0.4
    assert many.promise is not None


def test_a_device_that_starts_with_the_cloud_takes_the_first_threshold_that_is_certified():
    start = policy(threshold=0.3, start=Start.CLOUD)
    step = start.update(drawn(300, lost_below=0.6))
    assert step.promise is not None
    assert step.policy.threshold > 0.5


def test_the_threshold_stays_within_its_bounds():
    assert policy(lowest=0.6).update(drawn(500)).policy.threshold == 0.6
    high = policy(threshold=0.3, start="cloud", highest=0.4).update(drawn(500, lost_below=0.6))
    assert high.promise is None


def test_a_locked_policy_only_proposes():
    step = policy(locked=True).update(drawn(500))
    assert step.policy.threshold == 0.8
    assert step.proposed.threshold == 0.0
    assert step.promise is None
    assert "proposed only" in step.reason


def test_what_was_learnt_can_be_undone_and_withdrawn():
    start = policy()
    step = start.update(drawn(500))
    assert step.before == start
    back = withdrawn(start, step.policy, "it broke")
    assert (back.policy, back.before, back.evidence.checks) == (start, step.policy, 0)


def test_evidence_counts_a_loss_at_every_threshold_that_would_have_kept_the_row():
    evidence = learnt(learnt(Evidence(), Check(0.5, True)), Check(0.9, False))
    assert evidence.checks == 2
    assert [lost for at, lost in zip(GRID, evidence.lost, strict=True)] == [int(at <= 0.5) for at in GRID]


def test_a_new_row_below_zero_is_lost_at_no_threshold():
    assert sum(learnt(Evidence(), Check(-0.2, True)).lost) == 0


def test_a_device_that_loses_too_much_is_promised_it_in_at_most_alpha_of_the_cases():
    # Above 0.3 exactly the allowed 5 % are lost, below it 50 %: any promise under 0.3 is false.
    rng = np.random.default_rng(11)
    false = 0
    for _ in range(200):
        evidence, start = Evidence(), policy(threshold=0.2)
        for at in range(300):
            sureness = rng.random()
            chance = 0.5 if sureness < 0.3 else 0.05
            evidence = learnt(evidence, Check(sureness, rng.random() < chance))
            if at % 10 == 9:
                step = update(start, evidence)
                if step.promise is not None and step.policy.threshold < 0.29:
                    false += 1
                    break
    assert false <= 30


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ({"max_loss": 0}, "HAL-101"),
        ({"max_loss": 2}, "HAL-101"),
        ({"alpha": 1}, "HAL-101"),
        ({"lowest": 0.9, "highest": 0.5}, "HAL-101"),
        ({"lowest": 80}, "HAL-101"),
        ({"start": "moon"}, "HAL-102"),
    ],
)
def test_rules_out_of_range_are_named(setting, code):
    with pytest.raises(Misconfigured, match=rf"personal\.{next(iter(setting))}") as caught:
        Personal(**{"max_loss": 0.05, **setting})
    assert caught.value.code == code


def test_a_share_and_a_threshold_of_its_own_do_not_go_together():
    with pytest.raises(Misconfigured, match="share and personal"):
        Policy(share=0.2, personal=Personal(max_loss=0.05))


def test_a_check_without_a_number_is_refused():
    policy = Policy(personal=Personal(max_loss=0.1))
    with pytest.raises(Misconfigured, match="sureness") as caught:
        policy.update([Check(0.9, False), Check(math.nan, True)])
    assert caught.value.code == "HAL-101"
