"""The threshold is the lowest one that the rows prove, and nothing is promised that they do not carry."""

import msgspec
import numpy as np
import pytest
from scipy import stats

from halocline.decide.certify import GRID
from halocline.decide.tune import (
    Escalate,
    Evidence,
    MaxLoss,
    Prices,
    naive_threshold,
    tune,
)
from halocline.errors import Misconfigured, Rejected


def evidence(n=2000, seed=0, *, groups=None, cloud=0.98, floor=0.5, **more):
    """Rows whose edge is right as often as its confidence says, and the cloud in 98 of 100."""
    rng = np.random.default_rng(seed)
    confidence = 1 - (1 - floor) * rng.random(n) ** 3
    made = Evidence(
        confidence=confidence,
        edge_index=rng.integers(0, 4, n),
        edge_correct=rng.random(n) < confidence,
        cloud_correct=rng.random(n) < cloud,
        label=rng.integers(0, 4, n),
        group=None if groups is None else rng.integers(0, groups, n),
    )
    return msgspec.structs.replace(made, **more)


def with_losses(positions, n=500):
    """Rows from the surest on, of which those at the positions are lost: wrong here, right in the cloud."""
    edge_correct = np.ones(n, dtype=bool)
    edge_correct[positions] = False
    return Evidence(
        confidence=np.linspace(0.99, 0.01, n),
        edge_index=np.zeros(n, dtype=int),
        edge_correct=edge_correct,
        cloud_correct=np.ones(n, dtype=bool),
    )


def escalated(rows, threshold):
    return float((rows.confidence < threshold).mean())


def lost(rows, threshold):
    return float((rows.lost & (rows.confidence >= threshold)).mean())


def test_learn_then_test_as_in_a_worked_example():
    """500 rows, 1 % at 0.1: p-values .0066, .0398, .1234 for 0, 1, 2 losses, so one may be answered here."""
    assert stats.binom.cdf([0, 1, 2], 500, 0.01) == pytest.approx([0.0066, 0.0398, 0.1234], abs=5e-5)
    rows = with_losses([100, 250, 300])
    choice = tune(rows, MaxLoss(0.01))
    assert rows.confidence[250] < choice.threshold <= rows.confidence[250] + 0.001
    assert (rows.lost & (rows.confidence >= choice.threshold)).sum() == 1


@pytest.mark.parametrize("loss", [0.01, 0.03])
@pytest.mark.parametrize("seed", range(5))
def test_the_threshold_is_that_of_fixed_sequence_testing_written_with_scipy(loss, seed):
    """Angelopoulos et al. (2021), algorithm 1 with one chain: test in order, stop at the first that fails."""
    rows = evidence(seed=seed)
    chosen = None
    for threshold in GRID:
        k = int((rows.lost & (rows.confidence >= threshold)).sum())
        if stats.binom.cdf(k, rows.rows, loss) > 0.1:
            break
        chosen = threshold
    assert tune(rows, MaxLoss(loss)).threshold == chosen


def test_the_promise_is_broken_in_at_most_alpha_of_the_draws_and_the_naive_threshold_in_half():
    population = evidence(20_000)
    rng = np.random.default_rng(1)
    broken = naive = 0
    for _ in range(200):
        drawn = rng.integers(0, population.rows, 500)
        rows = take(population, drawn)
        broken += lost(population, tune(rows, MaxLoss(0.01)).threshold) > 0.01
        naive += lost(population, naive_threshold(rows, 0.01)) > 0.01
    assert broken / 200 <= 0.1 + 2 * np.sqrt(0.09 / 200)
    assert naive / 200 >= 0.3


def take(rows, at):
    fields = {
        name: None if getattr(rows, name) is None else getattr(rows, name)[at]
        for name in rows.__struct_fields__
    }
    return Evidence(**fields)


