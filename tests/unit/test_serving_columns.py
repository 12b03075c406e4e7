"""What two tiers answer in tensors says what their replies said."""

import numpy as np
import pytest

import halocline as hc
from halocline.decide.tasks import task_reader
from halocline.errors import Misconfigured
from halocline.records import ModelSpec, Task, TensorSpec
from halocline.serving.columns import Answers, tiered_outputs

MOST = 5
DETECT = hc.DetectOutput(layout="yolo", max_boxes=MOST, units="fractions")
REGRESS = hc.RegressOutput(kind="ensemble", full_width=8.0)
SCORE = hc.ScoreOutput(threshold=1.0, scale=2.0, anomaly="below", output="raw")


def spec_of(output: object) -> ModelSpec:
    return ModelSpec(
        hc.ModelRef("edge", "1"),
        (TensorSpec("x", "float32", (-1, 3)),),
        (TensorSpec("raw", "float32", (-1, 3)),),
        labels=("ant", "bee") if output is DETECT else None,
        task=output.task if output is not None else Task.CLASSIFY,
        output=output,
    )


def reply(value: object, confidence: float) -> hc.Reply:
    return hc.Reply(
        id="r", value=value, confidence=confidence, tier=hc.Tier.EDGE, reason=hc.Reason.CONFIDENT,
        degraded=False, index=None, label=None, scores=None, outputs={}, edge_s=None, gate_s=None,
        cloud_s=None, edge_model=None, cloud_model=None,
    )  # fmt: skip


def boxes(rng: np.random.Generator, count: int) -> hc.Boxes:
    start = rng.uniform(0, 0.9, (count, 2))
    size = rng.uniform(0.01, 0.09, (count, 2))
    index = rng.integers(0, 2, count)
    return hc.Boxes(
        xyxy=np.concatenate([start, start + size], axis=1).astype(np.float32),
        index=index,
        scores=np.sort(rng.uniform(0.001, 1, count).astype(np.float32))[::-1],
        labels=tuple(("ant", "bee")[at] for at in index),
    )


def read_back(output: object, replies: list[hc.Reply]) -> tuple[list, np.ndarray, dict]:
    told = tiered_outputs(spec_of(output))
    columns = [*told.own, *told.on_request]
    arrays = dict(zip((each.tensor.name for each in columns), Answers(replies, columns), strict=True))
    for column in columns:
        array = arrays[column.tensor.name]
        assert array.dtype == np.dtype(column.tensor.dtype)
        assert array.shape == (len(replies), *column.tensor.shape[1:])
    asked = (
        *told.spec.outputs,
        *(each.tensor for each in told.on_request if each.tensor.name == "confidence"),
    )
    spec = ModelSpec(
        told.spec.ref, told.spec.inputs, asked, told.spec.labels, task=told.spec.task, output=told.spec.output
    )
    said = task_reader(spec, spec.labels).read({each.name: arrays[each.name] for each in asked}, len(replies))
    return list(said.values), said.confidence, arrays


def test_boxes_come_back_as_they_were_even_where_they_overlap_or_are_faint() -> None:
    rng = np.random.default_rng(3)
    twice = boxes(rng, 1)
    over = hc.Boxes(
        xyxy=np.repeat(twice.xyxy, 3, axis=0),
        index=np.repeat(twice.index, 3),
        scores=np.float32([0.9, 0.001, 0.001]),
        labels=(twice.labels or ()) * 3,
    )
    given = [boxes(rng, 0), boxes(rng, 2), over, boxes(rng, MOST)]
    values, confidence, _ = read_back(DETECT, [reply(each, 0.1 * at) for at, each in enumerate(given)])
    for value, each in zip(values, given, strict=True):
        np.testing.assert_array_equal(value.xyxy, each.xyxy)
        np.testing.assert_array_equal(value.index, each.index)
        np.testing.assert_array_equal(value.scores, each.scores)
        assert value.labels == each.labels
    np.testing.assert_allclose(confidence, [0, 0.1, 0.2, 0.3])


def test_intervals_and_verdicts_come_back_as_the_tier_gave_them() -> None:
    intervals = [hc.Interval(1.0, -2.5, 3.0), hc.Interval(0.1, 0.1, 0.1)]
    values, confidence, _ = read_back(REGRESS, [reply(each, 0.3) for each in intervals])
    assert (values, confidence.tolist()) == (intervals, [0.3, 0.3])
    # the cloud's threshold is its own: by that of the edge these would be the other way round
    verdicts = [hc.Anomaly(5.0, True), hc.Anomaly(-5.0, False)]
    values, confidence, _ = read_back(SCORE, [reply(each, 0.7) for each in verdicts])
    assert (values, confidence.tolist()) == (verdicts, [0.7, 0.7])


@pytest.mark.parametrize("output", [DETECT, REGRESS, SCORE])
def test_a_row_without_an_answer_has_none_and_no_confidence(output: object) -> None:
    values, confidence, arrays = read_back(output, [reply(None, 0.0)])
    assert values == [None]
    assert confidence[0] < 0
    assert "label" not in arrays
    if output is DETECT:
        assert arrays["box_count"].tolist() == [0]


def test_an_edge_that_nobody_can_read_is_refused() -> None:
    with pytest.raises(Misconfigured, match="edge@1 gives no class scores") as raised:
        tiered_outputs(spec_of(None))
    assert raised.value.code == "HAL-511"
