"""The promises of loading a model with its description."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from halocline.adapters.onnxruntime import load
from halocline.errors import Misconfigured
from halocline.inputs.description import ArrayInput
from halocline.wire.model_file import Description


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
