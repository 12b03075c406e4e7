"""An evaluation says what happened, whether a promise held, and what is no more than chance."""

import msgspec
import numpy as np
import pytest
from tuning_parts import Cloud, EdgeModel, rows, table

import halocline as hc
from halocline.decide.allowance import EscalationBudget
from halocline.decide.gate import Policy
from halocline.decide.promise import Promise
from halocline.errors import Misconfigured, Rejected
from halocline.stats.bounds import Estimate
from halocline.tuning import evaluate, tune
from halocline.tuning.verdict import told_gain
from halocline.wire.policy_file import PolicyFile

X, TRUTH, ANSWERS = rows(800, seed=3)
EDGE = X.argmax(axis=1)
CLOUD = ANSWERS.argmax(axis=1)


def evaluated(policy, y=TRUTH, groups=None, **options):
    return evaluate(EdgeModel(), Cloud(table(X, ANSWERS)), policy, X, y, groups, cache=False, **options)


def promised(threshold, edge_digest="sha256:edge", cloud="m@1", **promise):
    told = {"scope": "rows", "reason": "", "max_loss": 0.02, "alpha": 0.1, **promise}
    return PolicyFile(
        policy=Policy(threshold=threshold), promise=Promise(**told), edge_digest=edge_digest, cloud=cloud
    )


def test_every_figure_is_that_of_a_count_by_hand():
    seen = evaluated(Policy(threshold=0.9), cloud_price=0.5, link_price=2.0)
    up = X.max(axis=1) < 0.9
    together = np.where(up, CLOUD, EDGE)
    for figures, said in ((seen.edge, EDGE), (seen.cloud, CLOUD), (seen.tiered, together)):
        assert figures.accuracy.value == pytest.approx((said == TRUTH).mean())
        recall = [(said == TRUTH)[c == TRUTH].mean() for c in range(3)]
        assert [figures.recall[name].value for name in "NSV"] == pytest.approx(recall)
        assert figures.balanced_accuracy.value == pytest.approx(np.mean(recall))
        assert figures.accuracy.low < figures.accuracy.value < figures.accuracy.high
    assert seen.escalated.value == pytest.approx(up.mean())
    assert seen.saved == pytest.approx(1 - up.mean())
    assert seen.lost.value == pytest.approx((~up & (EDGE != TRUTH) & (CLOUD == TRUTH)).mean())
    assert seen.gain.value == pytest.approx((together == TRUTH).mean() - (CLOUD == TRUTH).mean())
    assert (seen.bill.calls, seen.cloud_bill.calls) == (up.sum(), 800)
    assert seen.bill.usd == pytest.approx(up.sum() * 0.5 + seen.bill.bytes_up / 1e6 * 2.0)
    assert seen.bill.bytes_up / up.sum() == seen.cloud_bill.bytes_up / 800 > 12
    assert seen.promise.state == "none"


def test_a_share_moves_the_threshold_as_at_run_time():
    still, moving = Policy(threshold=0.5), Policy(threshold=0.5, share=0.4)
    assert evaluated(still).escalated.value < 0.05
    assert 0.2 < evaluated(moving).escalated.value < 0.45  # it starts at the same threshold and climbs


def test_a_threshold_of_a_class_counts():
    seen = evaluated(Policy(threshold=0.0, class_thresholds={1: 1.0}))
    assert seen.escalated.value == pytest.approx((EDGE == 1).mean())


def test_a_budget_by_share_lets_up_what_it_would_at_run_time():
    policy = Policy(threshold=0.95, budget=EscalationBudget(share=0.1, burst=3.0))
    with hc.Tiered(EdgeModel(), table(X, ANSWERS), policy=policy, deadline_s=10.0, breaker=None) as tiered:
        replies = [tiered.infer(row) for row in X]
    seen = evaluated(policy)
    assert seen.bill.calls == sum(reply.tier is hc.Tier.CLOUD for reply in replies)
    assert seen.kept_by_budget == sum(reply.reason is hc.Reason.BUDGET for reply in replies) > 100
    right = [reply.index == truth for reply, truth in zip(replies, TRUTH, strict=True)]
    assert seen.tiered.accuracy.value == pytest.approx(np.mean(right))
    assert any(f"the budget kept {seen.kept_by_budget} at the edge" in note for note in seen.notes)


def test_a_budget_by_the_minute_needs_the_rate_of_requests():
    policy = Policy(threshold=1.0, budget=EscalationBudget(per_minute=60.0, burst=5.0))
    blind = evaluated(policy)
    assert (blind.bill.calls, blind.kept_by_budget) == (800, None)
    assert any("60 calls a minute was not replayed" in note for note in blind.notes)
    seen = evaluated(policy, requests_per_s=10.0)  # 800 rows in 79.9 s: 5 at once, and one a second
    assert seen.bill.calls == 5 + 79
    assert seen.kept_by_budget == 800 - 84
    assert evaluated(policy, requests_per_s=0.5).kept_by_budget == 0
    for rate in (0, -1.0, float("nan"), float("inf"), "fast"):
        with pytest.raises(Misconfigured, match="requests_per_s must be") as caught:
            evaluated(policy, requests_per_s=rate)
        assert caught.value.code == "HAL-101"


def test_rows_that_the_budget_kept_are_not_held_against_the_promise():
    file = promised(0.95)
    policy = msgspec.structs.replace(file.policy, budget=EscalationBudget(share=0.0, burst=1.0))
    seen = evaluated(msgspec.structs.replace(file, policy=policy, policy_digest=""))
    assert seen.lost.value > 0.03
    assert seen.promise.state == "held"
    assert any("no promise covers those" in note for note in seen.notes)


