"""A tuned policy promises what the rows carry, on rows that served nothing else."""

import numpy as np
import pytest
from tuning_parts import Cloud, EdgeModel, rows, table

from halocline.decide.allowance import EscalationBudget
from halocline.decide.targets import Escalate, MaxLoss
from halocline.errors import Misconfigured, Rejected
from halocline.tuning import evaluate, tune
from halocline.tuning.split import calibration_rows
from halocline.wire.policy_file import read_policy


def tuned(n=1500, *, seed=0, y=True, groups=None, **target):
    x, truth, answers = rows(n, seed=seed)
    return tune(EdgeModel(), Cloud(table(x, answers)), x, truth if y else None, groups, cache=False, **target)


def test_a_promise_says_whom_it_is_for_and_what_it_rests_on():
    found = tuned(max_loss=0.02)
    assert (found.promise.scope, found.promise.max_loss, found.promise.alpha) == ("rows", 0.02, 0.1)
    assert found.promise.rows == 1200  # a fifth fitted the temperature
    assert "300 of the 1500 rows fitted the temperature" in found.notes[0]
    assert found.policy.temperature != 1.0
    assert "for more rows like these, at most 2 %" in repr(found)


def test_the_chosen_point_lies_on_the_curve_and_keeps_the_loss():
    found = tuned(max_loss=0.02, temperature=False)
    there = found.curve.chosen
    nearest = min(found.curve, key=lambda point: abs(point.escalated - there.escalated))
    assert there.threshold == found.policy.threshold
    assert abs(nearest.accuracy - there.accuracy) < 0.01
    assert there.loss <= 0.02
    assert there in found.curve.table()
    assert [point.escalated for point in found.curve.table()] == sorted(
        point.escalated for point in found.curve.table()
    )


def test_temperature_is_not_fitted_where_the_promise_needs_every_row():
    found = tuned(300, max_loss=0.01)
    assert found.policy.temperature == 1.0
    assert "too few to fit it and to prove a loss" in found.notes[0]
    assert found.promise.rows == 300
    assert tuned(300, max_loss=0.01, temperature=1.7).policy.temperature == 1.7


