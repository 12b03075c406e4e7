"""Two tiers that detect, regress or score: gated on one confidence, answered in the task's shape."""

import json
import subprocess
import sys
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from servers import serving

import halocline as hc
from halocline.testing.faults import FaultServer
from halocline.tuning.calibration import calibrated
from halocline.wire import oip

LABELS = ("cat", "dog")
BOXES = 4
WIDTH = 100
YOLO = hc.DetectOutput(layout="yolo", axes="channels_last", width=WIDTH, height=WIDTH)
SSD = hc.DetectOutput(layout="ssd", boxes_output="boxes", scores_output="scores", background=0)
QUANTILES = hc.RegressOutput(kind="quantiles", full_width=10.0)
CAT = (0.1, 0.1, 0.3, 0.3)
DOG = (0.6, 0.6, 0.9, 0.9)


def model(nodes, outputs, labels, width, task, **more):
    """A model of one input `x` `[N, BOXES, width]`, or `[N, width]` for tasks without boxes."""
    return hc.load(
        proto_of(nodes, outputs, labels, width, isinstance(task, hc.DetectOutput)),
        threads=1,
        task=task,
        **more,
    )


def proto_of(nodes, outputs, labels, width, has_boxes):
    shape = ["N", BOXES, width] if has_boxes else ["N", width]
    graph = helper.make_graph(
        nodes,
        "given",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if labels:
        helper.set_model_props(proto, {"labels": json.dumps(labels)})
    return onnx.shape_inference.infer_shapes(proto)


def echo(task, width, labels=None, **more):
    """It says what its input says."""
    return model([helper.make_node("Identity", ["x"], ["out"])], ["out"], labels, width, task, **more)


def edge_detector():
    return echo(YOLO, 4 + len(LABELS), LABELS)


def seen(*things):
    """The edge's input for these (box, scores): `[BOXES, 4 + labels]` in pixels, the rest is nothing."""
    rows = np.zeros((BOXES, 4 + len(LABELS)), np.float32)
    for row, (box, scores) in zip(rows, things, strict=False):
        left, top, right, bottom = (WIDTH * each for each in box)
        row[:4] = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
        row[4:] = scores
    return rows


SURE = seen((CAT, (0.95, 0.01)))
EMPTY = seen()
FAINT = seen((CAT, (0.2, 0.0)))


class OtherDetector:
    """A cloud with another layout and label order, which sees a cat and a dog in every picture."""

    def __init__(self, labels=("dog", "cat")):
        self.labels = labels

    def __call__(self):
        # scores: background, then the labels in order
        at = {label: column for column, label in enumerate(self.labels, start=1)}
        scores = np.zeros((1, BOXES, 1 + len(self.labels)), np.float32)
        scores[0, 0, at["cat"]] = scores[0, 1, at["dog"]] = 0.9
        boxes = np.zeros((1, BOXES, 4), np.float32)
        boxes[0, 0], boxes[0, 1] = CAT, DOG
        nodes = []
        for name, value in (("boxes", boxes), ("scores", scores)):
            nodes += [
                helper.make_node("Constant", [], [f"{name}1"], value=onnx.numpy_helper.from_array(value)),
                helper.make_node(
                    "Constant", [], [f"{name}0"], value=onnx.numpy_helper.from_array(np.zeros(1, np.float32))
                ),
                helper.make_node("Mul", [f"nothing_{name}", f"{name}0"], [f"rows_{name}"]),
                helper.make_node("Add", [f"rows_{name}", f"{name}1"], [name]),
            ]
        axis = onnx.numpy_helper.from_array(np.array([2], np.int64))
        nodes = [
            helper.make_node("Constant", [], ["axis"], value=axis),
            helper.make_node("ReduceSum", ["x", "axis"], ["nothing_boxes"], keepdims=1),
            helper.make_node("ReduceSum", ["x", "axis"], ["nothing_scores"], keepdims=1),
            *nodes,
        ]
        return model(nodes, ["boxes", "scores"], self.labels, 4 + len(LABELS), SSD)


def test_a_sure_picture_stays_and_its_value_is_boxes():
    with hc.Tiered(edge_detector(), OtherDetector()(), threshold=0.8) as tiered:
        reply = tiered.infer(SURE)
    assert (reply.tier, reply.reason, reply.task) == (hc.Tier.EDGE, hc.Reason.CONFIDENT, hc.Task.DETECT)
    assert isinstance(reply.value, hc.Boxes)
    assert reply.value.labels == ("cat",)
    np.testing.assert_allclose(reply.value.xyxy, [CAT], atol=1e-6)
    assert reply.confidence == pytest.approx(0.94)
    assert reply.index is None


def test_nothing_found_stays_where_nothing_stirred_and_goes_up_where_something_nearly_did():
    with hc.Tiered(edge_detector(), OtherDetector()(), threshold=0.8) as tiered:
        empty, faint = tiered.infer_batch(np.stack([EMPTY, FAINT]))
    assert (empty.tier, len(empty.value), empty.confidence) == (hc.Tier.EDGE, 0, 1.0)
    assert (faint.tier, faint.reason) == (hc.Tier.CLOUD, hc.Reason.ESCALATED)


def test_the_clouds_boxes_come_with_the_edges_labels_whatever_its_layout_and_order():
    with hc.Tiered(edge_detector(), OtherDetector()(), threshold=0.8) as tiered:
        reply = tiered.infer(FAINT)
    assert reply.value.labels == ("cat", "dog")
    assert reply.value.index.tolist() == [0, 1]
    np.testing.assert_allclose(reply.value.xyxy, [CAT, DOG], atol=1e-6)


def test_a_label_that_the_edge_does_not_know_is_refused():
    with pytest.raises(hc.Misconfigured) as caught:
        hc.Tiered(edge_detector(), OtherDetector(("cat", "dog", "emu"))())
    assert caught.value.code == "HAL-204"


def test_a_late_verdict_tells_whether_the_boxes_differ():
    with hc.Tiered(edge_detector(), OtherDetector()(), threshold=0.8, want_async=True) as tiered:
        told = tiered.infer(FAINT)
        same = tiered.infer(seen((CAT, (0.5, 0.0)), (DOG, (0.0, 0.5))))
        corrections = {each.id: each for each, _ in zip(tiered.corrections(2.0), range(2), strict=False)}
    assert told.reason is hc.Reason.PENDING
    assert corrections[told.id].changed
    assert corrections[told.id].prediction.value.labels == ("cat", "dog")
    assert not corrections[same.id].changed


def test_a_spot_check_of_a_sure_picture_tells_whether_the_boxes_differ():
    check = hc.SpotCheck(share=1.0)
    with hc.Tiered(edge_detector(), OtherDetector()(), threshold=0.8, spot_check=check) as tiered:
        told = tiered.infer(SURE)
        both = tiered.infer(seen((CAT, (0.95, 0.0)), (DOG, (0.0, 0.95))))
        corrections = {each.id: each for each, _ in zip(tiered.corrections(5.0), range(2), strict=False)}
    assert told.tier is both.tier is hc.Tier.EDGE
    assert corrections[told.id].changed
    assert corrections[told.id].probability == 1.0
    assert not corrections[both.id].changed


def test_the_cloud_may_be_a_function_that_answers_as_the_edge_does():
    def cloud(batch):
        return {"out": np.stack([seen((DOG, (0.0, 0.99)))] * len(batch))}

    with hc.Tiered(edge_detector(), cloud, threshold=0.8) as tiered:
        reply = tiered.infer(FAINT)
    assert (reply.tier, reply.value.labels) == (hc.Tier.CLOUD, ("dog",))


def test_nan_at_the_edge_goes_up_and_nan_from_the_cloud_is_no_answer():
    broken = seen((CAT, (np.nan, 0.0)))
    edge = echo(YOLO, 4 + len(LABELS), LABELS, allow_nan=True)
    with hc.Tiered(edge, lambda batch: np.stack([SURE] * len(batch)), threshold=0.0) as tiered:
        up = tiered.infer(broken)
    assert up.tier is hc.Tier.CLOUD
    with hc.Tiered(edge, lambda batch: {"out": np.stack([broken] * len(batch))}, threshold=0.8) as tiered:
        reply = tiered.infer(FAINT)
        none = tiered.infer(broken)
    assert (reply.reason, len(reply.value)) == (hc.Reason.INVALID_ANSWER, 0)
    assert (none.value, none.confidence) == (None, 0.0)


def test_a_model_without_class_scores_and_without_a_task_is_asked_for_its_task():
    with pytest.raises(hc.Misconfigured, match="DetectOutput") as caught:
        hc.Tiered(echo(None, 4), lambda batch: batch)
    assert caught.value.code == "HAL-202"


def test_a_task_without_how_its_outputs_are_read_is_an_error_that_says_how():
    with pytest.raises(hc.Misconfigured, match=r"\[detect\].*task=DetectOutput\(…\)") as caught:
        hc.Tiered(echo("detect", 4), lambda batch: batch)
    assert caught.value.code == "HAL-330"


def test_confidence_of_ones_own_goes_before_the_tasks():
    with hc.Tiered(
        edge_detector(), OtherDetector()(), confidence=lambda out: np.full(len(out["out"]), 0.1)
    ) as tiered:
        reply = tiered.infer(SURE)
    assert (reply.tier, reply.value.labels) == (hc.Tier.CLOUD, ("cat", "dog"))


def test_tiers_of_different_tasks_are_refused():
    with pytest.raises(hc.Misconfigured) as caught:
        hc.Tiered(echo(QUANTILES, 3), edge_detector())
    assert caught.value.code == "HAL-332"


def test_settings_of_classifiers_are_refused_where_they_would_do_nothing():
    for setting in ({"temperature": 2.0}, {"score": "margin"}, {"class_thresholds": {"cat": 0.9}}):
        with pytest.raises(hc.Misconfigured, match="leave them out"):
            hc.Tiered(edge_detector(), OtherDetector()(), **setting)


def test_a_description_that_the_model_does_not_fit_is_refused_when_it_is_loaded():
    with pytest.raises(hc.Misconfigured, match="it gives out") as caught:
        echo(hc.DetectOutput(layout="yolo", output="detections", units="fractions"), 6, LABELS)
    assert caught.value.code == "HAL-331"


@pytest.mark.parametrize(
    ("task", "labels", "says"),
    [
        (
            hc.DetectOutput(layout="yolo", axes="channels_last", units="fractions"),
            LABELS[:1],
            "6 numbers a box",
        ),
        (hc.RegressOutput(kind="quantiles", full_width=1.0), None, "6 numbers a row, expected 3"),
        (hc.ScoreOutput(threshold=1.0, scale=1.0), None, "6 numbers a row, expected one"),
    ],
)
def test_outputs_of_another_shape_than_described_are_refused_when_the_model_is_loaded(task, labels, says):
    with pytest.raises(hc.Misconfigured, match=says) as caught:
        echo(task, 6, labels)
    assert caught.value.code == "HAL-331"


def test_logits_taken_for_chances_are_refused_when_the_model_is_loaded():
    box = onnx.numpy_helper.from_array(np.float32([0.5, 0.5, 0.4, 0.4, 3.0, -1.0]))
    nodes = [
        helper.make_node("Constant", [], ["box"], value=box),
        helper.make_node("Add", ["x", "box"], ["out"]),
    ]
    task = hc.DetectOutput(layout="yolo", axes="channels_last", units="fractions")
    with pytest.raises(hc.Misconfigured, match=r"reach 3.*activation = .sigmoid") as caught:
        model(nodes, ["out"], LABELS, 6, task)
    assert caught.value.code == "HAL-331"
    sigmoid = hc.DetectOutput(layout="yolo", axes="channels_last", units="fractions", activation="sigmoid")
    assert model(nodes, ["out"], LABELS, 6, sigmoid).spec.task == "detect"


def test_an_interval_stays_or_goes_up_by_its_width():
    with hc.Tiered(
        echo(QUANTILES, 3), lambda batch: {"out": np.float32([[4, 5, 6]] * len(batch))}, threshold=0.8
    ) as tiered:
        sure, wide = tiered.infer_batch(np.float32([[1.5, 2, 2.5], [0, 5, 9]]))
    assert (sure.tier, sure.value, sure.confidence) == (
        hc.Tier.EDGE,
        hc.Interval(2.0, 1.5, 2.5),
        pytest.approx(0.9),
    )
    assert (wide.tier, wide.value) == (hc.Tier.CLOUD, hc.Interval(5.0, 4.0, 6.0))


def test_a_verdict_near_the_threshold_goes_up():
    form = hc.ScoreOutput(threshold=2.0, scale=0.2)
    with hc.Tiered(
        echo(form, 1), lambda batch: {"out": np.full((len(batch), 1), 9.0)}, threshold=0.8
    ) as tiered:
        calm, near = tiered.infer_batch(np.float32([[0.0], [1.95]]))
    assert (calm.tier, calm.value) == (hc.Tier.EDGE, hc.Anomaly(0.0, False))
    assert (near.tier, near.value) == (hc.Tier.CLOUD, hc.Anomaly(9.0, True))


def test_a_model_alone_predicts_in_the_shape_of_its_task():
    said = edge_detector().predict(SURE)
    assert (said.value.labels, said.task) == (("cat",), hc.Task.DETECT)
    assert "task: detect" in repr(edge_detector())


DESCRIBED = """
labels = ["cat", "dog"]

[detect]
layout = "yolo"
axes = "channels_last"
width = 100
height = 100
"""


@pytest.fixture
def described(tmp_path):
    """A model's file with its description beside it."""
    proto = proto_of([helper.make_node("Identity", ["x"], ["out"])], ["out"], None, 4 + len(LABELS), True)
    (tmp_path / "edge.onnx").write_bytes(proto.SerializeToString())
    (tmp_path / "edge.model.toml").write_text(DESCRIBED)
    return tmp_path / "edge.onnx"


def test_a_description_beside_the_model_says_its_task_and_is_part_of_its_digest(described):
    edge = hc.load(described)
    assert (edge.spec.task, edge.spec.output, edge.spec.labels) == (hc.Task.DETECT, YOLO, LABELS)
    assert edge.predict(SURE).value.labels == ("cat",)
    other = hc.load(described, task=hc.DetectOutput(layout="yolo", axes="channels_last", units="fractions"))
    assert other.spec.output.units == "fractions"
    assert len({edge.digest, other.digest, hc.load(described, description=False).digest}) == 3


@pytest.mark.parametrize(
    ("wrong", "code", "said"),
    [
        ('[detect]\nlayout = "yolo"\nscore_treshold = 0.3', "HAL-208", "Did you mean 'score_threshold'?"),
        ('[detect]\nlayout = "yollo"', "HAL-208", "Did you mean 'yolo'?"),
        ('[detect]\nlayout = "yolo"\nscore_threshold = 3', "HAL-101", "detect.score_threshold"),
        ('task = "classify"\n[detect]\nlayout = "yolo"', "HAL-208", "has the table [detect]; keep one"),
        ("[score]\nthreshold = 1.0", "HAL-208", "scale"),
    ],
)
def test_a_description_that_is_wrong_is_refused_with_its_file_and_key(described, wrong, code, said):
    (described.parent / "edge.model.toml").write_text(wrong)
    with pytest.raises(hc.Misconfigured) as caught:
        hc.load(described)
    assert caught.value.code == code
    assert said in caught.value.message
    assert "edge.model.toml" in caught.value.message


def test_a_served_detector_says_itself_how_it_is_read(described):
    with serving(f"cloud={described}") as server:
        cloud = hc.connect(f"{server.url}/v2/models/cloud")
        cloud.wait_ready()
        assert cloud.spec.output == YOLO
        with hc.Tiered(edge_detector(), cloud, threshold=1.0, deadline_s=10.0) as tiered:
            reply = tiered.infer(SURE)
    assert (reply.tier, reply.value.labels) == (hc.Tier.CLOUD, ("cat",))


@pytest.fixture
def server():
    def predict(x):
        return np.tile(np.float32([0.2, 0.3, 0.5]), (len(x), 1))

    with FaultServer(features=3, classes=3, predict=predict) as server:
        yield server


def test_a_server_that_states_no_task_is_told_or_its_answers_are_not_used(server, caplog):
    edge = echo(QUANTILES, 3)
    wide = np.float32([0, 5, 9])
    with hc.Tiered(edge, hc.connect(server.url, task=QUANTILES), deadline_s=5.0) as tiered:
        reply = tiered.infer(wide)
    assert (reply.tier, reply.value.value) == (hc.Tier.CLOUD, pytest.approx(0.3))
    with hc.Tiered(edge, hc.connect(server.url), deadline_s=5.0) as tiered:
        until_s = time.monotonic() + 5.0
        reply = tiered.infer(wide)
        while reply.reason is hc.Reason.BREAKER_OPEN and time.monotonic() < until_s:
            reply = tiered.infer(wide)
    assert (reply.reason, reply.value.value) == (hc.Reason.INVALID_ANSWER, 5.0)
    assert "State it where that is wrong" in caplog.text


@pytest.mark.parametrize("task", [YOLO, SSD, QUANTILES, hc.ScoreOutput(threshold=1.0, scale=2.0)])
def test_how_outputs_are_read_travels_in_the_metadata_of_a_served_model(task):
    spec = edge_detector().spec
    told = type(spec)(
        ref=spec.ref, inputs=spec.inputs, outputs=spec.outputs, labels=LABELS, task=task.task, output=task
    )
    assert oip.decode_model_metadata(oip.encode_model_metadata(told)) == told


@pytest.mark.parametrize(
    "form", ["{", '{"layout": "of the future"}', '{"layout": "yolo", "max_boxes": 0}', 7]
)
def test_a_form_that_is_not_known_is_as_good_as_none(form):
    body = json.dumps(
        {"name": "m", "inputs": [], "outputs": [], "parameters": {"task": "detect", "halocline_output": form}}
    )
    spec = oip.decode_model_metadata(body.encode())
    assert (spec.task, spec.output) == (hc.Task.DETECT, None)


@pytest.mark.parametrize("anomaly", ["above", "below"])
def test_a_calibrated_scale_makes_the_chance_of_a_verdict_what_it_says(anomaly):
    rng = np.random.default_rng(0)
    score = rng.normal(100.0, 40.0, 4000)
    chance = 1 / (1 + np.exp(-(score - 110.0) / 12.0))
    truth = rng.random(4000) < (chance if anomaly == "above" else 1 - chance)
    model = echo(hc.ScoreOutput(threshold=110.0, scale=1.0, anomaly=anomaly), 1)
    form = calibrated(model, np.float32(score[:, None]), truth)
    assert form.scale == pytest.approx(12.0, rel=0.1)
    few = calibrated(model, np.float32(score[:20, None]), truth[:20])
    assert few.scale == 1.0
    with pytest.raises(hc.Misconfigured, match="neither detects nor scores"):
        calibrated(echo(QUANTILES, 3), np.zeros((60, 3), np.float32), truth[:60])


def test_a_classifier_loads_nothing_of_other_tasks():
    script = (
        "import sys, halocline as hc\n"
        "d = hc.samples.digits()\n"
        "with hc.Tiered(hc.load(d.edge_path), hc.load(d.cloud_path), threshold=0.9) as tiered:\n"
        "    tiered.infer_batch(d.x[:50])\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "halocline.edge.tiered" in loaded
    assert not {
        each for each in loaded if each.startswith(("halocline.decide.tasks", "halocline.decide.outputs"))
    }
    assert "halocline.edge.placing" not in loaded
