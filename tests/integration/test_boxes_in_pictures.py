"""Boxes are fractions of the picture that was given, however a tier has fitted it into its tensor."""

import io
import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image
from servers import serving

import halocline as hc
from halocline.cli import main
from halocline.decide.tasks.sure import chance
from halocline.tuning.calibration import calibrated

SIDE = 64
FORM = '[detect]\nlayout = "ssd"\nboxes_output = "boxes"\nscores_output = "scores"\n'
BOX = [0.25, 0.25, 0.75, 0.75]
# A picture of 200 x 100: padded it is 64 x 32 in the middle of the tensor, cropped the middle of 128 x 64.
PADDED = [0.25, 0.0, 0.75, 1.0]
CROPPED = [0.375, 0.25, 0.625, 0.75]
PICTURE = np.zeros((100, 200, 3), np.uint8)


def detector(folder, name, fit, score):
    """It finds one thing in the middle of its tensor, as likely as said, whatever it sees."""
    constants = [
        onnx.numpy_helper.from_array(np.array([[BOX]], np.float32), "box"),
        onnx.numpy_helper.from_array(np.array([[[score]]], np.float32), "score"),
        onnx.numpy_helper.from_array(np.zeros(1, np.float32), "zero"),
        onnx.numpy_helper.from_array(np.array([-1, 1, 1], np.int64), "shape"),
        onnx.numpy_helper.from_array(np.array([1, 2, 3], np.int64), "axes"),
    ]
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["max"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Mul", ["max", "zero"], ["nothing"]),
        helper.make_node("Reshape", ["nothing", "shape"], ["rows"]),
        helper.make_node("Add", ["rows", "box"], ["boxes"]),
        helper.make_node("Add", ["rows", "score"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["n", 1, 4]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 1, 1]),
        ],
        constants,
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / f"{name}.onnx").write_bytes(proto.SerializeToString())
    described = f'[input]\nkind = "image"\nwidth = {SIDE}\nheight = {SIDE}\nfit = "{fit}"\n\n'
    (folder / f"{name}.model.toml").write_text(f'labels = ["thing"]\n\n{described}{FORM}')
    return folder / f"{name}.onnx"


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    return hc.load(detector(tmp_path_factory.mktemp("edge"), "edge", "pad", 0.5))


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    return detector(tmp_path_factory.mktemp("cloud"), "cloud", "crop", 0.9)


def png(pixels=PICTURE):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_each_tiers_boxes_are_put_back_into_the_picture(edge, cloud):
    for sample in (PICTURE, png()):
        with hc.Tiered(edge, hc.load(cloud), threshold=0.4) as tiered:
            stays = tiered.infer(sample)
        with hc.Tiered(edge, hc.load(cloud), threshold=0.8, deadline_s=5.0) as tiered:
            (up,) = tiered.infer_batch([sample])
        np.testing.assert_allclose(stays.value.xyxy, [PADDED], atol=1e-6)
        assert up.tier is hc.Tier.CLOUD
        np.testing.assert_allclose(up.value.xyxy, [CROPPED], atol=1e-6)


def test_pictures_of_one_batch_have_sizes_of_their_own(edge, cloud):
    tall = PICTURE.transpose(1, 0, 2)
    with hc.Tiered(edge, hc.load(cloud), threshold=0.4) as tiered:
        wide, high = tiered.infer_batch([PICTURE, tall])
    np.testing.assert_allclose(wide.value.xyxy, [PADDED], atol=1e-6)
    np.testing.assert_allclose(high.value.xyxy, [[0.0, 0.25, 1.0, 0.75]], atol=1e-6)


