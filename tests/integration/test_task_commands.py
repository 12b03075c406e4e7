"""The commands tune, evaluate and try do for boxes, numbers and verdicts what they do for classes."""

import json
import re

import numpy as np
import onnx
import pytest
from commands import run
from onnx import TensorProto, helper
from PIL import Image
from servers import serving

import halocline as hc
from halocline.demo.detection.graph import SSD
from halocline.demo.detection.pair import detectors
from halocline.stats.detection import mean_average_precision
from halocline.wire.model_file import Description, description_text


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HALOCLINE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield detectors()


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HALOCLINE_CACHE", str(tmp_path / "cache"))
    return tmp_path


def write_echo(path, columns, table, first=0):
    """A model that says what some columns of its input say."""
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["x", "at"], ["out"], axis=1),
        ],
        path.stem,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2 * columns])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", columns])],
        [onnx.numpy_helper.from_array(np.arange(first, first + columns), "at")],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(proto.SerializeToString())
    path.with_suffix(".model.toml").write_text(table)


def write_table(path, rows, truth):
    lines = [",".join(f"{each:.5f}" for each in row) for row in rows]
    names = ",".join(f"c{at}" for at in range(rows.shape[1]))
    path.write_text("\n".join([f"{names},label", *(f"{a},{b}" for a, b in zip(lines, truth, strict=True))]))


