"""Two tiers of any task served as one model: the same tensors whichever tier answered, read back whole."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from servers import Running, serving
from test_boxes_in_pictures import CROPPED, PADDED, PICTURE, detector, png

import halocline as hc
from halocline.wire import oip

BOXES = 4
CAT = (0.1, 0.1, 0.3, 0.3)
DOG = (0.6, 0.6, 0.9, 0.9)
ROW_TENSORS = ["tier", "reason", "confidence", "degraded", "id"]

YOLO = """labels = ["cat", "dog"]
[detect]
layout = "yolo"
axes = "channels_last"
width = 100
height = 100
max_boxes = 3
"""
SSD = """labels = ["dog", "cat"]
[detect]
layout = "ssd"
boxes_output = "places"
scores_output = "chances"
corners = "cxcywh"
units = "pixels"
width = 100
height = 100
"""
QUANTILES = '[regress]\nkind = "quantiles"\nfull_width = 10.0\n'
ENSEMBLE = '[regress]\nkind = "ensemble"\nfull_width = 40.0\n'
ABOVE = "[score]\nthreshold = 3.0\nscale = 0.5\n"
BELOW = '[score]\nthreshold = -2.0\nscale = 1.0\nanomaly = "below"\n'


def saved(folder: Path, name: str, described: str, nodes: list, shape: list, outputs: list[str]) -> Path:
    graph = helper.make_graph(
        nodes,
        "given",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(each, TensorProto.FLOAT, None) for each in outputs],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = folder / f"{name}.onnx"
    path.write_bytes(onnx.shape_inference.infer_shapes(proto).SerializeToString())
    path.with_suffix(".model.toml").write_text(described)
    return path


def echo(folder: Path, name: str, described: str, shape: list, operator: str = "Identity") -> Path:
    node = helper.make_node(operator, ["x"], ["said"])
    return saved(folder, name, described, [node], shape, ["said"])


def pair_of(folder: Path, task: str) -> tuple[Path, Path]:
    """An edge and a cloud with other outputs; the cloud is given what the edge is."""
    if task == "detect":
        split = onnx.numpy_helper.from_array(np.array([4, 2], np.int64))
        nodes = [
            helper.make_node("Constant", [], ["parts"], value=split),
            helper.make_node("Split", ["x", "parts"], ["places", "chances"], axis=2),
        ]
        shape = ["N", BOXES, 6]
        return (
            echo(folder, "edge", YOLO, shape),
            saved(folder, "cloud", SSD, nodes, shape, ["places", "chances"]),
        )
    if task == "regress":
        shape = ["N", 3]
        return echo(folder, "edge", QUANTILES, shape), echo(folder, "cloud", ENSEMBLE, shape)
    shape = ["N", 1]
    return echo(folder, "edge", ABOVE, shape), echo(folder, "cloud", BELOW, shape, "Neg")


def seen(*things: tuple) -> np.ndarray:
    """A picture for these (box, scores of the edge's cat and dog)."""
    rows = np.zeros((BOXES, 6), np.float32)
    for row, (box, scores) in zip(rows, things, strict=False):
        left, top, right, bottom = (100 * each for each in box)
        row[:4] = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
        row[4:] = scores
    return rows


def as_rows(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32)


INPUTS = {
    # sure; unsure; nothing found, and sure of it; nothing found, but something was nearly
    "detect": np.stack(
        [
            seen((CAT, (0.95, 0.0))),
            seen((CAT, (0.6, 0.0)), (DOG, (0.0, 0.5))),
            seen(),
            seen((CAT, (0.2, 0.0))),
        ]
    ),
    "regress": as_rows([40.5, 41, 42], [10, 12, 19], [-3, -3, -3]),
    "score": as_rows([9], [2.9], [0], [3.1]),
}
OUTPUTS = {
    "detect": {
        "boxes": ("FP32", [-1, 3, 4]),
        "box_scores": ("FP32", [-1, 3]),
        "box_classes": ("INT64", [-1, 3]),
        "box_count": ("INT64", [-1]),
    },
    "regress": {"value": ("FP64", [-1]), "low": ("FP64", [-1]), "high": ("FP64", [-1])},
    "score": {"anomaly_score": ("FP64", [-1]), "is_anomaly": ("BOOL", [-1])},
}


@pytest.fixture(scope="module", params=list(OUTPUTS))
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path, Path, Running]]:
    folder = tmp_path_factory.mktemp(request.param)
    edge, cloud = pair_of(folder, request.param)
    tiers = {"edge": str(edge), "cloud": str(cloud), "threshold": 0.8, "deadline_s": 10.0}
    with serving(tiers=tiers) as running:
        yield request.param, edge, cloud, running


