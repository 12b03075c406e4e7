"""Write networks as one ONNX file that names its classes and shows its last hidden layer."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from halocline.demo.datasets.network import Network
from halocline.demo.datasets.patches import MARGIN, POOL, SIZE, Patches
from halocline.records import Array

INPUT = "x"
SCORES = "probabilities"
FEATURES = "features"
"""The output that holds the last hidden layer of the first network: what novelty is measured on."""
EXCESS = "score"
"""The output of one network of two classes that says how much more the second is meant, in logits."""


def to_onnx(
    networks: Sequence[Network],
    lens: Patches | None,
    inputs: int,
    labels: Sequence[str],
    *,
    features: bool,
    row: Sequence[int] | None = None,
    excess: bool = False,
) -> bytes:
    """The mean of the networks' probabilities, and with `features` their last hidden layer too.

    `row` is the shape of one row where that is not flat; `excess` adds the output EXCESS.
    """
    from onnx import TensorProto, helper
    from onnx.checker import check_model

    graph = _Graph()
    given = INPUT if row is None else graph.node("Flatten", INPUT, output="flat")
    seen, width = (given, inputs) if lens is None else _look(graph, given, lens)
    alone = len(networks) == 1
    told = [_write(graph, at, network, seen, width, alone) for at, network in enumerate(networks)]
    # Softmax of the mean's logarithm is the mean, and readers of graphs know by it what the scores are.
    if not alone:
        mean = graph.node("Mean", *told, output="mean")
        graph.node("Softmax", graph.node("Log", mean, output="log"), output=SCORES, axis=1)
    outputs = [helper.make_tensor_value_info(SCORES, TensorProto.FLOAT, ["n", len(labels)])]
    if features:
        hidden = networks[0].weights[-1].shape[0]
        graph.node("Identity", _hidden(0, networks[0]), output=FEATURES)
        outputs.append(helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["n", hidden]))
    if excess:
        first, more = _logits(0, networks[0]), np.array([[-1], [1]], np.float32)
        graph.node("MatMul", first, graph.constant("more", more), output=EXCESS)
        outputs.append(helper.make_tensor_value_info(EXCESS, TensorProto.FLOAT, ["n", 1]))
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "halocline",
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", *(row or (inputs,))])],
            outputs,
            graph.constants,
        ),
        producer_name="halocline",
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    helper.set_model_props(model, {"labels": json.dumps(list(labels))})
    check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


class _Graph:
    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, op: str, *inputs: str, output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def constant(self, name: str, value: Array) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(value, name))
        return name


def _look(graph: _Graph, given: str, lens: Patches) -> tuple[str, int]:
    """The answers of the filters, as `patches.look` gives them, and how many there are."""
    filters = lens.weight.shape[1]
    shape = graph.constant("picture_shape", np.array([-1, 1, lens.side, lens.side], np.int64))
    picture = graph.node("Reshape", given, shape, output="picture")
    weight = graph.constant("filters", np.ascontiguousarray(lens.weight.T).reshape(filters, 1, SIZE, SIZE))
    answers = graph.node(
        "Conv", picture, weight, graph.constant("quiet", lens.bias), output="answers", pads=[MARGIN] * 4
    )
    loud = graph.node("Relu", answers, output="loud")
    pooled = graph.node("AveragePool", loud, output="parts", kernel_shape=[POOL, POOL], strides=[POOL, POOL])
    return graph.node("Flatten", pooled, output="looked"), filters * lens.cells**2


def _write(graph: _Graph, at: int, network: Network, value: str, inputs: int, alone: bool) -> str:
    start, stop = network.columns
    if (start, stop) != (0, inputs):
        places = [
            graph.constant(f"{name}{at}", np.array([place], np.int64))
            for name, place in (("start", start), ("stop", stop), ("axis", 1))
        ]
        value = graph.node("Slice", value, *places, output=f"seen{at}")
    last = len(network.weights) - 1
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        name = f"{at}_{layer}"
        known = graph.constant(f"weight{name}", weight), graph.constant(f"bias{name}", bias)
        value = graph.node("Gemm", value, *known, output=f"linear{name}")
        if layer < last:
            value = graph.node("Relu", value, output=f"hidden{name}")
    return graph.node("Softmax", value, output=SCORES if alone else f"probabilities{at}", axis=1)


def _hidden(at: int, network: Network) -> str:
    return f"hidden{at}_{len(network.weights) - 2}"


def _logits(at: int, network: Network) -> str:
    return f"linear{at}_{len(network.weights) - 1}"