def test_no_row_fits_the_temperature_and_serves_the_promise():
    usable = np.ones(2000, dtype=bool)
    usable[::7] = False
    taken = calibration_rows(usable, None, MaxLoss(0.02))
    assert not (taken & ~usable).any()
    assert 0.15 * usable.sum() < taken.sum() <= 0.2 * usable.sum()
    group = np.arange(2000) // 5  # 400 groups; a group is on one side
    taken = calibration_rows(usable, group, MaxLoss(0.05))
    for each in np.unique(group):
        assert len(set(taken[usable & (group == each)].tolist())) == 1
    assert calibration_rows(usable, np.arange(2000) // 100, MaxLoss(0.05)) is None  # 20 groups: none to spare
    assert calibration_rows(usable, None, Escalate(0.2)) is None


def test_a_share_is_held_from_where_the_rows_put_it():
    found = tuned(escalate=0.27)
    assert found.policy.share == 0.27
    assert abs(found.curve.chosen.escalated - 0.27) < 0.01
    assert (found.promise.scope, found.promise.max_loss) == ("share", None)


def test_prices_find_the_cheapest_point_of_the_curve():
    found = tuned(cloud_price=0.001, error_price=0.01)
    assert found.curve.chosen.cost_usd == pytest.approx(
        min(point.cost_usd for point in found.curve), rel=0.02
    )
    assert tuned(cloud_price=0.0, error_price=1.0).curve.chosen.escalated > found.curve.chosen.escalated
    assert tuned(cloud_price=1.0, error_price=0.0).curve.chosen.escalated == 0.0


def test_with_too_few_groups_a_share_is_stated_and_no_promise_made():
    found = tuned(1500, groups=np.arange(1500) % 22, max_loss=0.01)
    assert (found.promise.scope, found.promise.max_loss, found.promise.groups) == ("share", None, 22)
    assert "22 groups cannot prove a loss below 9.94 %; 1 % needs at least 230" in found.promise.reason
    assert found.policy.share == found.promise.share


def test_without_labels_the_clouds_answers_are_the_truth_and_it_says_so():
    found = tuned(y=False, max_loss=0.05)
    assert found.curve.truth == "cloud"
    assert found.curve.baselines.cloud == 1.0
    assert any("no labels: the cloud's answers are taken as the truth" in line for line in found.warnings)
    assert found.file.disagreement is None
    with pytest.raises(Rejected, match="HAL-602"):
        tuned(y=False, max_loss=0.05, class_floors={"V": 0.9})


def test_what_spot_checks_may_find_is_counted_from_the_rows():
    found = tuned(max_loss=0.02, temperature=False)
    x, _, answers = rows(1500)
    stays = x.max(axis=1) >= found.policy.threshold
    differs = (stays & (x.argmax(axis=1) != answers.argmax(axis=1))).mean()
    assert differs < found.file.disagreement < differs + 0.02


def test_floors_are_named_by_class_and_kept():
    found = tuned(3000, max_loss=0.05, class_floors={"V": 0.9})
    assert found.promise.class_floors == {2: 0.9}
    assert "the recall of class 'V' is at least 90 %" in found.promise.reason
    x, truth, answers = rows(3000)
    seen = evaluate(EdgeModel(), Cloud(table(x, answers)), found, x, truth, cache=False)
    assert seen.tiered.recall["V"].value >= 0.9
    with pytest.raises(Misconfigured, match="'W' is no label of edge@1; known are N, S, V"):
        tuned(class_floors={"W": 0.9})


def test_traffic_that_repeats_itself_is_promised_what_all_of_it_loses():
    """Three in ten are one input, at which the edge is sure, wrong, and the cloud right."""
    x, truth, answers = rows(2000, wrong=0.0)
    often = np.random.default_rng(1).random(2000) < 0.3
    x[often], truth[often], answers[often] = [0.8, 0.1, 0.1], 1, [0.0, 1.0, 0.0]
    given = (EdgeModel(), Cloud(table(x, answers)), x, truth)
    found = tune(*given, max_loss=0.01, cache=False)
    assert found.promise.max_loss == 0.01
    assert found.policy.threshold > 0.8
    assert found.curve.chosen.loss == 0.0
    assert found.curve.chosen.escalated >= 0.3
    assert "both counts are tested" in found.warnings[0]
    assert "distinct" in found.promise.reason
    assert tune(*given, max_loss=0.4, cache=False).file.disagreement > 0.28
    held = tune(*given, escalate=0.5, cache=False)
    assert abs(held.curve.chosen.escalated - 0.5) < 0.02
    floor = tune(*given, max_loss=0.4, class_floors={"S": 0.9}, cache=False)
    assert floor.promise.class_floors == {1: 0.9}
    assert floor.curve.chosen.escalated >= 0.3


def test_copies_carry_no_promise():
    x, truth, answers = rows(60)
    many = {"x": np.tile(x, (10, 1)), "y": np.tile(truth, 10)}
    found = tune(EdgeModel(), Cloud(table(x, answers)), many["x"], many["y"], max_loss=0.01, cache=False)
    assert found.promise.max_loss is None or found.promise.max_loss > 0.03
    assert "540 of the 600 rows are copies" in found.warnings[0]


def test_no_floor_is_promised_with_novelty_even_where_no_row_was_new(monkeypatch):
    none_new = lambda seen, novelty, truth: np.zeros(len(truth), dtype=bool)  # noqa: E731
    monkeypatch.setattr("halocline.tuning.tuned.is_new", none_new)
    found = tuned(3000, max_loss=0.05, class_floors={"V": 0.9}, novelty=True)
    assert found.promise.max_loss == 0.05
    assert found.promise.class_floors == {}
    assert "recall" not in found.promise.reason
    assert any("not promised: novelty sends up rows" in line for line in found.warnings)


def test_novelty_sends_up_what_is_unlike_the_rows():
    found = tuned(max_loss=0.02, novelty_output="f")
    assert found.policy.novelty.output == "f"
    assert any(line.startswith("novelty on f: ") for line in found.notes)
    x, truth, answers = rows(400, seed=5)
    x[:40, :2] = [[40.0, -40.0]]
    seen = evaluate(EdgeModel(), Cloud(table(x, answers)), found, x, truth, cache=False)
    assert seen.escalated.value >= 0.1
    with pytest.raises(Misconfigured, match="no output 'g' to measure novelty on; there are p, f"):
        tuned(novelty_output="g")


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ({"max_loss": 1.5}, "max_loss must be between 0 and 1"),
        ({"max_loss": 0.01, "escalate": 0.2}, "one target at a time, got max_loss and escalate"),
        ({"cloud_price": 0.1}, "prices come as a pair"),
        ({"escalate": 27}, "Did you mean 0.27"),
        ({"max_loss": "little"}, "max_loss must be a share such as 0.02 or '2%', got 'little'.*HAL-101"),
        ({"max_loss": [0.01]}, "max_loss must be a share.*HAL-101"),
        ({"max_loss": True}, "max_loss must be a share.*HAL-101"),
        ({"alpha": {}}, "alpha must be a share.*HAL-101"),
        ({"class_floors": {"V": None}}, "the recall floor of class 'V' must be a share.*HAL-101"),
        ({"class_floors": ["V"]}, "class_floors must name a recall by class.*HAL-102"),
        ({"cloud_price": "1", "error_price": 2}, "cloud_usd must be a number of USD.*HAL-101"),
        ({"score": "energy"}, "score must be one of max_softmax, margin, entropy"),
        ({"temperature": -1.0}, "temperature must be"),
    ],
)
def test_a_target_that_makes_no_sense_is_one_line(target, says):
    with pytest.raises(Misconfigured, match=says):
        tuned(300, **target)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (
            {"class_floors": {"V": 90}},
            "floor of class 'V' must be between 0 and 1, got 90.*mean 0.9.*HAL-101",
        ),
        ({"class_floors": {"V": "100%"}}, "floor of class 'V' must be between 0 and 1.*HAL-101"),
        ({"class_floors": {2: 0}}, "floor of class 'V' must be between 0 and 1, got 0.*HAL-101"),
        ({"class_floors": {"W": 0.9}}, "'W' is no label of edge@1; known are N, S, V.*HAL-102"),
        ({"class_floors": {3: 0.9}}, "3 is no class of edge@1; known are N, S, V.*HAL-102"),
        ({"class_floors": {-1: 0.9}}, "-1 is no class of edge@1.*HAL-102"),
        ({"class_floors": {"V": 0.9}, "y": None}, "floor.*'V'.*needs labels.*HAL-602"),
        ({"class_floors": {"V": 0.9}, "y": [0] * 200}, "class 'V' has a recall floor and no row.*N.*HAL-602"),
        ({"y": [0] * 199}, "y must have.*HAL-305"),
        ({"y": ["W"] * 200}, "HAL-305"),
        ({"groups": [0] * 199}, "groups must have.*HAL-305"),
        ({"novelty_output": "g"}, "no output 'g' to measure novelty on.*HAL-102"),
        ({"temperature": 0.0}, "temperature must be.*HAL-101"),
    ],
)
def test_what_cannot_be_is_refused_before_the_cloud_is_asked(asked, says):
    x, truth, answers = rows(200)
    cloud = Cloud(table(x, answers))
    with pytest.raises((Misconfigured, Rejected), match=says):
        tune(EdgeModel(), cloud, x, **{"y": truth, "max_loss": 0.05, "cache": False, **asked})
    assert cloud.rows == []


