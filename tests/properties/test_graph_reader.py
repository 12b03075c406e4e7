"""The graph reader ends on any bytes: in a graph, or in one error."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from halocline.adapters.onnxruntime.graph import Graph, read_graph, read_graph_file
from halocline.errors import Misconfigured


def _model(weights: int = 16) -> bytes:
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["v"], name="first"),
            helper.make_node("Softmax", ["v"], ["p"], axis=1),
            helper.make_node("Custom", ["v", ""], ["q"], domain="com.acme"),
        ],
        "the graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", weights])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", weights]) for name in ("p", "q")],
        [numpy_helper.from_array(np.ones((weights, weights), "float32"), "w")],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.acme", 2)]
    return helper.make_model(graph, producer_name="us", opset_imports=opsets).SerializeToString()


MODEL = _model()


def test_it_reads_what_the_onnx_package_wrote():
    graph = read_graph(MODEL)
    assert graph.name == "the graph"
    assert graph.producer == "us"
    assert graph.opsets == {"": 17, "com.acme": 2}
    assert graph.outputs == ("p", "q")
    assert [(node.op, node.inputs, node.outputs, node.is_standard) for node in graph.nodes] == [
        ("MatMul", ("x", "w"), ("v",), True),
        ("Softmax", ("v",), ("p",), True),
        ("Custom", ("v", ""), ("q",), False),
    ]


@given(st.integers(0, len(MODEL) - 1))
def test_a_model_cut_short_anywhere_is_an_error_or_lacks_only_what_was_cut(end):
    graph = _reads_or_refuses(MODEL[:end])
    assert graph is None or graph.outputs == ("p", "q")


@given(st.data())
def test_changed_bytes_end_in_a_graph_or_in_one_error(data):
    content = bytearray(MODEL)
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    _reads_or_refuses(bytes(content))


@given(st.binary(max_size=400))
def test_any_bytes_end_in_a_graph_or_in_one_error(content):
    _reads_or_refuses(content)


@pytest.mark.parametrize(
    "content",
    [
        b"\x3a" + b"\xff" * 9 + b"\x01",  # a length of 2^64 - 1
        b"\x3a" + b"\xff" * 30,  # a number without an end
        b"\x3a\x80\x80\x80\x80\x01",  # a graph of 4 GiB in a file of 6 bytes
        b"\x0b",  # a group, which no model has
        b"\x3a\x02\x12\x7f",  # a field that is longer than the message around it
    ],
)
def test_lengths_that_lie_are_refused(content):
    with pytest.raises(Misconfigured, match="HAL-201"):
        read_graph(content)


def test_a_file_is_read_as_its_bytes_are(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(_model(weights=600))
    assert read_graph_file(path) == read_graph(_model(weights=600))
    path.write_bytes(MODEL[:50])
    with pytest.raises(Misconfigured, match=r"m\.onnx is not a whole ONNX model: cut short"):
        read_graph_file(path)
    path.write_bytes(b"")
    with pytest.raises(Misconfigured, match="is empty"):
        read_graph_file(path)


def _reads_or_refuses(content: bytes) -> Graph | None:
    """The graph, or None after the one error there may be; any other error ends the test."""
    try:
        return read_graph(content)
    except Misconfigured as exc:
        message = str(exc)
    assert message.endswith("[HAL-201]")
    assert len(message) < 200
    return None
