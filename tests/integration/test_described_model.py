"""The promises of loading a model with its description."""

import io
import json
import subprocess
import sys
import tomllib

import numpy as np
import pytest
from onnx import TensorProto, helper
from PIL import Image

from halocline.adapters.onnxruntime import load
from halocline.adapters.onnxruntime.inputs import OneInput
from halocline.cli import main
from halocline.errors import Misconfigured, Rejected
from halocline.inputs.description import ArrayInput, ImageInput, SeriesInput, SoundInput
from halocline.wire.model_file import Description

PHOTO = (np.add.outer(np.arange(40) * 3, np.arange(60))[..., None] * (1, 2, 3) % 256).astype(np.uint8)


def jpeg(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def described(folder, told, row=(3, 8, 8), kind=TensorProto.FLOAT):
    return load(saved(folder, row, kind), description=Description(input=told))


def saved(folder, row=(3, 8, 8), kind=TensorProto.FLOAT, name="edge"):
    """A model file that gives back its one input."""
    takes = helper.make_tensor_value_info("x", kind, ["n", *row])
    gives = helper.make_tensor_value_info("y", kind, ["n", *row])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [takes], [gives])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    path = folder / f"{name}.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_the_description_beside_a_model_is_read_unless_told_otherwise(tmp_path):
    path = saved(tmp_path)
    bare = load(path)
    (tmp_path / "edge.model.toml").write_text('[input]\nkind = "array"\nscale = 0.5\n')
    described = load(path)
    assert bare.spec.input is None
    assert described.spec.input == ArrayInput(scale=0.5)
    assert load(path, description=False).spec.input is None
    assert load(path, description=False).digest == bare.digest != described.digest
    stated = load(path.read_bytes(), description=Description(input=ArrayInput(scale=0.5)))
    assert stated.digest == described.digest
    (tmp_path / "other.toml").write_text("labels = []\n")
    assert load(path, description=tmp_path / "other.toml").spec.input is None


def test_a_description_asked_for_must_be_there(tmp_path):
    with pytest.raises(Misconfigured, match="does not exist"):
        load(saved(tmp_path), description=tmp_path / "no.toml")


def test_labels_given_go_before_those_described(tmp_path):
    rng = np.random.default_rng(0)
    w = helper.make_tensor("w", TensorProto.FLOAT, [4, 2], rng.random(8).astype("float32"))
    takes = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])
    gives = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])
    nodes = [helper.make_node("MatMul", ["x", "w"], ["l"]), helper.make_node("Softmax", ["l"], ["y"])]
    graph = helper.make_graph(nodes, "g", [takes], [gives], [w])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    helper.set_model_props(model, {"labels": '["own", "words"]'})
    told = Description(labels=("a", "b"))
    assert load(model).spec.labels == ("own", "words")
    assert load(model, description=told).spec.labels == ("a", "b")
    assert load(model, description=told, labels=["c", "d"]).spec.labels == ("c", "d")