def intervals(rows, seed):
    """What an edge and a cloud say of a number, and the number: the narrow intervals are the better ones."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 100, rows)
    width = rng.uniform(0.2, 10, rows)
    value = truth + rng.normal(0, width / 3)
    cloud = truth + rng.normal(0, 0.2, rows)
    near = [value - width / 2, value, value + width / 2, cloud - 0.3, cloud, cloud + 0.3]
    return np.stack(near, axis=1), np.round(truth, 3)


def regressors(here):
    table = '[regress]\nkind = "quantiles"\nfull_width = 10.0\n'
    write_echo(here / "edge.onnx", 3, table)
    write_echo(here / "cloud.onnx", 3, table, first=3)
    write_table(here / "cal.csv", *intervals(600, 0))
    write_table(here / "test.csv", *intervals(600, 1))
    return ["--edge", "edge.onnx", "--cloud", "cloud.onnx"]


def test_a_regressor_is_tuned_and_evaluated_on_a_table(here, capsys):
    models = regressors(here)
    told = run(capsys, "tune", *models, "--data", "cal.csv", code=2).err
    assert "tolerance must say how far" in told
    flags = ["--max-loss", "10%", "--tolerance", "1"]
    printed = run(capsys, "tune", *models, "--data", "cal.csv", *flags, "--test", "test.csv").out
    assert "within the tolerance" in printed
    assert "promised" in printed
    found = json.loads(
        run(capsys, "evaluate", *models, "--policy", "policy.toml", "--data", "test.csv", "--json").out
    )
    assert found["task"] == "regress"
    (off,) = found["measures"]
    assert off["name"] == "mean absolute error"
    assert off["cloud"] < off["tiered"] < off["edge"]
    assert found["promise"]["state"] in ("held", "by_chance")
    printed = run(capsys, "evaluate", *models, "--policy", "policy.toml", "--data", "test.csv").out
    assert "mean absolute error" in printed
    assert "600 answers were known" in printed
    assert "balanced" not in printed
    assert "regress: right is a value within 1" in run(capsys, "policy", "show", "policy.toml").out


def verdicts(rows, seed):
    rng = np.random.default_rng(seed)
    score = rng.normal(0.6, 0.5, rows)
    truth = rng.random(rows) < 1 / (1 + np.exp(-(score - 1.0) / 0.2))
    cloud = np.where(rng.random(rows) < 0.02, ~truth, truth)
    names = np.where(truth, "anomaly", "normal")
    return np.stack([score, 4.0 * cloud], axis=1), names


def scorers(here):
    table = "[score]\nthreshold = 1.0\nscale = 0.2\n"
    write_echo(here / "edge.onnx", 1, table)
    write_echo(here / "cloud.onnx", 1, table, first=1)
    write_table(here / "cal.csv", *verdicts(600, 0))
    write_table(here / "test.csv", *verdicts(600, 1))
    return ["--edge", "edge.onnx", "--cloud", "cloud.onnx"]


def test_a_scorer_is_tuned_and_evaluated_with_verdicts_by_name(here, capsys):
    models = scorers(here)
    run(capsys, "tune", *models, "--data", "cal.csv", "--escalate", "30%")
    printed = run(capsys, "evaluate", *models, "--policy", "policy.toml", "--data", "test.csv").out
    for line in ("right verdicts", "precision of anomaly", "recall of anomaly", "recall of normal"):
        assert line in printed


def write_scenes(folder, scenes, labels, rows):
    """Pictures with their boxes as COCO has them."""
    (folder / "images").mkdir(parents=True)
    images, notes = [], []
    for at in range(rows):
        name = f"{at:03}.png"
        pixels = (np.clip(scenes.pictures[at], 0, 1) * 255).round().astype(np.uint8)
        Image.fromarray(pixels).save(folder / "images" / name)
        side = pixels.shape[0]
        images.append({"id": at, "file_name": name, "width": side, "height": side})
        truth = scenes.truth[at]
        for corners, index in zip(truth.xyxy * side, truth.index, strict=True):
            left, top, right, bottom = map(float, corners)
            box = [left, top, right - left, bottom - top]
            notes.append({"id": len(notes), "image_id": at, "category_id": int(index), "bbox": box})
    categories = [{"id": at, "name": name} for at, name in enumerate(labels)]
    (folder / "boxes.json").write_text(
        json.dumps({"images": images, "annotations": notes, "categories": categories})
    )
    return folder / "boxes.json"


def write_detectors(here, scenes):
    """Both models with descriptions that take pictures."""
    side = scenes.tune.pictures.shape[-1]
    image = hc.ImageInput(side, side, colour="grey")
    for name, path, form in (("edge", scenes.edge_path, scenes.edge_form), ("cloud", scenes.cloud_path, SSD)):
        (here / f"{name}.onnx").write_bytes(path.read_bytes())
        told = Description(task=hc.Task.DETECT, input=image, detect=form)
        (here / f"{name}.model.toml").write_text(description_text(told, "A detector of digits."))
    return ["--edge", "edge.onnx", "--cloud", "cloud.onnx"]


def test_detectors_are_tuned_and_evaluated_on_coco(here, scenes, capsys):
    models = write_detectors(here, scenes)
    labels = scenes.edge.spec.labels
    cal = write_scenes(here / "cal", scenes.tune, labels, 300)
    test = write_scenes(here / "test", scenes.test, labels, 300)
    printed = run(capsys, "tune", *models, "--data", cal, "--escalate", "30%").out
    assert "all right" in printed
    found = json.loads(
        run(capsys, "evaluate", *models, "--policy", "policy.toml", "--data", test, "--json").out
    )
    half, mean = found["measures"]
    assert (half["name"], mean["name"]) == ("mAP at .5", "mAP .5 to .95")
    assert half["edge"] < half["tiered"] <= half["cloud"] + 0.02
    assert 0.15 < found["escalated"]["value"] < 0.45
    said = [each.value for each in scenes.edge.predict_batch(scenes.test.pictures[:, None])]
    alone = mean_average_precision(said, scenes.test.truth).at_half
    assert half["edge"] == pytest.approx(alone, abs=0.05)  # pixels of 8 bits are not those of the scene
    again = json.loads(
        run(capsys, "evaluate", *models, "--policy", "policy.toml", "--data", test, "--json").out
    )
    assert again["cost"]["rows_asked"] == 20  # the calls that are timed
    assert again["measures"] == found["measures"]


def tried(capsys, *words):
    found = json.loads(run(capsys, "try", *words, "--json").out)
    return found, open("try.html", encoding="utf-8").read()


def test_a_trial_of_detectors_draws_the_boxes_of_both_tiers_and_of_the_truth(here, scenes, capsys):
    models = write_detectors(here, scenes)
    data = write_scenes(here / "cal", scenes.tune, scenes.edge.spec.labels, 300)
    found, page = tried(capsys, *models, "--data", data, "--escalate", "30%")
    assert found["task"] == "detect"
    assert [each["name"] for each in found["measures"]] == ["mAP at .5", "mAP .5 to .95"]
    assert found["baselines"]["majority_label"] == "nothing there"
    marks = [each["drawn"] for each in found["samples"]]
    assert sum(len(each["truth"]) for each in marks) > 0
    assert page.count('<svg class="marks"') == len(found["samples"])
    for kind in ("edge", "cloud", "truth"):
        assert page.count(f'<rect class="{kind}"') == sum(len(each[kind]) for each in marks)
    assert "Mean average precision" in page
    assert "each class is found" not in page
    again, _ = tried(capsys, *models, "--data", data, "--escalate", "30%")
    assert (again["asked"]["rows_asked"], again["asked"]["calls"]) == (0, 0)
    assert again["measures"] == found["measures"]


def test_a_trial_of_regressors_shows_values_with_their_intervals(here, capsys):
    models = regressors(here)
    found, page = tried(capsys, *models, "--data", "cal.csv", "--max-loss", "10%", "--tolerance", "1")
    assert (found["task"], found["measures"][0]["name"]) == ("regress", "mean absolute error")
    assert page.count('<svg class="scale"') == len(found["samples"]) > 0
    sample = found["samples"][0]
    low, value, high = sample["drawn"]["edge"]
    assert sample["edge"] == f"{value:.4g} ({low:.4g} to {high:.4g})"
    assert sample["truth"] == f"{sample['drawn']['truth']:.4g}"
    assert "right within 1 of the truth" in page
    assert "--tolerance 1" in re.sub("<[^>]+>", "", page)


def test_a_trial_of_scorers_shows_the_score_against_the_threshold(here, capsys):
    models = scorers(here)
    found, page = tried(capsys, *models, "--data", "cal.csv", "--escalate", "30%")
    assert [each["name"] for each in found["measures"]] == ["precision of anomaly", "recall of anomaly"]
    assert page.count('<svg class="scale"') == len(found["samples"]) > 0
    assert all(each["drawn"]["limit"] == 1.0 for each in found["samples"])
    assert found["samples"][0]["truth"] in ("normal", "anomaly")
    assert set(found["recall"]["tiered"]) == {"normal", "anomaly"}


def test_a_trial_without_labels_says_what_agreement_is(here, capsys):
    models = regressors(here)
    x, _ = intervals(400, 2)
    np.savez("bare.npz", x=x.astype(np.float32))
    found, page = tried(capsys, *models, "--data", "bare.npz", "--escalate", "30%")
    assert found["measures"] == []
    assert found["samples"][0]["truth"] is None
    assert "each value lies in the interval of the other" in page


def test_a_served_cloud_is_asked_once_about_each_row(here, capsys):
    models = scorers(here)
    with serving(f"cloud={here / 'cloud.onnx'}") as server:
        models[3] = f"{server.url}/v2/models/cloud"
        words = ["tune", *models, "--data", "cal.csv", "--escalate", "30%", "--json"]
        first, again = (json.loads(run(capsys, *words).out) for _ in range(2))
    assert (first["asked"]["rows_asked"], again["asked"]["calls"]) == (600, 0)
    assert first["curve"] == again["curve"]
    assert (first["task"], first["tolerance"]) == ("score", None)


def test_boxes_for_a_model_that_does_not_detect_are_refused(here, scenes, capsys):
    models = scorers(here)
    data = write_scenes(here / "cal", scenes.tune, scenes.edge.spec.labels, 3)
    for command in (["tune"], ["try"], ["evaluate", "--policy", "policy.toml"]):
        assert "HAL-322" in run(capsys, *command, *models, "--data", data, code=2).err
    np.savez("rows.npz", x=scenes.tune.pictures[:60, None], y=np.zeros(60, np.int64))
    detect = write_detectors(here, scenes)
    assert "hc.Boxes for each picture" in run(capsys, "tune", *detect, "--data", "rows.npz", code=2).err