@pytest.mark.parametrize(
    ("policy", "state", "says"),
    [
        (promised(0.95), "held", "held: "),
        (promised(0.0, max_loss=0.0001), "broken", "broken: "),
        (promised(0.95, scope="none", max_loss=None), "none", "nothing was promised"),
        (promised(0.95, scope="share", max_loss=None, share=0.9), "broken", "90.0 % were to"),
        (promised(0.95, class_floors={2: 0.5}), "held", "recall of 'V'"),
        (promised(0.95, class_floors={2: 0.9999}), "broken", "at least 100.0 % promised"),
        (promised(0.95, scope="groups"), "none", "give the group of each row"),
    ],
)
def test_whether_the_promise_held_is_said(policy, state, says):
    check = evaluated(policy).promise
    assert check.state == state
    assert says in check.told


def test_a_promise_for_groups_is_checked_as_the_mean_over_groups():
    lost = (EDGE != TRUTH) & (CLOUD == TRUTH)
    group = np.where(lost, "odd", "even")
    group[: len(group) // 2] = "even"
    check = evaluated(promised(0.0, scope="groups", max_loss=0.3), groups=group).promise
    share = (lost[group == "even"].mean() + 1.0) / 2
    assert f"{100 * share:.2f} % lost, the mean over the groups" in check.told


def test_a_difference_that_chance_explains_is_called_not_significant():
    assert "not significant: chance among the rows" in told_gain(Estimate(0.004, -0.01, 0.02), None)
    assert "0.40 points above" in told_gain(Estimate(0.004, -0.01, 0.02), None)
    assert "chance among the 22 groups" in told_gain(Estimate(-0.004, -0.01, 0.02), 22)
    assert told_gain(Estimate(0.02, 0.01, 0.03), None).startswith(
        "better than the cloud alone by 2.00 points"
    )
    assert told_gain(Estimate(-0.02, -0.03, -0.01), None).startswith("worse")
    assert told_gain(Estimate(0.0, 0.0, 0.0), None) == "exactly the cloud's accuracy"


def test_a_policy_of_another_edge_model_is_refused():
    with pytest.raises(Misconfigured, match="tuned for the edge model sha256:other") as caught:
        evaluated(promised(0.9, edge_digest="sha256:other"))
    assert caught.value.code == "HAL-207"


def test_another_cloud_is_said_to_be_another():
    seen = evaluated(promised(0.9, cloud="m@2"))
    assert "tuned against the cloud m@2, this one is m@1" in seen.notes[0]
    assert seen.promise.state == "none"
    assert seen.promise.told.startswith("not tested: the policy was tuned against the cloud m@2")
    held = evaluated(promised(0.9, cloud="m@2", scope="share", max_loss=None, share=0.5))
    assert held.promise.state != "none", "a share is held whatever the cloud is"


def test_a_model_that_does_not_beat_always_saying_one_class_is_found_out():
    says = np.where(np.arange(800) % 10 < 9, 0, TRUTH)
    seen = evaluated(Policy(threshold=0.9), y=says)
    assert any("always saying 'N' is right in 9" in note for note in seen.notes)
    assert not any("always saying" in note for note in evaluated(Policy(threshold=0.9)).notes)


def test_the_rows_tuned_on_are_recognised():
    found = tune(EdgeModel(), Cloud(table(X, ANSWERS)), X, TRUTH, max_loss=0.05, cache=False)
    assert "the very rows that the policy was tuned on" in evaluated(found).notes[0]
    check = evaluated(found).promise
    assert (check.state, check.told.split(":")[0]) == ("none", "not tested")
    assert "the very rows" in check.told
    held = tune(EdgeModel(), Cloud(table(X, ANSWERS)), X, TRUTH, escalate=0.3, cache=False)
    assert evaluated(held).promise.state == "none"
    assert not evaluated(found, groups=np.arange(800)).notes


def test_intervals_are_by_group_where_there_are_groups():
    by_row = evaluated(Policy(threshold=0.9))
    by_group = evaluated(Policy(threshold=0.9), groups=np.arange(800) // 40)
    assert (by_row.groups, by_group.groups) == (None, 20)
    assert by_row.edge.accuracy.value == by_group.edge.accuracy.value
    assert by_row.edge.accuracy != by_group.edge.accuracy


def test_what_is_told_can_be_read_by_programs():
    told = msgspec.json.decode(msgspec.json.encode(evaluated(Policy(threshold=0.9)).as_dict()))
    assert told["tiered"]["recall"]["V"]["value"] > 0.5
    assert told["curve"]["points"]


def test_labels_that_do_not_fit_are_refused_before_the_cloud_is_asked():
    cloud = Cloud(table(X, ANSWERS))
    for wrong in ({"y": TRUTH[1:]}, {"groups": TRUTH[1:]}, {"y": ["W"] * len(X)}):
        with pytest.raises(Rejected, match="HAL-305"):
            evaluate(EdgeModel(), cloud, Policy(), X, **{"y": TRUTH, "cache": False, **wrong})
    with pytest.raises(Misconfigured, match="HAL-207"):
        evaluate(EdgeModel(), cloud, promised(0.9, edge_digest="sha256:other"), X, TRUTH, cache=False)
    assert cloud.rows == []