def test_a_picture_is_prepared_as_it_is_by_hand(tmp_path):
    model = described(tmp_path, ImageInput(8, 8, mean=(0.5,), std=(0.25,)))
    data = jpeg(PHOTO)
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    image = Image.open(path).convert("RGB").resize((8, 8), Image.BILINEAR)
    by_hand = (
        (np.asarray(image, np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.25)
    ).transpose(2, 0, 1)
    for sample in (path, data, np.asarray(Image.open(path))):
        assert np.array_equal(model.run(model.conform(sample))[0], by_hand[None])


def test_a_batch_may_hold_pictures_of_any_size_and_form(tmp_path):
    model = described(tmp_path, ImageInput(8, 8))
    (tmp_path / "photo.jpg").write_bytes(jpeg(PHOTO))
    batch = [PHOTO, PHOTO[:9, :5], jpeg(PHOTO), tmp_path / "photo.jpg"]
    feed = model.conform_batch(batch)
    assert feed["x"].shape == (4, 3, 8, 8)
    for at, sample in enumerate(batch):
        assert np.array_equal(feed["x"][at], model.conform(sample)["x"][0])
    assert model.conform_batch(np.stack([PHOTO, PHOTO]))["x"].shape == (2, 3, 8, 8)
    assert model.conform_batch(iter(batch))["x"].shape == (4, 3, 8, 8)


def test_ready_tensors_go_through_by_name_and_so_do_the_bytes_of_files(tmp_path):
    model = described(tmp_path, ImageInput(8, 8))
    ready = np.random.default_rng(0).random((5, 3, 8, 8), dtype=np.float32)
    assert np.array_equal(model.conform_batch({"x": ready})["x"], ready)
    assert np.array_equal(model.conform({"x": ready[0]})["x"], ready[:1])
    files = np.empty(2, object)
    files[:] = [jpeg(PHOTO), jpeg(PHOTO[::-1])]
    assert np.array_equal(model.conform_batch({"x": files})["x"], model.conform_batch(list(files))["x"])
    assert np.array_equal(model.conform({"x": files[:1]})["x"], model.conform(files[0])["x"])
    assert np.array_equal(model.conform({"x": files[0]})["x"], model.conform(files[0])["x"])
    with pytest.raises(Rejected, match="one sample"):
        model.conform({"x": files})
    with pytest.raises(Rejected, match="objects"):
        model.conform_batch({"x": np.array([jpeg(PHOTO)])})
    with pytest.raises(Rejected, match="not an input"):
        model.conform({"y": ready})


def test_an_error_names_the_row_and_the_file(tmp_path):
    model = described(tmp_path, ImageInput(8, 8))
    (tmp_path / "cut.jpg").write_bytes(jpeg(PHOTO)[:300])
    with pytest.raises(
        Rejected, match=r"^row 2: .*cut\.jpg: a JPEG picture that cannot be decoded"
    ) as caught:
        model.conform_batch([PHOTO, PHOTO, tmp_path / "cut.jpg"])
    assert caught.value.code == "HAL-311"
    with pytest.raises(Rejected, match="empty"):
        model.conform_batch([])
    for one in (tmp_path / "cut.jpg", "cut.jpg", jpeg(PHOTO), 3):
        with pytest.raises(Rejected, match="list of raw samples"):
            model.conform_batch(one)


def test_sounds_and_series_are_prepared_too(tmp_path):
    told = SoundInput(8000, 0.5, n_fft=256, hop=80, mels=20, layout="1mt")
    model = described(tmp_path, told, (1, 20, 51))
    wave = np.sin(np.arange(4000) / 3).astype(np.float32)
    assert model.conform(wave)["x"].shape == (1, 1, 20, 51)
    assert model.conform_batch([wave, (wave, 16_000), wave[:100]])["x"].shape == (3, 1, 20, 51)
    series = described(tmp_path, SeriesInput(2, window=5, missing="hold"), (5, 2))
    rows = np.arange(10.0).reshape(5, 2)
    assert np.array_equal(series.conform(rows)["x"][0], rows.astype(np.float32))
    with pytest.raises(Rejected, match="row 1: row 3 of the window, column 0 is nan"):
        described(tmp_path, SeriesInput(2, window=5), (5, 2)).conform_batch(
            [rows, np.where(rows == 6, np.nan, rows)]
        )


def test_a_plain_array_with_nothing_to_do_has_no_wrapper(tmp_path):
    model = described(tmp_path, ArrayInput())
    assert isinstance(model.conform.__self__._one.__self__, OneInput)
    sample = np.zeros((3, 8, 8), np.float32)
    assert model.conform(sample)["x"].base is sample


def test_a_plain_array_is_scaled_as_one_or_as_a_batch(tmp_path):
    model = described(tmp_path, ArrayInput(scale=1 / 255, mean=(0.5,)))
    raw = np.random.default_rng(0).integers(0, 256, (4, 3, 8, 8)).astype(np.uint8)
    whole = model.conform_batch(raw)["x"]
    assert whole.dtype == np.float32
    assert np.allclose(whole, raw / 255 - 0.5, atol=1e-6)
    assert np.array_equal(model.conform_batch(list(raw))["x"], whole)
    assert np.array_equal(model.conform(raw[1])["x"], whole[1:2])
    assert np.array_equal(model.conform(raw[1:2])["x"], whole[1:2])
    with pytest.raises(Rejected, match="HAL-301"):
        model.conform(raw[0, :2])
    with pytest.raises(Rejected, match="HAL-303"):
        model.conform(np.full((3, 8, 8), np.nan))


@pytest.mark.parametrize(
    ("told", "row", "says"),
    [
        (ImageInput(8, 8), (8, 8, 3), "layout = 'hwc'"),
        (ImageInput(8, 6), (3, 8, 6), "width = 6, height = 8"),
        (ImageInput(8, 8), (1, 8, 8), "colour = 'grey'"),
        (ImageInput(8, 8, layout="hwc"), (9, 7, 3), "width = 7, height = 9"),
        (SoundInput(8000, 0.5, mels=20, hop=80, layout="1mt"), (20, 51), "layout = 'mt'"),
        (ImageInput(8, 8, dtype="uint8", scale=1), (3, 8, 8), "dtype = 'float32'"),
        (SoundInput(8000, 0.5, mels=20, hop=80), (1, 20, 51), "layout = '1mt'"),
        (SoundInput(8000, 0.5, mels=20, hop=80), (51, 20), "layout = 'tm'"),
        (SeriesInput(2, window=5), (2, 5), "layout = 'ct'"),
        (SeriesInput(2, window=5), (4, 4), "sizes"),
        (ArrayInput("uint8"), (3,), "dtype = 'float32'"),
    ],
)
def test_a_description_that_does_not_fit_says_what_to_change(told, row, says, tmp_path):
    with pytest.raises(Misconfigured) as caught:
        described(tmp_path, told, row)
    assert caught.value.code == "HAL-209"
    assert says in caught.value.message
    assert "\n" not in caught.value.message


def test_a_description_fits_sizes_that_the_model_leaves_open(tmp_path):
    model = described(tmp_path, ImageInput(12, 8), (3, "h", "w"))
    assert model.conform(PHOTO)["x"].shape == (1, 3, 8, 12)


def test_a_description_is_for_a_model_of_one_input(tmp_path):
    takes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in "ab"]
    gives = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])
    graph = helper.make_graph([helper.make_node("Add", ["a", "b"], ["y"])], "g", takes, [gives])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    with pytest.raises(Misconfigured, match="describes one"):
        load(model, description=Description(input=ArrayInput(scale=2.0)))