def test_shares_may_be_written_as_the_command_takes_them():
    assert tuned(max_loss="2%", alpha="10 %").promise == tuned(max_loss=0.02).promise
    assert tuned(escalate="27%").policy == tuned(escalate=0.27).policy
    found = tuned(3000, max_loss=0.05, class_floors={"V": "90%"})
    assert found.promise.class_floors == {2: 0.9}


def test_the_file_holds_what_was_tuned(tmp_path):
    found = tuned(escalate=0.27, novelty=True)
    read = read_policy(found.save(tmp_path / "policy.toml"))
    assert read.promise == found.promise
    assert read.policy.threshold == found.policy.threshold
    assert np.array_equal(read.policy.novelty.means, found.policy.novelty.means)
    assert (read.edge_digest, read.cloud, read.cloud_digest) == ("sha256:edge", "m@1", None)
    assert read.data_digest == tuned(max_loss=0.02).file.data_digest != tuned(seed=1).file.data_digest


def test_what_tuning_warns_of_is_written_above_the_promise(tmp_path):
    x, truth, answers = rows(100, seed=1)
    x, truth = np.concatenate([x, x]), np.concatenate([truth, truth])
    found = tune(EdgeModel(), Cloud(table(x[:100], answers)), x, truth, max_loss=0.05, cache=False)
    assert found.warnings
    text = found.save(tmp_path / "policy.toml").read_text()
    assert "# Be wary:\n# - 100 of the 200 rows" in text.partition("\n[promise]")[0]


def test_a_budget_is_written_into_the_policy_and_what_it_keeps_is_said(tmp_path):
    free = tuned(max_loss=0.02)
    up = free.curve.chosen.escalated
    capped = tuned(max_loss=0.02, budget=EscalationBudget(share=up / 2))
    assert capped.promise == free.promise
    assert any("no promise covers" in line for line in capped.warnings)
    assert not any("no promise covers" in line for line in free.warnings)
    assert read_policy(capped.save(tmp_path / "policy.toml")).policy.budget == EscalationBudget(share=up / 2)
    assert read_policy(tmp_path / "policy.toml").promise == free.promise
    wide = tuned(max_loss=0.02, budget=EscalationBudget(share=min(1.0, 2 * up)))
    assert not any("no promise covers" in line for line in wide.warnings)
    by_time = tuned(max_loss=0.02, budget=EscalationBudget(per_minute=60))
    assert any("the budget is not counted" in note for note in by_time.notes)
    with pytest.raises(Misconfigured, match="budget must be an EscalationBudget"):
        tuned(max_loss=0.02, budget=0.1)