def test_a_promise_says_for_whom_and_on_what_it_rests():
    promise = tune(evidence(), MaxLoss(0.01)).promise
    assert (promise.scope, promise.max_loss, promise.certified_loss, promise.alpha) == (
        "rows",
        0.01,
        0.01,
        0.1,
    )
    assert (promise.rows, promise.groups, promise.share) == (2000, None, None)
    assert "more rows like these" in promise.reason
    assert "2,000 rows" in promise.reason
    assert "10 %" in promise.reason


def test_too_few_rows_give_the_best_honest_promise_and_say_how_many_would_do():
    promise = tune(evidence(150), MaxLoss(0.01)).promise
    assert promise.scope == "rows"
    assert promise.max_loss == promise.certified_loss == pytest.approx(1 - 0.1 ** (1 / 150))
    assert "needs at least 230" in promise.reason
    assert "1.52 %" in promise.reason


def test_twenty_good_rows_promise_nothing_that_answering_all_at_the_edge_would_not():
    rows = evidence(20, floor=0.95)
    choice = tune(rows, MaxLoss(0.01))
    assert choice.promise.scope == "share"
    assert choice.promise.max_loss is choice.promise.alpha is None
    assert choice.promise.share == escalated(rows, choice.threshold)
    assert "10.9 %" in choice.promise.reason
    assert "needs at least 230" in choice.promise.reason
    assert any("only 20 rows" in line for line in choice.warnings)


def test_groups_are_promised_to_as_groups():
    promise = tune(evidence(12_000, groups=300), MaxLoss(0.02)).promise
    assert (promise.scope, promise.groups, promise.rows) == ("groups", 300, 12_000)
    assert "new groups like these" in promise.reason


def test_22_groups_cannot_promise_one_percent_and_a_share_is_held_instead():
    rows = evidence(12_000, groups=22)
    choice = tune(rows, MaxLoss(0.01))
    assert choice.promise.scope == "share"
    assert choice.promise.share == escalated(rows, choice.threshold)
    assert "22 groups cannot prove a loss below 9.94 %" in choice.promise.reason
    assert "at least 230" in choice.promise.reason
    assert lost(rows, choice.threshold) <= 0.01


def test_22_groups_can_promise_what_they_support_where_none_loses():
    rows = evidence(2200, groups=22, cloud=0.0)  # nothing is lost to a cloud that is never right
    assert tune(rows, MaxLoss(0.0995)).promise.scope == "groups"
    assert tune(rows, MaxLoss(0.0993)).promise.scope == "share"


def test_the_threshold_of_groups_is_that_of_the_product_written_out():
    rows = evidence(3000, groups=180)
    chosen = None
    for threshold in GRID:
        loses = rows.lost & (rows.confidence >= threshold)
        means = np.array([loses[rows.group == g].mean() for g in range(180)])
        if np.prod((1 - 0.02) / (1 - means)) > 0.1:
            break
        chosen = threshold
    assert tune(rows, MaxLoss(0.02)).threshold == chosen


def test_groups_named_by_strings_are_groups():
    rows = evidence(9000, groups=280)
    named = msgspec.structs.replace(rows, group=np.array([f"patient {g}" for g in rows.group]))
    assert tune(named, MaxLoss(0.02)).threshold == tune(rows, MaxLoss(0.02)).threshold


def test_one_group_promises_nothing_about_new_ones():
    choice = tune(evidence(2000, groups=1), MaxLoss(0.1))
    assert choice.promise.scope == "share"
    assert any("one group says nothing about new ones" in line for line in choice.warnings)


def test_without_labels_the_cloud_is_the_truth_and_it_says_so():
    rows = msgspec.structs.replace(evidence(), cloud_correct=None, label=None)
    choice = tune(rows, MaxLoss(0.01))
    assert choice.promise.scope == "rows"
    assert "cloud's answers are taken as the truth" in choice.promise.reason
    assert any("no labels" in line for line in choice.warnings)
    assert choice.curve.accuracy[-1] == 1.0