def ask(
    running: Running, x: np.ndarray, *outputs: str, binary: bool = True
) -> tuple[int, dict[str, np.ndarray], bytes]:
    encoded = oip.encode_request({"x": x}, request_id="r-1", binary=binary, outputs=outputs or None)
    headers = {} if encoded.header_bytes is None else {oip.HEADER_LENGTH: str(encoded.header_bytes)}
    status, came, body = running.ask("POST", "/v2/models/edge/infer", b"".join(encoded.parts), headers)
    if status != 200:
        return status, {}, body
    length = came.get(oip.HEADER_LENGTH.lower())
    response = oip.decode_response(body, header_bytes=None if length is None else int(length))
    return status, dict(response.outputs), body


def here(edge: Path, cloud: Path) -> hc.Tiered:
    """What the server does, in this process."""
    return hc.Tiered(hc.load(edge), hc.load(cloud), threshold=0.8, deadline_s=10.0)


def same(one: object, other: object) -> bool:
    if not isinstance(one, hc.Boxes):
        return one == other
    return (
        isinstance(other, hc.Boxes)
        and one.labels == other.labels
        and np.allclose(one.xyxy, other.xyxy, atol=1e-6)
        and np.allclose(one.scores, other.scores, atol=1e-6)
        and one.index.tolist() == other.index.tolist()
    )


def test_the_metadata_list_the_same_outputs_whatever_the_models_are_laid_out_like(
    served: tuple[str, Path, Path, Running],
) -> None:
    task, _, _, running = served
    told = json.loads(running.get("/v2/models/edge")[1])
    listed = {each["name"]: (each["datatype"], each["shape"]) for each in told["outputs"]}
    assert told["parameters"]["task"] == task
    assert {name: listed.pop(name) for name in OUTPUTS[task]} == OUTPUTS[task]
    assert list(listed) == ROW_TENSORS
    on_request = [each["name"] for each in told["outputs"] if each.get("parameters", {}).get("on_request")]
    assert on_request == ROW_TENSORS


@pytest.mark.parametrize("binary", [True, False])
def test_each_row_is_answered_in_the_same_tensors_by_whichever_tier(
    served: tuple[str, Path, Path, Running], binary: bool
) -> None:
    task, edge, cloud, running = served
    x = INPUTS[task]
    status, told, body = ask(running, x, binary=binary)
    assert status == 200, body
    assert list(told) == list(OUTPUTS[task])
    _, named, _ = ask(running, x, *told, "tier", "confidence", binary=binary)
    with here(edge, cloud) as tiered:
        replies = tiered.infer_batch({"x": x})
    assert [each.decode() for each in named["tier"]] == [reply.tier.value for reply in replies]
    assert {reply.tier for reply in replies} == {hc.Tier.EDGE, hc.Tier.CLOUD}
    np.testing.assert_allclose(named["confidence"], [reply.confidence for reply in replies], atol=1e-6)
    for at, reply in enumerate(replies):
        if task == "regress":
            assert reply.value == hc.Interval(*(float(told[key][at]) for key in ("value", "low", "high")))
        elif task == "score":
            assert reply.value == hc.Anomaly(float(told["anomaly_score"][at]), bool(told["is_anomaly"][at]))
        else:
            count = int(told["box_count"][at])
            assert count == len(reply.value)
            np.testing.assert_allclose(told["boxes"][at, :count], reply.value.xyxy, atol=1e-6)
            np.testing.assert_allclose(told["box_scores"][at, :count], reply.value.scores, atol=1e-6)
            assert told["box_classes"][at].tolist() == [*reply.value.index.tolist(), -1, -1, -1][:3]
            assert not told["boxes"][at, count:].any()
            assert not told["box_scores"][at, count:].any()


