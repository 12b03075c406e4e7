"""What detectors, regressors and scorers say is read as described: values, and how sure they are."""

import numpy as np
import pytest

import halocline as hc
from halocline.decide.tasks import task_reader
from halocline.decide.tasks.same import is_same
from halocline.records import Anomaly, Boxes, Interval, ModelRef, ModelSpec, TensorSpec

LABELS = ("cat", "dog", "emu")
SHAPE = (1, 3, 100, 200)


def spec(output, *outputs, labels=LABELS, shape=SHAPE):
    """A model with this input and outputs of these names."""
    return ModelSpec(
        ref=ModelRef("m"),
        inputs=(TensorSpec("x", "float32", shape),),
        outputs=tuple(TensorSpec(name, "float32", (-1, -1, -1)) for name in outputs),
        labels=labels,
        task=output.task,
        output=output,
    )


def read(output, given, rows=1, *, order=None, **more):
    model = spec(output, *given, **more)
    said = task_reader(model, model.labels, order).read(given, rows)
    return said.values, said.confidence


def f32(value):
    return np.asarray(value, np.float32)


# Boxes in pixels of an input of 200 x 100, as (centre, size): a cat on the left, an emu on the right.
CAT = [50, 50, 40, 60]
EMU = [150, 50, 40, 60]
CAT_XYXY = [0.15, 0.2, 0.35, 0.8]
EMU_XYXY = [0.65, 0.2, 0.85, 0.8]


def yolo(*candidates):
    """`[1, 4 + 3, n]` of (box, scores) pairs."""
    return f32([[*box, *scores] for box, scores in candidates]).T[None]


def test_yolo_boxes_are_fractions_of_the_picture_with_names():
    given = yolo((CAT, [0.9, 0.1, 0]), (EMU, [0, 0.2, 0.8]))
    (boxes,), _ = read(hc.DetectOutput(layout="yolo"), {"out": given})
    assert boxes.labels == ("cat", "emu")
    assert boxes.index.tolist() == [0, 2]
    np.testing.assert_allclose(boxes.xyxy, [CAT_XYXY, EMU_XYXY], atol=1e-6)
    np.testing.assert_allclose(boxes.scores, [0.9, 0.8], atol=1e-6)
    assert (boxes.xyxy.dtype, boxes.index.dtype, boxes.scores.dtype) == (np.float32, np.int64, np.float32)


def test_yolo_with_channels_last_and_objectness_gives_the_same():
    rows = f32([[[*CAT, 0.9, 1.0, 0.1, 0], [*EMU, 0.8, 0, 0.2, 1.0]]])
    form = hc.DetectOutput(layout="yolo", axes="channels_last", objectness=True)
    (boxes,), _ = read(form, {"out": rows})
    assert boxes.labels == ("cat", "emu")
    np.testing.assert_allclose(boxes.scores, [0.9, 0.8], atol=1e-6)


def test_corners_in_fractions_are_read_as_said():
    given = f32([[[*CAT_XYXY, 0.9, 0, 0]]])
    form = hc.DetectOutput(layout="yolo", axes="channels_last", corners="xyxy", units="fractions")
    (boxes,), _ = read(form, {"out": given}, shape=(1, -1))
    np.testing.assert_allclose(boxes.xyxy, [CAT_XYXY], atol=1e-6)


def test_logits_are_made_probabilities_where_it_is_said():
    logits = np.log(np.array([0.9, 0.1, 0.02]) / (1 - np.array([0.9, 0.1, 0.02])))
    (boxes,), _ = read(
        hc.DetectOutput(layout="yolo", activation="sigmoid"), {"out": yolo((CAT, list(logits)))}
    )
    np.testing.assert_allclose(boxes.scores, [0.9], atol=1e-5)


