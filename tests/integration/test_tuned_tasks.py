"""Tuning, evaluating and policy files do for detectors, regressors and scorers what they do for classes."""

import numpy as np
import pytest
from test_tiered_tasks import DOG, LABELS, QUANTILES, SURE, OtherDetector, echo, edge_detector, seen

import halocline as hc
from halocline.tuning.tuned import Tuned

SCORE = hc.ScoreOutput(threshold=1.0, scale=0.2)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HALOCLINE_CACHE", str(tmp_path / "cache"))


def known_rows(rows=600, seed=0):
    """Intervals of any width around the truth; the narrow ones are right more often."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 100, rows)
    width = rng.uniform(0.2, 10, rows)
    value = truth + rng.normal(0, width / 3)
    return np.stack([value - width / 2, value, value + width / 2], axis=1).astype(np.float32), truth


def exact(x, truth):
    """A cloud that knows the truth of these rows, and counts the rows that it is asked about."""
    known = {tuple(row): value for row, value in zip(x.tolist(), truth, strict=True)}
    asked = []

    def cloud(batch):
        asked.append(len(batch))
        said = np.float32([known[tuple(row)] for row in np.asarray(batch).tolist()])
        return {"out": np.stack([said - 0.1, said, said + 0.1], axis=1)}

    cloud.asked = asked
    return cloud


def test_a_regressors_threshold_is_tuned_on_what_is_lost_against_the_cloud(tmp_path):
    x, truth = known_rows()
    edge = echo(QUANTILES, 3)
    tuned = hc.tune(edge, exact(x, truth), x, truth, max_loss=0.1, tolerance=1.0)
    wrong = np.abs(x[:, 1] - truth) > 1.0
    stays = 1 - (x[:, 2] - x[:, 0]) / 10 >= tuned.policy.threshold
    assert tuned.promise.max_loss == 0.1
    assert 0 < (wrong & stays).mean() <= 0.1
    assert 0.2 < stays.mean() < 0.9
    assert (tuned.file.task, tuned.file.tolerance, tuned.policy.temperature) == ("regress", 1.0, 1.0)
    apart = np.abs(x[:, 1] - truth) > 0.11  # beyond the cloud's interval: what a spot check would find
    assert (apart & stays).mean() < tuned.file.disagreement < apart.mean()
    path = tuned.save(tmp_path / "policy.toml")
    with hc.Tiered(edge, exact(x, truth), policy=path, deadline_s=5.0) as tiered:
        up = [reply.tier is hc.Tier.CLOUD for reply in tiered.infer_batch(x)]
        assert tiered.health().promise is not None
    np.testing.assert_array_equal(up, ~stays)
    measured = hc.evaluate(edge, exact(x, truth), path, x, truth)
    assert (measured.rows, measured.cloud.accuracy.value, measured.task) == (len(x), 1.0, hc.Task.REGRESS)
    assert measured.edge.accuracy.value == pytest.approx(1 - wrong.mean())
    assert measured.lost.value == pytest.approx((wrong & stays).mean())
    assert measured.tiered.accuracy.value == pytest.approx(1 - measured.lost.value)
    assert measured.escalated.value == pytest.approx(np.mean(up))
    (off,) = measured.measures
    assert (off.name, off.is_share) == ("mean absolute error", False)
    assert off.edge == pytest.approx(np.abs(x[:, 1] - truth).mean(), rel=1e-4)
    assert off.cloud == pytest.approx(0.0, abs=1e-4)
    assert off.tiered == pytest.approx(np.abs(x[:, 1] - truth)[stays].sum() / len(x), rel=1e-3)


def test_a_constant_is_what_a_regressor_is_compared_with():
    x, truth = known_rows()
    truth[:400] = 50.0
    tuned = hc.tune(echo(QUANTILES, 3), exact(x, truth), x, truth, escalate=0.2, tolerance=2.0)
    base = tuned.curve.baselines
    assert base.majority == pytest.approx((np.abs(truth - 50.0) <= 2.0).mean())
    assert base.majority_label == "50"
    assert not any("class" in line for line in tuned.warnings)


def test_a_promise_for_one_tolerance_says_nothing_of_another():
    x, truth = known_rows()
    cloud = exact(x, truth)
    tuned = hc.tune(echo(QUANTILES, 3), cloud, x, truth, max_loss=0.1, tolerance=1.0)
    other, other_truth = known_rows(seed=1)
    measured = hc.evaluate(
        echo(QUANTILES, 3), exact(other, other_truth), tuned, other, other_truth, tolerance=3.0
    )
    assert measured.promise.state == "none"
    assert "tolerance 1, this one is 3" in measured.promise.told


def test_without_truth_the_cloud_is_the_truth():
    x, _ = known_rows(80)
    tuned = hc.tune(echo(QUANTILES, 3), lambda batch: {"out": batch}, x, escalate=0.25)
    assert tuned.curve.truth == "cloud"
    assert tuned.curve.baselines.edge == 1.0
    assert tuned.file.tolerance is None


def scored(rows=600, seed=0):
    """Scores about the threshold of 1, true with more chance the higher they are."""
    rng = np.random.default_rng(seed)
    score = rng.normal(0.6, 0.5, rows)
    truth = rng.random(rows) < 1 / (1 + np.exp(-(score - 1.0) / 0.2))
    return np.float32(score[:, None]), truth.astype(int)


def oracle(x, truth):
    known = {float(row[0]): value for row, value in zip(x, truth, strict=True)}
    return lambda batch: {"out": np.float32([[5.0 * known[float(row[0])]] for row in np.asarray(batch)])}


def test_a_scorers_verdicts_are_two_classes_with_precision_recall_and_floors(tmp_path):
    x, truth = scored()
    edge = echo(SCORE, 1)
    tuned = hc.tune(edge, oracle(x, truth), x, truth, max_loss=0.05, class_floors={"anomaly": 0.5})
    assert tuned.promise.max_loss == 0.05
    assert tuned.promise.class_floors == {1: 0.5}
    assert "'anomaly'" in tuned.promise.reason
    assert tuned.curve.baselines.majority_label == "normal"
    tuned.save(tmp_path / "policy.toml")
    assert 'task = "score"' in (tmp_path / "policy.toml").read_text()
    measured = hc.evaluate(edge, oracle(x, truth), tmp_path / "policy.toml", x, truth)
    assert set(measured.edge.recall) == {"normal", "anomaly"}
    said = x[:, 0] >= 1.0
    precision, recall = measured.measures
    assert precision.edge == pytest.approx((said & (truth == 1)).sum() / said.sum())
    assert recall.edge == pytest.approx((said & (truth == 1)).sum() / truth.sum())
    assert recall.edge == measured.edge.recall["anomaly"].value
    assert (precision.cloud, recall.cloud) == (1.0, 1.0)
    assert recall.edge < recall.tiered < 1.0


def test_the_clouds_outputs_are_kept_and_asked_for_once(tmp_path):
    x, truth = scored(200)
    cloud = echo(hc.ScoreOutput(threshold=1.2, scale=0.2), 1)
    first = hc.tune(echo(SCORE, 1), cloud, x, truth, escalate=0.2, cache=tmp_path)
    again = hc.tune(echo(SCORE, 1), cloud, x, truth, escalate=0.2, cache=tmp_path)
    assert (first.cost.rows_asked, again.cost.rows_asked, again.cost.rows_known) == (200, 0, 200)
    assert again.file.promise == first.file.promise
    assert (again.curve.accuracy == first.curve.accuracy).all()
    boxes = np.stack([seen((DOG, (0.0, 0.5 + at / 200))) for at in range(60)])
    runs = [
        hc.tune(edge_detector(), OtherDetector()(), boxes, escalate=0.5, cache=tmp_path) for _ in range(2)
    ]
    assert [run.cost.rows_asked for run in runs] == [60, 0]
    assert runs[0].curve.baselines == runs[1].curve.baselines


def boxes_of(*corners, labels):
    return hc.Boxes(
        xyxy=np.float32(corners).reshape(-1, 4),
        index=np.arange(len(labels)) + 7,
        scores=np.ones(len(labels), np.float32),
        labels=tuple(labels),
    )


def test_boxes_are_right_by_name_whatever_their_order():
    dogs = boxes_of(DOG, labels=["dog"])
    x = np.stack([seen((DOG, (0.0, 0.6 + at / 200))) for at in range(60)])
    tuned = hc.tune(edge_detector(), OtherDetector()(), x, [dogs] * 60, escalate=0.5)
    base = tuned.curve.baselines
    assert (base.edge, base.cloud, base.majority, base.majority_label) == (1.0, 0.0, 0.0, "nothing there")
    assert tuned.file.task == "detect"
    measured = hc.evaluate(edge_detector(), OtherDetector()(), tuned, x, [dogs] * 60)
    assert {each.name: each.edge for each in measured.measures} == {
        "mAP at .5": pytest.approx(1.0),
        "mAP .5 to .95": pytest.approx(1.0),
    }
    assert measured.edge.recall == {}
    with pytest.raises(hc.Rejected, match="'emu' is no label of model"):
        hc.tune(edge_detector(), OtherDetector()(), x, [boxes_of(DOG, labels=["emu"])] * 60, escalate=0.5)


def test_a_truth_that_is_none_is_refused_before_the_cloud_is_asked():
    def cloud(batch):
        raise AssertionError("asked")

    x = np.ones((60, 1), np.float32)
    with pytest.raises(hc.Rejected, match=r"0 or 1, whether it is an anomaly for each row, got 2.* in row 3"):
        hc.tune(echo(SCORE, 1), cloud, x, [0, 1, 0, 2] * 15, escalate=0.1)
    wide = np.ones((60, 3), np.float32)
    with pytest.raises(hc.Rejected, match="must hold a number for each row, got nan in row 0"):
        hc.tune(echo(QUANTILES, 3), cloud, wide, [np.nan] * 60, escalate=0.1, tolerance=1.0)
    with pytest.raises(hc.Rejected, match=r"y must hold hc\.Boxes for each picture, got int"):
        hc.tune(edge_detector(), cloud, np.stack([SURE] * 60), [1] * 60, escalate=0.1)
    with pytest.raises(hc.Rejected, match="y must have one value for each of the 60 rows"):
        hc.tune(echo(QUANTILES, 3), cloud, wide, np.ones(59), tolerance=1)


@pytest.mark.parametrize("tolerance", [None, 0, -1.0, True, float("nan"), "1"])
def test_a_regressors_tolerance_is_asked_for_and_never_guessed(tolerance):
    x, truth = known_rows(60)
    with pytest.raises(hc.Misconfigured, match="tolerance must say how far") as caught:
        hc.tune(echo(QUANTILES, 3), lambda batch: {"out": batch}, x, truth, tolerance=tolerance)
    assert caught.value.code == "HAL-102"


def test_a_tolerance_that_has_no_meaning_is_refused():
    x, _ = known_rows(60)
    with pytest.raises(hc.Misconfigured, match="without labels a value is right where"):
        hc.tune(echo(QUANTILES, 3), lambda batch: {"out": batch}, x, tolerance=1.0)
    with pytest.raises(hc.Misconfigured, match=r"is said to score\. Leave it out"):
        hc.tune(echo(SCORE, 1), lambda batch: {"out": batch}, *scored(60), tolerance=1.0)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"novelty": True}, "novelty"),
        ({"temperature": 2.0}, "temperature"),
        ({"score": "margin"}, "score"),
        ({"class_floors": {LABELS[0]: 0.9}}, "class_floors"),
    ],
)
def test_what_works_on_classes_alone_is_refused_elsewhere(setting, said):
    with pytest.raises(hc.Misconfigured, match=said) as caught:
        hc.tune(edge_detector(), OtherDetector()(), np.stack([SURE] * 60), escalate=0.5, **setting)
    assert caught.value.code == "HAL-333"


def test_a_policy_of_another_task_is_refused():
    x, truth = scored(100)
    tuned = hc.tune(echo(SCORE, 1), oracle(x, truth), x, truth, escalate=0.2)
    assert isinstance(tuned, Tuned)
    with pytest.raises(hc.Misconfigured) as caught:
        hc.Tiered(echo(QUANTILES, 3), lambda batch: {"out": batch}, policy=tuned)
    assert caught.value.code == "HAL-207"