def test_answers_of_confidence_one_that_are_wrong_are_counted():
    """A threshold of 1 still answers them, so there is none that keeps the promise."""
    rows = evidence()
    sure = msgspec.structs.replace(rows, confidence=np.where(rows.confidence > 0.6, 1.0, rows.confidence))
    choice = tune(sure, MaxLoss(0.01))
    assert choice.promise.max_loss is None or choice.promise.max_loss > lost(sure, 1.0)
    assert choice.threshold == 1.0
    assert "confidence 1" in choice.promise.reason


def test_a_share_sends_up_that_share_of_the_rows():
    rows = evidence()
    choice = tune(rows, Escalate(0.27))
    assert escalated(rows, choice.threshold) == pytest.approx(0.27)
    assert (choice.promise.scope, choice.promise.share, choice.promise.max_loss) == ("share", 0.27, None)
    for share, expected in ((0.0, 0.0), (1.0, 1.0)):
        assert escalated(rows, tune(rows, Escalate(share)).threshold) == expected


def test_a_share_that_equal_confidences_cannot_hit_is_said():
    rows = evidence(confidence=np.repeat([0.5, 0.9], 1000))
    choice = tune(rows, Escalate(0.27))
    assert any("same confidence" in line for line in choice.warnings)


def test_prices_are_weighed_against_each_other():
    rows = evidence()
    cheap_cloud, dear_cloud = tune(rows, Prices(0.0001, 1.0)), tune(rows, Prices(1.0, 0.0001))
    assert escalated(rows, dear_cloud.threshold) == 0.0
    assert escalated(rows, cheap_cloud.threshold) > 0.5
    assert cheap_cloud.promise.scope == "none"


def test_the_price_paid_is_the_least_of_all_thresholds():
    rows = evidence(400)
    threshold = tune(rows, Prices(0.01, 0.2)).threshold

    def cost(at):
        up = rows.confidence < at
        wrong = np.where(up, ~rows.cloud_correct, ~rows.edge_correct)
        return (up * 0.01 + wrong * 0.2).sum()

    assert cost(threshold) == pytest.approx(min(cost(at) for at in [*rows.confidence, 1.0, 0.0]))


def test_a_class_floor_is_promised_where_it_can_be_proven():
    rows = evidence(8000, cloud=0.99)
    free, floored = tune(rows, MaxLoss(0.1)), tune(rows, MaxLoss(0.1), class_floors={2: 0.97})
    assert floored.promise.class_floors == {2: 0.97}
    assert "recall of class 2 is at least 97 %" in floored.promise.reason
    assert floored.threshold > free.threshold
    own = take(rows, rows.label == 2)
    kept = np.where(own.confidence < floored.threshold, own.cloud_correct, own.edge_correct)
    assert stats.binom.cdf(int((~kept).sum()), own.rows, 0.03) <= 0.05


def test_a_class_floor_above_what_the_cloud_reaches_is_not_promised_and_says_what_is_reached():
    choice = tune(evidence(8000, cloud=0.7), MaxLoss(0.05), class_floors={2: 0.99})
    assert choice.promise.class_floors == {}
    assert choice.promise.max_loss == 0.05
    assert any("class 2" in line and "below its floor" in line for line in choice.warnings)


def test_a_class_floor_that_too_few_rows_prove_is_met_on_the_rows_and_not_promised():
    rows = evidence(400, cloud=0.999)
    choice = tune(rows, MaxLoss(0.1), class_floors={2: 0.97})
    assert choice.promise.class_floors == {}
    assert any("is not promised" in line for line in choice.warnings)
    own = take(rows, rows.label == 2)
    assert np.where(own.confidence < choice.threshold, own.cloud_correct, own.edge_correct).mean() >= 0.97


def test_the_curve_is_what_each_threshold_did():
    rows = evidence(500)
    curve = tune(rows, Prices(0.01, 0.2)).curve
    assert len(curve.threshold) == len(curve.cost) <= 201
    for at in (0, 50, 120, len(curve.threshold) - 1):
        up = rows.confidence < curve.threshold[at]
        right = np.where(up, rows.cloud_correct, rows.edge_correct)
        assert curve.escalated[at] == pytest.approx(up.mean())
        assert curve.accuracy[at] == pytest.approx(right.mean())
        assert curve.loss[at] == pytest.approx(lost(rows, curve.threshold[at]))
        assert curve.cost[at] == pytest.approx(0.01 * up.mean() + 0.2 * (1 - right.mean()))
    assert (curve.escalated[0], curve.escalated[-1]) == (0.0, 1.0)
    assert np.isnan(tune(rows, Escalate(0.5)).curve.cost).all()