def test_ssd_names_its_classes_or_scores_them():
    boxes = f32([[CAT_XYXY, EMU_XYXY, [0, 0, 0, 0]]])
    scored = {"boxes": boxes, "scores": f32([[[0.05, 0.9, 0.05, 0], [0.1, 0, 0.1, 0.8], [1, 0, 0, 0]]])}
    form = hc.DetectOutput(layout="ssd", boxes_output="boxes", scores_output="scores", background=0)
    (by_score,), _ = read(form, scored)
    named = {
        "boxes": boxes[:, :, [1, 0, 3, 2]],
        "scores": f32([[0.9, 0.8, 0.7]]),
        "classes": f32([[1, 3, 1]]),
        "count": f32([2]),
    }
    form = hc.DetectOutput(
        layout="ssd",
        boxes_output="boxes",
        scores_output="scores",
        classes_output="classes",
        count_output="count",
        first_class=1,
        corners="yxyx",
    )
    (by_name,), _ = read(form, named)
    for each in (by_score, by_name):
        assert each.labels == ("cat", "emu")
        np.testing.assert_allclose(each.xyxy, [CAT_XYXY, EMU_XYXY], atol=1e-6)
        np.testing.assert_allclose(each.scores, [0.9, 0.8], atol=1e-6)


@pytest.mark.parametrize(("count", "found"), [(2.0, 2), (1, 1), (0, 0), (-1, 0), (99, 2), (np.nan, 0)])
def test_a_count_says_how_many_boxes_there_are_and_never_more(count, found):
    given = {
        "boxes": f32([[CAT_XYXY, EMU_XYXY]]),
        "scores": f32([[0.9, 0.8]]),
        "classes": f32([[0, 2]]),
        "count": np.array([[count]]),
    }
    form = hc.DetectOutput(
        layout="ssd",
        boxes_output="boxes",
        scores_output="scores",
        classes_output="classes",
        count_output="count",
    )
    (boxes,), _ = read(form, given)
    assert len(boxes) == found
    with pytest.raises(hc.Misconfigured, match="'count' is missing"):
        task_reader(spec(form, *given)).read({name: given[name] for name in list(given)[:3]}, 1)


def test_of_boxes_that_overlap_one_a_class_stays():
    near = [52, 50, 40, 60]
    given = yolo((CAT, [0.7, 0, 0]), (near, [0.9, 0, 0]), (near, [0, 0.6, 0]))
    (boxes,), _ = read(hc.DetectOutput(layout="yolo"), {"out": given})
    assert boxes.labels == ("cat", "dog")
    np.testing.assert_allclose(boxes.scores, [0.9, 0.6], atol=1e-6)


def test_a_picture_in_which_nothing_stirs_is_sure_to_be_empty():
    (boxes,), sure = read(hc.DetectOutput(layout="yolo"), {"out": yolo((CAT, [0, 0, 0]))})
    assert len(boxes) == 0
    assert sure[0] == 1.0


def test_no_box_is_no_confidence_where_one_nearly_was():
    form = hc.DetectOutput(layout="yolo", score_threshold=0.25)
    (faint,), sure = read(form, {"out": yolo((CAT, [0.24, 0, 0]))})
    assert len(faint) == 0
    assert sure[0] == pytest.approx(1 - 0.24 / 0.25)


def test_a_sure_box_does_not_hide_one_that_nearly_was():
    form = hc.DetectOutput(layout="yolo", score_threshold=0.25)
    _, sure = read(form, {"out": yolo((CAT, [0.99, 0, 0]), (EMU, [0, 0, 0.2]))})
    assert sure[0] == pytest.approx(1 - 0.2 / 0.25, abs=1e-6)


def test_the_shadow_of_a_found_box_is_no_doubt():
    form = hc.DetectOutput(layout="yolo", score_threshold=0.25)
    _, sure = read(form, {"out": yolo((CAT, [0.99, 0, 0]), ([51, 50, 40, 60], [0, 0.2, 0]))})
    assert sure[0] == pytest.approx(0.99, abs=1e-6)


