"""How the outputs of a task are laid out is one value, and what cannot be meant is refused by name."""

import pytest

import halocline as hc
from halocline.decide.outputs import OUTPUTS, read_task
from halocline.records import Task


def failure(code, call, *given, **named):
    with pytest.raises(hc.Misconfigured) as caught:
        call(*given, **named)
    assert caught.value.code == code
    return caught.value.message


@pytest.mark.parametrize(
    ("code", "wrong", "said"),
    [
        ("HAL-102", {"layout": "yolov9"}, "detect.layout must be one of yolo, ssd, got 'yolov9'"),
        ("HAL-102", {"layout": "yolo", "scores_output": "s"}, "detect.scores_output has no meaning"),
        ("HAL-102", {"layout": "ssd", "objectness": True}, "detect.objectness has no meaning"),
        ("HAL-102", {"layout": "yolo", "corners": "ltrb"}, "detect.corners must be one of cxcywh"),
        ("HAL-101", {"layout": "yolo", "score_threshold": 0}, "detect.score_threshold"),
        ("HAL-101", {"layout": "yolo", "iou_threshold": 45}, "detect.iou_threshold"),
        ("HAL-101", {"layout": "yolo", "max_boxes": 2.5}, "detect.max_boxes must be a whole number"),
        ("HAL-101", {"layout": "yolo", "background": -1}, "detect.background"),
        ("HAL-101", {"layout": "yolo", "floor": (1.0, float("nan"))}, "detect.floor must be two numbers"),
    ],
)
def test_what_a_detector_cannot_mean_is_refused_by_name(code, wrong, said):
    assert said in failure(code, hc.DetectOutput, **wrong)


@pytest.mark.parametrize(
    ("code", "wrong", "said"),
    [
        ("HAL-102", {"kind": "gaussian", "full_width": 1}, "regress.kind"),
        ("HAL-101", {"kind": "quantiles", "full_width": 0}, "regress.full_width must be a number above 0"),
        ("HAL-102", {"kind": "quantiles", "full_width": 1, "low_output": "l"}, "low_output, value_output"),
    ],
)
def test_what_a_regressor_cannot_mean_is_refused_by_name(code, wrong, said):
    assert said in failure(code, hc.RegressOutput, **wrong)


@pytest.mark.parametrize("wrong", [{"scale": 0}, {"scale": float("inf")}, {"threshold": float("nan")}])
def test_what_a_scorer_cannot_mean_is_refused_by_name(wrong):
    assert "score." in failure("HAL-101", hc.ScoreOutput, **{"threshold": 1.0, "scale": 1.0} | wrong)


def test_a_task_is_stated_by_name_or_by_how_its_outputs_are_read():
    form = hc.ScoreOutput(threshold=1.0, scale=0.5)
    assert read_task(form) == (Task.SCORE, form)
    assert read_task("detect") == (Task.DETECT, None)
    assert read_task(None) == (Task.CLASSIFY, None)
    assert "classify, detect, regress, score" in failure("HAL-102", read_task, "segment")


def test_every_task_but_classification_has_a_table():
    assert set(OUTPUTS) == set(Task) - {Task.CLASSIFY}