def test_duplicated_rows_are_found_with_and_without_digests():
    rows = evidence(400)
    twice = take(rows, np.concatenate([np.arange(400), np.arange(200)]))
    for given in (twice, msgspec.structs.replace(twice, row_id=np.r_[np.arange(400), np.arange(200)])):
        (line,) = (w for w in tune(given, MaxLoss(0.05)).warnings if "fake certainty" in w)
        # Without digests, rows whose confidence is all but 1 are not counted: there, others meet too.
        assert 190 <= int(line.split()[0]) <= 200
        assert "of 600 rows" in line
    assert not tune(rows, MaxLoss(0.05)).warnings


def test_copies_in_one_group_promise_no_more_than_the_rows_do():
    """What the warning about copies tells people to do: then each row counts once."""
    rows = evidence(300)
    once = msgspec.structs.replace(rows, group=np.arange(300))
    ten = take(once, np.tile(np.arange(300), 10))
    assert tune(ten, MaxLoss(0.02)).threshold == tune(once, MaxLoss(0.02)).threshold


def test_a_model_that_knows_few_confidences_is_not_taken_for_copies():
    rows = evidence(1000)
    coarse = msgspec.structs.replace(rows, confidence=np.round(rows.confidence, 1))
    saturated = msgspec.structs.replace(
        rows, confidence=np.where(rows.confidence > 0.7, 1.0, rows.confidence)
    )
    for given in (coarse, saturated):
        assert not [w for w in tune(given, MaxLoss(0.3)).warnings if "fake certainty" in w]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"label": np.full(2000, 3)}, "every row is of class 3"),
        ({"edge_correct": np.ones(2000, dtype=bool)}, "right in every row"),
        ({"edge_correct": np.zeros(2000, dtype=bool)}, "wrong in every row"),
    ],
)
def test_data_that_say_little_are_warned_about(changed, said):
    warnings = tune(evidence(**changed), MaxLoss(0.05)).warnings
    assert any(said in line for line in warnings)


def test_a_cloud_that_never_helps_is_said():
    rows = evidence()
    useless = msgspec.structs.replace(rows, cloud_correct=rows.edge_correct)
    assert any("escalation gains nothing" in line for line in tune(useless, MaxLoss(0.05)).warnings)


def nan_at(values, *at):
    values = values.copy()
    values[list(at)] = np.nan
    return values


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"confidence": nan_at(evidence().confidence, 0, 9)}, "2 of 2000 rows is NaN"),
        ({"confidence": evidence().confidence * 100}, r"confidence must be in \[0, 1\]"),
        ({"edge_correct": np.ones(5, dtype=bool)}, r"edge_correct must have the shape \[2000\], got \[5\]"),
        ({"edge_correct": np.ones(2000)}, "edge_correct must be bool"),
        ({"group": nan_at(np.zeros(2000), 3)}, "the group of 1 of 2000 rows is NaN"),
    ],
)
def test_rows_that_cannot_be_tuned_on_are_refused(changed, said):
    with pytest.raises(Rejected, match=said) as caught:
        tune(evidence(**changed), MaxLoss(0.05))
    assert caught.value.code == "HAL-601"


def test_no_rows_are_refused():
    with pytest.raises(Rejected, match="no rows"):
        tune(take(evidence(), []), MaxLoss(0.05))


def test_rows_without_an_answer_always_go_up():
    rows = evidence()
    holed = msgspec.structs.replace(rows, confidence=np.where(np.arange(2000) < 200, -1.0, rows.confidence))
    assert tune(holed, Escalate(0.0)).curve.escalated[0] == pytest.approx(0.1)
    assert tune(holed, MaxLoss(0.4)).threshold == 0.0