def test_late_verdicts_and_a_model_alone_speak_of_the_picture_too(edge, cloud):
    with hc.Tiered(edge, hc.load(cloud), threshold=0.8, want_async=True) as tiered:
        tiered.infer(PICTURE)
        correction = next(tiered.corrections(5.0))
    np.testing.assert_allclose(correction.replied.xyxy, [PADDED], atol=1e-6)
    np.testing.assert_allclose(correction.prediction.value.xyxy, [CROPPED], atol=1e-6)
    np.testing.assert_allclose(edge.predict(png()).value.xyxy, [PADDED], atol=1e-6)


def test_a_served_cloud_is_read_by_its_own_description(edge, cloud):
    with serving(f"cloud={cloud}") as server:
        for how in ({"send": "tensor", "threshold": 0.8}, {"send": "raw", "mode": "cloud_only"}):
            remote = hc.connect(f"{server.url}/v2/models/cloud")
            remote.wait_ready()
            with hc.Tiered(edge, remote, deadline_s=10.0, **how) as tiered:
                reply = tiered.infer(png())
            assert reply.tier is hc.Tier.CLOUD
            np.testing.assert_allclose(reply.value.xyxy, [CROPPED], atol=1e-6)


def test_ready_tensors_are_pictures_themselves(edge):
    ready = {"x": np.zeros((1, 3, SIDE, SIDE), np.float32)}
    np.testing.assert_allclose(edge.predict(ready).value.xyxy, [BOX], atol=1e-6)


def test_calibration_compares_boxes_in_the_picture(cloud):
    model, wide = hc.load(cloud), np.zeros((100, 400, 3), np.uint8)
    cropped = np.float32([[0.4375, 0.25, 0.5625, 0.75]])
    there = hc.Boxes(xyxy=cropped, index=np.array([0]), scores=np.ones(1, np.float32))
    of_pictures = calibrated(model, [wide] * 60, [there] * 60)
    of_tensors = calibrated(model, {"x": np.zeros((60, 3, SIDE, SIDE), np.float32)}, [there] * 60)
    assert chance(0.9, of_pictures.margin) > 0.9
    assert chance(0.9, of_tensors.margin) < 0.1


def test_the_command_line_tells_what_was_found_and_where_in_the_picture(cloud, tmp_path, capsys):
    (tmp_path / "wide.png").write_bytes(png())
    (tmp_path / "tall.png").write_bytes(png(PICTURE.transpose(1, 0, 2)))
    (tmp_path / "rows.csv").write_text("file\nwide.png\ntall.png\n")
    assert main(["infer", str(cloud), "--data", str(tmp_path / "rows.csv"), "--json"]) == 0
    wide, tall = (row["value"] for row in json.loads(capsys.readouterr().out)["rows"])
    np.testing.assert_allclose(wide["xyxy"], [CROPPED], atol=1e-6)
    np.testing.assert_allclose(tall["xyxy"], [[0.25, 0.375, 0.75, 0.625]], atol=1e-6)
    assert (wide["labels"], wide["index"]) == (["thing"], [0])
    assert main(["infer", str(cloud), "--data", str(tmp_path / "rows.csv")]) == 0
    assert "thing 0.90" in capsys.readouterr().out
    assert main(["doctor", str(cloud)]) in (0, 1)
    assert "detect: no class scores are needed" in capsys.readouterr().out


def there(corners):
    return hc.Boxes(
        xyxy=np.float32([corners]),
        index=np.zeros(1, np.int64),
        scores=np.ones(1, np.float32),
        labels=("thing",),
    )


def test_tuning_compares_the_boxes_of_both_tiers_in_the_picture(edge, cloud):
    """Pad and crop place one box of the tensor differently in the picture; each tier is right by its own."""
    pictures = [np.full((100, 200, 3), at, np.uint8) for at in range(60)]
    for corners, right in ((PADDED, (1.0, 0.0)), (CROPPED, (0.0, 1.0))):
        tuned = hc.tune(edge, hc.load(cloud), pictures, [there(corners)] * 60, escalate=0.5, cache=False)
        base = tuned.curve.baselines
        assert (base.edge, base.cloud) == right
