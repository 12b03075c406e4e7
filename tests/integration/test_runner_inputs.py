"""The promises of input checking: every wrong sample is refused before the run, saying what to do."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from halocline.adapters.onnxruntime import load
from halocline.errors import Rejected

PICTURE = [3, 16, 12]


def passing(*inputs, rows="n"):
    """A model that gives back its inputs: (name, type, shape of a row) each."""
    takes = [helper.make_tensor_value_info(name, kind, [rows, *row]) for name, kind, row in inputs]
    gives = [helper.make_tensor_value_info(f"{name}_out", kind, [rows, *row]) for name, kind, row in inputs]
    nodes = [helper.make_node("Identity", [name], [f"{name}_out"]) for name, _, _ in inputs]
    graph = helper.make_graph(nodes, "g", takes, gives)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


@pytest.fixture(scope="module")
def pictures():
    return load(passing(("x", TensorProto.FLOAT, PICTURE)), name="pictures")


def refusal(code, call, sample):
    with pytest.raises(Rejected) as caught:
        call(sample)
    assert caught.value.code == code
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_one_sample_is_accepted_with_and_without_its_batch_axis(pictures):
    sample = np.random.default_rng(0).random(PICTURE, dtype=np.float32)
    for _ in range(2):
        for given in (sample, sample[None], {"x": sample}, sample.tolist(), np.asfortranarray(sample)):
            feed = pictures.conform(given)
            assert list(feed) == ["x"]
            assert feed["x"].dtype == np.float32
            assert np.array_equal(pictures.run(feed)[0], sample[None])


@pytest.mark.parametrize(
    ("sample", "code", "advice"),
    [
        (np.zeros([16, 12, 3], "float32"), "HAL-301", "x.transpose(2, 0, 1)"),
        (np.zeros([1, 16, 12, 3], "float32"), "HAL-301", "x.transpose(0, 3, 1, 2)"),
        (np.zeros(PICTURE, "uint8"), "HAL-302", "x.astype('float32') / 255"),
        (np.zeros([16, 12, 3], "uint8"), "HAL-302", "then x.transpose(2, 0, 1)"),
        (np.zeros(PICTURE, "float64"), "HAL-302", "x.astype('float32')"),
        (np.zeros([5, *PICTURE], "float32"), "HAL-301", "infer_batch"),
        (np.zeros([0, *PICTURE], "float32"), "HAL-303", "empty"),
        (np.zeros([1, 1, *PICTURE], "float32"), "HAL-301", "x[0]"),
        (np.zeros(3 * 16 * 12, "float32"), "HAL-301", "x.reshape((3, 16, 12))"),
        (np.zeros([3, 16, 11], "float32"), "HAL-301", "axis -1 is 11, expected 12"),
        (np.full(PICTURE, np.nan, "float32"), "HAL-303", "allow_nan=True"),
        ("hello", "HAL-302", "strings are not numbers"),
        (None, "HAL-302", "NoneType"),
        ([[1.0], [2.0, 3.0]], "HAL-301", "not of one length"),
        ({"X": np.zeros(PICTURE, "float32")}, "HAL-301", "did you mean 'x'?"),
    ],
)
def test_a_wrong_sample_is_refused_saying_what_was_expected_what_came_and_what_to_try(
    pictures, sample, code, advice
):
    message = refusal(code, pictures.conform, sample)
    assert advice in message
    assert "pictures" in message
    if "expects" in message:
        assert "float32 [N, 3, 16, 12], got " in message


def test_the_advice_about_transposing_works_both_ways():
    last = load(passing(("x", TensorProto.FLOAT, [16, 12, 3])))
    sample = np.zeros(PICTURE, "float32")
    assert "x.transpose(1, 2, 0)" in refusal("HAL-301", last.conform, sample)
    assert last.conform(sample.transpose(1, 2, 0))["x"].shape == (1, 16, 12, 3)


@pytest.mark.parametrize("size", [4, 100_000])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.FLOAT, TensorProto.DOUBLE])
def test_nan_is_found_wherever_it_hides_and_large_values_are_not_taken_for_it(size, kind):
    model = load(passing(("x", kind, [size])))
    dtype = model.spec.inputs[0].dtype
    sample = np.full(size, np.finfo(dtype).max, dtype)
    for at in (0, size // 2, size - 1):
        for _ in range(2):  # the second time takes the short way
            assert model.conform(sample)["x"].shape == (1, size)
        bad = sample.copy()
        bad[at] = np.nan
        assert f"({at},)" in refusal("HAL-303", model.conform, bad)
        assert f"(1, {at})" in refusal("HAL-303", model.conform_batch, np.stack([sample, bad]))
    sample[0] = np.inf
    model.conform(sample)


def test_nan_passes_where_it_means_something_to_the_model():
    model = load(passing(("x", TensorProto.FLOAT, [4])), allow_nan=True)
    assert np.isnan(model.conform(np.full(4, np.nan, "float32"))["x"]).all()


def test_a_batch_needs_rows_and_its_batch_axis(pictures):
    rows = np.zeros([7, *PICTURE], "float32")
    assert pictures.conform_batch(rows)["x"].shape == (7, *PICTURE)
    assert pictures.conform_batch(rows[:1])["x"].shape == (1, *PICTURE)
    assert "empty" in refusal("HAL-303", pictures.conform_batch, rows[:0])
    assert "empty" in refusal("HAL-303", pictures.conform_batch, [])
    assert "call infer" in refusal("HAL-301", pictures.conform_batch, rows[0])
    assert "x.transpose(0, 3, 1, 2)" in refusal(
        "HAL-301", pictures.conform_batch, np.zeros([7, 16, 12, 3], "float32")
    )


def test_sizes_that_the_model_leaves_free_may_change_from_call_to_call():
    model = load(passing(("x", TensorProto.FLOAT, ["t", 2])))
    for length in (3, 5, 3, 1):
        assert model.conform(np.zeros([length, 2], "float32"))["x"].shape == (1, length, 2)
    assert "holds no values" in refusal("HAL-303", model.conform, np.zeros([0, 2], "float32"))
    assert "axis -1 is 3" in refusal("HAL-301", model.conform, np.zeros([4, 3], "float32"))


def test_a_model_exported_for_one_row_says_so():
    model = load(passing(("x", TensorProto.FLOAT, [2]), rows=1))
    assert model.conform(np.zeros(2, "float32"))["x"].shape == (1, 2)
    assert "dynamic batch axis" in refusal("HAL-301", model.conform_batch, np.zeros([3, 2], "float32"))


def test_lists_and_numbers_take_the_models_type_where_no_value_changes():
    whole = load(passing(("x", TensorProto.INT64, [1])))
    assert whole.conform(7)["x"].tolist() == [[7]]
    assert whole.conform([7.0])["x"].tolist() == [[7]]
    assert "do not fit int64" in refusal("HAL-302", whole.conform, [7.5])
    small = load(passing(("x", TensorProto.UINT8, [2])))
    assert "do not fit uint8" in refusal("HAL-302", small.conform, [1, 300])
    truth = load(passing(("x", TensorProto.BOOL, [2])))
    assert truth.conform([True, False])["x"].tolist() == [[True, False]]


def test_strings_reach_the_model_as_text():
    model = load(passing(("x", TensorProto.STRING, [1])))
    for given in ("é", ["é"], np.array(["é"]), np.array(["é".encode()], object), np.array([["é"]], object)):
        assert model.run(model.conform(given))[0].tolist() == [["é"]]
    assert "not UTF-8" in refusal("HAL-302", model.conform, np.array([b"\xff"], object))
    assert "holds a int" in refusal("HAL-302", model.conform, np.array([5], object))
    assert "takes strings" in refusal("HAL-302", model.conform, np.zeros(1, "float32"))


def test_several_inputs_come_by_name():
    model = load(
        passing(("age", TensorProto.INT64, [1]), ("image", TensorProto.FLOAT, [2, 2])), name="patients"
    )
    feed = model.conform({"image": np.zeros([2, 2], "float32"), "age": 61})
    assert {name: array.shape for name, array in feed.items()} == {"age": (1, 1), "image": (1, 2, 2)}
    one = np.zeros([2, 2], "float32")
    assert "takes 2 inputs (age, image)" in refusal("HAL-301", model.conform, one)
    assert "did you mean 'image'?" in refusal("HAL-301", model.conform, {"imgae": one, "age": 61})
    assert "'age' is missing" in refusal("HAL-301", model.conform, {"image": one})
    rows = {"image": np.zeros([3, 2, 2], "float32"), "age": np.zeros([2, 1], "int64")}
    assert "age 2, image 3" in refusal("HAL-301", model.conform_batch, rows)
