"""Pictures on disk are tuned, measured and looked at by two models that want other tensors of them."""

import io
import json

import numpy as np
import pytest
from made_files import picture_bytes
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from servers import serving
from two_sizes import THRESHOLD, made

import halocline as hc
from halocline.cli import main
from halocline.data import read


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return made(tmp_path_factory.mktemp("pair"))


@pytest.fixture
def photos(pair, tmp_path, monkeypatch):
    """The pictures in class folders, called by who took them, and one that only looks whole."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HALOCLINE_CACHE", str(tmp_path / "cache"))
    for at, (jpeg, label) in enumerate(zip(pair.pictures, pair.labels, strict=True)):
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{'abcdef'[at % 6]}_{at:03}.jpg").write_bytes(jpeg)
    png = bytearray(picture_bytes(form="PNG"))
    png[60:90] = bytes(30)
    (tmp_path / "photos" / "nine" / "f_damaged.png").write_bytes(png)
    return tmp_path / "photos"


def order_of(dataset):
    """The place in the pair of each picture that was read."""
    return [int(name.rpartition("_")[2].removesuffix(".jpg")) for name in dataset.names if name[-3:] == "jpg"]


def test_the_accuracy_is_that_of_hand_written_preprocessing(pair, photos):
    dataset = read(photos)
    edge, cloud = hc.load(pair.edge, threads=1), hc.load(pair.cloud, threads=1)
    policy = hc.Policy(threshold=THRESHOLD)
    seen = hc.evaluate(edge, cloud, policy, dataset.samples, dataset.labels, cache=False)
    by_hand = [pair.by_hand[at] for at in order_of(dataset)]
    truth = [pair.labels[at] for at in order_of(dataset)]
    right = [label == told for (_, label), told in zip(by_hand, truth, strict=True)]
    assert seen.rows == len(pair.pictures)
    assert seen.tiered.accuracy.value == pytest.approx(np.mean(right))
    assert seen.bill.calls == sum(tier == "cloud" for tier, _ in by_hand)
    assert "1 of the 61 samples could not be read and is left out" in seen.notes[0]
    assert "f_damaged.png" in seen.notes[0]


def test_a_served_cloud_says_the_same_and_the_smaller_of_file_and_tensor_is_counted(pair, photos):
    dataset = read(photos)
    edge = hc.load(pair.edge, threads=1)
    policy = hc.Policy(threshold=THRESHOLD)
    here = hc.evaluate(edge, hc.load(pair.cloud), policy, dataset.samples, dataset.labels, cache=False)
    with serving(pair.cloud) as server, hc.connect(f"{server.url}/v2/models/cloud") as cloud:
        told = hc.evaluate(edge, cloud, policy, dataset.samples, dataset.labels, cache=False, latency_calls=3)
    assert told.tiered.accuracy == here.tiered.accuracy
    assert (told.cloud_s.calls, told.bill.calls) == (3, here.bill.calls)
    tensor_bytes = 24 * 24 * 3 * 4
    assert here.bill.bytes_up == told.bill.bytes_up  # a file is counted as if it were served
    assert told.bill.bytes_up / told.bill.calls < tensor_bytes / 2  # a JPEG file is smaller


def test_decoded_pictures_in_one_array_say_what_their_files_say(pair):
    edge, cloud = hc.load(pair.edge, threads=1), hc.load(pair.cloud, threads=1)
    decoded = np.stack([np.asarray(Image.open(io.BytesIO(jpeg))) for jpeg in pair.pictures])
    policy = hc.Policy(threshold=THRESHOLD)
    one, many = (
        hc.evaluate(edge, cloud, policy, x, pair.labels, cache=False, batch_rows=7)
        for x in (decoded, pair.pictures)
    )
    assert one.tiered == many.tiered
    assert (one.rows, one.bill.calls) == (len(pair.pictures), many.bill.calls)


def test_every_command_takes_the_folder(pair, photos, capsys):
    models = ["--edge", str(pair.edge), "--cloud", str(pair.cloud), "--data", str(photos)]
    flags = ["--group-by", r"/([a-f])_", "--escalate", "30%", "--json"]
    assert main(["tune", *models, *flags]) == 0
    tuned = json.loads(capsys.readouterr().out)
    assert (tuned["rows"], tuned["groups"]) == (60, 6)
    assert main(["evaluate", *models, "--policy", "policy.toml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 60
    assert main(["infer", str(pair.cloud), "--data", str(photos), "--rows", "0", "--json"]) == 0
    looked = json.loads(capsys.readouterr().out)
    assert len(looked["rows"]) == 60
    assert [row["name"] for row in looked["bad"]] == ["nine/f_damaged.png"]
    assert main(["tune", *models, *flags, "--strict"]) == 2
    assert "f_damaged.png" in capsys.readouterr().err


def test_infer_at_a_url_prepares_pictures_here(pair, photos, capsys):
    assert main(["infer", str(pair.cloud), "--data", str(photos), "--json"]) == 0
    here = json.loads(capsys.readouterr().out)["rows"]
    with serving(pair.cloud) as server:
        assert main(["infer", f"{server.url}/v2/models/cloud", "--data", str(photos), "--json"]) == 0
    there = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["name"], row["value"]) for row in there] == [(row["name"], row["value"]) for row in here]


def test_a_table_is_cut_into_the_windows_that_the_model_takes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    weights = numpy_helper.from_array(np.array([[-1, 1]] * 4, np.float32), "w")
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["x"], ["flat"], axis=1),
            helper.make_node("MatMul", ["flat", "w"], ["z"]),
            helper.make_node("Softmax", ["z"], ["p"], axis=1),
        ],
        "warm",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4, 1])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", 2])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    (tmp_path / "warm.onnx").write_bytes(model.SerializeToString())
    table = '[input]\nkind = "series"\ncolumns = ["value"]\nwindow = 4\nhop = 2\nmissing = "hold"\n'
    (tmp_path / "warm.model.toml").write_text(f'labels = ["cold", "hot"]\n{table}')
    lines = [f"{at},{value},7" for at, value in enumerate(["-1", "-1", "", "-1", "1", "1", "1", "1"])]
    (tmp_path / "t.csv").write_text("\n".join(["timestamp,value,other", *lines]))
    assert main(["infer", "warm.onnx", "--data", "t.csv", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    told = [(row["name"], row["value"]) for row in rows]
    assert told == [("line 2", "cold"), ("line 4", "cold"), ("line 6", "hot")]
    (tmp_path / "t.csv").write_text("timestamp,valu\n1,2\n")
    assert main(["infer", "warm.onnx", "--data", "t.csv"]) == 2
    assert "no column 'value', which the model takes" in capsys.readouterr().err