def test_two_tiers_behind_a_server_are_the_cloud_of_two_tiers(
    served: tuple[str, Path, Path, Running],
) -> None:
    task, edge, cloud, running = served
    x = INPUTS[task]
    with here(edge, cloud) as tiered:
        expected = tiered.infer_batch({"x": x})
    remote = hc.connect(f"{running.url}/v2/models/edge")
    assert remote.wait_ready().task == hc.Task(task)
    with hc.Tiered(hc.load(edge), remote, mode="cloud_only", deadline_s=10.0) as outer:
        replies = outer.infer_batch({"x": x})
    for reply, inner in zip(replies, expected, strict=True):
        assert reply.tier is hc.Tier.CLOUD
        assert same(reply.value, inner.value), (reply.value, inner.value)
        assert reply.confidence == pytest.approx(inner.confidence, abs=1e-6)


def test_calls_that_travel_together_and_before_the_metadata_are_known_get_their_own_rows(
    served: tuple[str, Path, Path, Running],
) -> None:
    task, edge, cloud, running = served
    rows = [row[None] for row in INPUTS[task]] * 5
    with here(edge, cloud) as tiered:
        expected = [tiered.infer({"x": row}).value for row in rows]
    remote = hc.connect(f"{running.url}/v2/models/edge", max_connections=1)
    with (
        hc.Tiered(hc.load(edge), remote, mode="cloud_only", deadline_s=10.0) as outer,
        ThreadPoolExecutor(len(rows)) as threads,
    ):
        replies = list(threads.map(lambda row: outer.infer({"x": row}), rows))
    for reply, value in zip(replies, expected, strict=True):
        assert same(reply.value, value), (reply.value, value)


def test_nothing_found_behind_a_server_is_no_confidence_either(tmp_path: Path) -> None:
    edge, _ = pair_of(tmp_path, "detect")
    tiers = {"edge": str(edge), "cloud": "http://127.0.0.1:9/v2/models/none", "deadline_s": 0.2}
    with serving(tiers=tiers) as running:
        remote = hc.connect(f"{running.url}/v2/models/edge")
        remote.wait_ready()
        with hc.Tiered(hc.load(edge), remote, mode="cloud_only", deadline_s=10.0) as outer:
            (faint,) = outer.infer_batch({"x": INPUTS["detect"][3:]})
    assert len(faint.value) == 0
    assert faint.confidence == pytest.approx(1 - 0.2 / 0.25)


def test_more_boxes_than_fit_are_cut_to_the_likeliest(tmp_path: Path) -> None:
    edge, cloud = pair_of(tmp_path, "detect")
    places = [(0.1 * at, 0.1, 0.1 * at + 0.08, 0.2) for at in range(4)]
    x = seen(*((place, (0.5 + 0.1 * at, 0.0)) for at, place in enumerate(places)))[None]
    tiers = {"edge": str(edge), "cloud": str(cloud), "threshold": 0.99, "deadline_s": 10.0}
    with serving(tiers=tiers) as running:
        _, told, _ = ask(running, x, "box_count", "box_scores", "tier")
    assert (told["tier"][0], told["box_count"].tolist()) == (b"cloud", [3])  # the cloud found four
    np.testing.assert_allclose(told["box_scores"], [[0.8, 0.7, 0.6]], atol=1e-6)