def test_the_least_margin_between_classes_decides_among_boxes():
    _, sure = read(hc.DetectOutput(layout="yolo"), {"out": yolo((CAT, [0.9, 0.1, 0]), (EMU, [0, 0.5, 0.6]))})
    assert sure[0] == pytest.approx(0.1, abs=1e-6)


def test_a_calibrated_floor_takes_the_place_of_the_rule():
    form = hc.DetectOutput(layout="yolo", floor=(1.0, 0.0))  # the chance of a miss is the score itself
    _, sure = read(form, {"out": yolo((CAT, [0.2, 0, 0]))})
    assert sure[0] == pytest.approx(0.8)


def test_more_boxes_than_may_be_told_are_not_sure():
    form = hc.DetectOutput(layout="yolo", max_boxes=1)
    (boxes,), sure = read(form, {"out": yolo((CAT, [0.9, 0, 0]), (EMU, [0, 0, 0.8]))})
    assert boxes.labels == ("cat",)
    assert sure[0] == 0.0


def test_a_picture_with_nan_has_no_answer_and_the_others_have():
    given = np.concatenate([yolo((CAT, [0.9, 0, 0])), yolo((CAT, [np.nan, 0, 0]))])
    values, sure = read(hc.DetectOutput(layout="yolo"), {"out": given}, rows=2)
    assert values[0].labels == ("cat",)
    assert values[1] is None
    assert sure[1] == -1.0


def test_boxes_are_cut_at_the_edge_of_the_picture_and_none_lies_outside():
    out, half = [-50, 50, 40, 60], [0, 50, 40, 60]
    given = yolo((out, [0.9, 0, 0]), (half, [0.8, 0, 0]))
    (boxes,), _ = read(hc.DetectOutput(layout="yolo"), {"out": given})
    np.testing.assert_allclose(boxes.xyxy, [[0, 0.2, 0.1, 0.8]], atol=1e-6)


def test_the_clouds_classes_are_put_in_the_edges_order():
    model = spec(hc.DetectOutput(layout="yolo"), "out", labels=("emu", "cat", "dog"))
    reader = task_reader(model, LABELS, np.array([2, 0, 1]))
    (boxes,), _ = reader.read({"out": yolo((CAT, [0.9, 0, 0]))}, 1)
    assert boxes.labels == ("emu",)
    assert boxes.index.tolist() == [2]


@pytest.mark.parametrize(
    ("form", "given", "said"),
    [
        (
            {"layout": "yolo"},
            {"out": np.zeros((1, 9, 5))},
            "has 9 numbers a box, expected 7 (4 and one a class)",
        ),
        ({"layout": "yolo"}, {"out": np.zeros((1, 7))}, "expected numbers with 3 axes"),
        (
            {"layout": "ssd", "boxes_output": "b", "scores_output": "s"},
            {"b": np.zeros((1, 5, 4)), "s": np.zeros((1, 6, 3))},
            "of equally many boxes",
        ),
        (
            {"layout": "ssd", "boxes_output": "b", "scores_output": "s", "classes_output": "c"},
            {"b": np.zeros((1, 5, 4)), "s": np.ones((1, 5)), "c": np.full((1, 5), 3)},
            "see detect.first_class",
        ),
    ],
)
def test_outputs_that_are_not_as_described_are_refused_with_what_came(form, given, said):
    with pytest.raises(hc.Misconfigured) as caught:
        read(hc.DetectOutput(**form), given)
    assert caught.value.code == "HAL-331"
    assert said in caught.value.message


@pytest.mark.parametrize("shape", [(1, 7), (1, -1, -1, 3), (1, 3, 3, 3)])
def test_boxes_in_pixels_need_the_size_of_the_input(shape):
    with pytest.raises(hc.Misconfigured) as caught:
        read(hc.DetectOutput(layout="yolo"), {"out": yolo((CAT, [1, 0, 0]))}, shape=shape)
    assert caught.value.code == "HAL-330"
    form = hc.DetectOutput(layout="yolo", width=200, height=100)
    (boxes,), _ = read(form, {"out": yolo((CAT, [1, 0, 0]))}, shape=shape)
    np.testing.assert_allclose(boxes.xyxy, [CAT_XYXY], atol=1e-6)