@pytest.mark.parametrize(
    ("changed", "floors", "said"),
    [
        ({"label": None, "cloud_correct": None}, {1: 0.9}, "needs labels"),
        ({}, {9: 0.9}, "has a recall floor and no row"),
    ],
)
def test_a_floor_needs_labelled_rows_of_its_class(changed, floors, said):
    with pytest.raises(Rejected, match=said) as caught:
        tune(evidence(**changed), MaxLoss(0.05), class_floors=floors)
    assert caught.value.code == "HAL-602"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: MaxLoss(1.0), "max_loss must be between 0 and 1, got 1.0. Did you mean 0.01"),
        (lambda: MaxLoss(0.01, alpha=0.0), "alpha must be between"),
        (lambda: Escalate(27), "Did you mean 0.27"),
        (lambda: Escalate(float("nan")), "escalate must be in"),
        (lambda: Prices(-1.0, 1.0), "cloud_usd must be"),
        (lambda: tune(evidence(), MaxLoss(0.05), class_floors={1: 1.0}), "recall floor of class 1"),
    ],
)
def test_a_target_out_of_its_range_is_refused(make, said):
    with pytest.raises(Misconfigured, match=said):
        make()


def test_a_promise_for_groups_says_that_it_is_a_mean_over_them_and_warns_where_one_is_most_rows():
    rows = evidence(12_000, groups=300)
    choice = tune(rows, MaxLoss(0.02))
    said = "at most 2 % of a group's answers are lost against the cloud, on average over such groups"
    assert said in choice.promise.reason
    assert not any("rows lost" in line for line in choice.warnings)
    # One ward of a hundred sends half of all rows, and loses a third of them.
    n = 198
    group = np.concatenate([np.arange(n), np.full(n, n)])
    wrong = np.zeros(2 * n, dtype=bool)
    wrong[n : n + n // 3] = True
    uneven = Evidence(
        confidence=np.full(2 * n, 0.9),
        edge_index=np.zeros(2 * n, dtype=int),
        edge_correct=~wrong,
        cloud_correct=np.ones(2 * n, dtype=bool),
        group=group,
    )
    choice = tune(uneven, MaxLoss(0.02))
    assert (choice.threshold, choice.promise.max_loss) == (0.0, 0.02)
    assert any("16.7 % of all rows are lost" in line for line in choice.warnings)


def test_one_row_or_group_is_said_in_the_singular():
    assert "these 1 " not in tune(evidence(1), MaxLoss(0.01)).promise.reason
    assert "1 groups" not in tune(evidence(200, groups=1), MaxLoss(0.01)).promise.reason


@pytest.mark.parametrize(("n", "groups", "offered"), [(20, None, "10.9 %"), (2000, 1, "90.1 %")])
def test_a_share_that_hardly_ever_asks_the_cloud_is_warned_about_and_what_can_be_promised_is_offered(
    n, groups, offered
):
    rows = evidence(n, groups=groups, edge_correct=np.ones(n, dtype=bool))
    choice = tune(rows, MaxLoss(0.01))
    assert choice.promise.share == 0.0
    said = next(line for line in choice.warnings if "hardly ever asks the cloud" in line)
    assert "1 % needs at least 230" in said
    assert f"what these data can prove is a loss of {offered}," in said
    asked = tune(rows, MaxLoss(float(offered.removesuffix(" %")) / 100)).promise
    assert asked.max_loss is not None, "what is offered can be had"


def test_a_promise_says_where_it_is_cheap_because_a_tier_is_never_right():
    never = tune(evidence(cloud=0.0), MaxLoss(0.01)).promise
    assert "the cloud is right in none of these rows, so nothing can be lost to it" in never.reason
    wrong = tune(evidence(edge_correct=np.zeros(2000, dtype=bool)), MaxLoss(0.01)).promise
    assert "the edge is wrong in every one of these rows" in wrong.reason