@pytest.mark.parametrize("task", list(OUTPUTS))
def test_a_row_that_has_no_answer_is_none_for_the_tiers_above(tmp_path: Path, task: str) -> None:
    edge, _ = pair_of(tmp_path, task)
    x = INPUTS[task].copy()
    x[0] = np.nan
    tiers = {"edge": str(edge), "cloud": "http://127.0.0.1:9/v2/models/none", "deadline_s": 0.2}
    with serving(tiers=tiers, allow_nan=True) as running:
        status, told, body = ask(running, x)
        assert status == 200, body
        remote = hc.connect(f"{running.url}/v2/models/edge")
        remote.wait_ready()
        with hc.Tiered(hc.load(edge, allow_nan=True), remote, mode="prefer_cloud", deadline_s=10.0) as outer:
            bad, good = outer.infer({"x": x[:1]}), outer.infer({"x": x[1:2]})
    shown = {"detect": "box_scores", "regress": "value", "score": "anomaly_score"}[task]
    assert np.isnan(told[shown][0]).all()
    assert (bad.value, bad.reason) == (None, hc.Reason.INVALID_ANSWER)
    assert (good.tier, good.value is None) == (hc.Tier.CLOUD, False)


# Boxes in the picture


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("pictures")
    return detector(folder, "edge", "pad", 0.5), detector(folder, "cloud", "crop", 0.9)


@pytest.mark.parametrize(
    ("threshold", "of_files", "of_tensors"),
    [(0.4, PADDED, PADDED), (0.8, CROPPED, PADDED)],  # the inner cloud makes its tensor of files alone
)
def test_boxes_are_put_into_the_picture_once_whatever_travelled(
    pictures: tuple[Path, Path], threshold: float, of_files: list[float], of_tensors: list[float]
) -> None:
    edge, cloud = pictures
    tiers = {"edge": str(edge), "cloud": str(cloud), "threshold": threshold, "deadline_s": 10.0}
    with serving(tiers=tiers) as running:
        body = running.ask(
            "POST", "/v2/models/edge/infer?outputs=boxes,box_count", png(), {"Content-Type": "image/png"}
        )[2]
        boxes, count = (each["data"] for each in json.loads(body)["outputs"])
        assert count == [1]
        np.testing.assert_allclose(boxes[:4], of_files, atol=1e-6)
        for send, sample, expected in (
            ("raw", png(), of_files),
            ("tensor", png(), of_tensors),
            ("auto", png(), of_files),
            ("raw", PICTURE, of_tensors),
        ):
            for wait in (True, False):
                remote = hc.connect(f"{running.url}/v2/models/edge")
                if wait:
                    remote.wait_ready()
                with hc.Tiered(hc.load(edge), remote, mode="cloud_only", deadline_s=10.0, send=send) as outer:
                    reply = outer.infer(sample)
                np.testing.assert_allclose(reply.value.xyxy, [expected], atol=1e-6)
                assert reply.value.labels == ("thing",)


def test_late_verdicts_and_spot_checks_put_boxes_into_the_picture_once(pictures: tuple[Path, Path]) -> None:
    edge, cloud = pictures
    tiers = {"edge": str(edge), "cloud": str(cloud), "threshold": 0.8, "deadline_s": 10.0}
    with serving(tiers=tiers) as running:
        for how in (
            {"threshold": 0.8, "want_async": True},
            {"threshold": 0.1, "spot_check": hc.SpotCheck(share=1.0)},
        ):
            remote = hc.connect(f"{running.url}/v2/models/edge")
            remote.wait_ready()
            with hc.Tiered(hc.load(edge), remote, send="raw", deadline_s=10.0, **how) as outer:
                outer.infer(png())
                correction = next(outer.corrections(10.0))
            np.testing.assert_allclose(correction.replied.xyxy, [PADDED], atol=1e-6)
            np.testing.assert_allclose(correction.prediction.value.xyxy, [CROPPED], atol=1e-6)