def test_inspect_proposes_a_description_that_loads(tmp_path, capsys):
    path = saved(tmp_path, (3, 24, 32))
    assert main(["model", "inspect", str(path)]) == 0
    told = capsys.readouterr().out
    assert '[input]\nkind = "image"\nwidth = 32\nheight = 24' in told
    assert "cannot say" in told
    assert not (tmp_path / "edge.model.toml").exists()
    assert main(["model", "inspect", str(path), "--write"]) == 0
    assert load(path).spec.input == ImageInput(32, 24)
    assert "wrote" in capsys.readouterr().out
    written = (tmp_path / "edge.model.toml").read_text()
    assert written in told
    # What a person has corrected is never written over.
    assert main(["model", "inspect", str(path), "--write"]) == 2
    assert "stays as it is" in capsys.readouterr().err
    assert (tmp_path / "edge.model.toml").read_text() == written
    assert main(["model", "inspect", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["proposal"] is None
    assert facts["description"]["input"]["width"] == 32


def test_inspect_tells_a_proposal_as_json(tmp_path, capsys):
    assert main(["model", "inspect", str(saved(tmp_path, (24, 2))), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["description"] is None
    assert facts["proposal"]["input"]["window"] == 24
    assert tomllib.loads(facts["proposal"]["toml"])["input"]["columns"] == 2
    assert any(line.startswith("missing") for line in facts["proposal"]["unknown"])


def test_inspect_has_nothing_to_propose_for_strings(tmp_path, capsys):
    path = saved(tmp_path, (3,), TensorProto.STRING)
    assert main(["model", "inspect", str(path)]) == 0
    assert "[input]" not in capsys.readouterr().out
    assert main(["model", "inspect", str(path), "--write"]) == 2
    assert "nothing to write" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("described", "absent"),
    [
        ("", ["PIL", "soundfile", "tomllib", "halocline.wire.model_file", "halocline.inputs.prepare"]),
        ('[input]\nkind = "series"\ncolumns = 2\nwindow = 5\n', ["PIL", "soundfile"]),
    ],
)
def test_a_device_loads_only_what_its_samples_need(described, absent, tmp_path):
    saved(tmp_path, (5, 2))
    if described:
        (tmp_path / "edge.model.toml").write_text(described)
    script = "import sys, numpy, halocline as hc; m = hc.load('edge.onnx'); "
    script += "m.conform(numpy.zeros((5, 2), 'float32')); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert not set(absent) & set(done.stdout.split())


def test_an_input_alone_is_a_description_and_other_things_are_refused(tmp_path):
    path = saved(tmp_path)
    assert (
        load(path, description=ImageInput(8, 8)).digest
        == load(path, description=Description(input=ImageInput(8, 8))).digest
    )
    for wrong in ({"input": {}}, True, 3):
        with pytest.raises(Misconfigured, match="expected a path") as caught:
            load(path, description=wrong)
        assert caught.value.code == "HAL-208"


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ('labels = ["a", "b"]', "HAL-203", "edge.model.toml gives 2 labels, but edge has 3 classes"),
        ('labels = ["a", "b", "a"]', "HAL-203", "edge.model.toml names 'a' twice"),
        ('[input]\nkind = "array"\ndtype = "uint8"', "HAL-209", "edge.model.toml: the input 'x' of edge"),
        ('input = "image"', "HAL-208", "edge.model.toml: input must be a table, [input], got 'image'"),
        ('[score]\noutput = "z"\nthreshold = 1.0\nscale = 1.0', "HAL-331", "edge.model.toml: "),
    ],
)
def test_an_error_in_a_description_names_its_file(text, code, says, tmp_path):
    takes = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])
    gives = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])
    graph = helper.make_graph([helper.make_node("Softmax", ["x"], ["y"])], "g", [takes], [gives])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    (tmp_path / "edge.onnx").write_bytes(model.SerializeToString())
    (tmp_path / "edge.model.toml").write_text(text)
    with pytest.raises(Misconfigured) as caught:
        load(tmp_path / "edge.onnx")
    assert caught.value.code == code
    assert says in caught.value.message


def test_a_file_given_to_a_model_without_a_description_is_told_about_descriptions(tmp_path):
    model = load(saved(tmp_path))
    for sample in (jpeg(PHOTO), "leaf.jpg", tmp_path / "leaf.jpg"):
        with pytest.raises(Rejected, match="halocline model inspect") as caught:
            model.conform(sample)
        assert caught.value.code == "HAL-302"
    with pytest.raises(Rejected, match="halocline model inspect"):
        model.conform_batch(["leaf.jpg", "tree.jpg"])


def test_rows_of_different_shapes_are_named(tmp_path):
    told = described(tmp_path, ArrayInput(scale=2.0), (3,))
    for model in (told, load(tmp_path / "edge.onnx")):
        with pytest.raises(Rejected, match=r"row 2 .*\[2\].*row 0 .*\[3\]") as caught:
            model.conform_batch([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0]])
        assert caught.value.code == "HAL-301"