def test_quantiles_are_an_interval_and_its_width_is_doubt():
    form = hc.RegressOutput(kind="quantiles", full_width=10)
    given = f32([[1, 2, 3], [0, 5, 10], [-50, 0, 50], [0, np.nan, 1]])
    values, sure = read(form, {"out": given}, rows=4)
    assert values[0] == Interval(2.0, 1.0, 3.0)
    assert values[3] is None
    np.testing.assert_allclose(sure, [0.8, 0.0, 0.0, -1.0])


def test_three_outputs_are_quantiles_too_and_crossed_ones_are_put_in_order():
    form = hc.RegressOutput(
        kind="quantiles", full_width=10, low_output="l", value_output="v", high_output="h"
    )
    given = {"l": f32([3.0]), "v": f32([[2.0]]), "h": f32([4.0])}
    values, sure = read(form, given)
    assert values[0] == Interval(3.0, 2.0, 4.0)
    np.testing.assert_allclose(sure, [0.8])


def test_the_members_of_an_ensemble_are_a_mean_with_their_spread():
    form = hc.RegressOutput(kind="ensemble", full_width=8, spread=1.0)
    values, sure = read(form, {"out": f32([[1, 2, 3]])})
    assert values[0] == Interval(2.0, 1.0, 3.0)
    np.testing.assert_allclose(sure, [0.75])


@pytest.mark.parametrize(
    ("anomaly", "verdicts"), [("above", [True, True, False]), ("below", [False, True, True])]
)
def test_an_anomaly_is_beyond_the_threshold_and_surer_the_farther(anomaly, verdicts):
    form = hc.ScoreOutput(threshold=2.0, scale=0.5, anomaly=anomaly)
    values, sure = read(form, {"out": f32([[4.0], [2.0], [1.0]])}, rows=3)
    assert [each.is_anomaly for each in values] == verdicts
    np.testing.assert_allclose(sure, 1 / (1 + np.exp(-np.array([2.0, 0.0, 1.0]) / 0.5)))


def test_a_scorer_with_several_outputs_is_asked_which():
    form = hc.ScoreOutput(threshold=2.0, scale=0.5)
    with pytest.raises(hc.Misconfigured, match=r"say which output to read, score\.output; it gives a, b"):
        read(form, {"a": f32([1.0]), "b": f32([1.0])})


def boxes(*rows):
    """Of (xyxy, class) pairs."""
    return Boxes(
        xyxy=f32([box for box, _ in rows]).reshape(-1, 4),
        index=np.array([at for _, at in rows], int),
        scores=np.ones(len(rows), np.float32),
    )


def test_answers_say_the_same_when_each_thing_has_its_match():
    shifted = [each + 0.02 for each in CAT_XYXY]
    assert is_same(boxes((CAT_XYXY, 0), (EMU_XYXY, 2)), boxes((EMU_XYXY, 2), (shifted, 0)))
    assert not is_same(boxes((CAT_XYXY, 0)), boxes((CAT_XYXY, 1)))
    assert not is_same(boxes((CAT_XYXY, 0)), boxes((EMU_XYXY, 0)))
    assert not is_same(boxes((CAT_XYXY, 0)), boxes())
    assert not is_same(boxes((CAT_XYXY, 0), (shifted, 0)), boxes((CAT_XYXY, 0)))
    assert is_same(boxes(), boxes())


def test_intervals_and_verdicts_say_the_same_within_their_ranges():
    assert is_same(Interval(2, 1, 3), Interval(2.5, 1.5, 4))
    assert not is_same(Interval(2, 1, 3), Interval(2.5, 2.2, 4))
    assert is_same(Anomaly(9.0, True), Anomaly(4.0, True))
    assert not is_same(Anomaly(9.0, True), Anomaly(4.0, False))
    assert not is_same(Anomaly(9.0, True), None)
