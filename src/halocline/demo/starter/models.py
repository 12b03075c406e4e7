"""Train two small networks on made-up rows and write each as an ONNX file that names its classes."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from halocline.demo.datasets.network import Network, Recipe, fit
from halocline.records import Array

INPUT = "x"
SCORES = "probabilities"


def trained(x: Array, y: Array, labels: Sequence[str], hidden: tuple[int, ...], seed: int) -> bytes:
    """An ONNX file of a network with those hidden layers; `x` are rows of its tensor."""
    recipe = Recipe(hidden=hidden, epochs=30, learning_rate=5e-3)
    (network,) = fit(x.reshape(len(x), -1).astype(np.float32), y, len(labels), recipe, seed)
    return _written(network, x.shape[1:], labels)


def _written(network: Network, shape: tuple[int, ...], labels: Sequence[str]) -> bytes:
    from onnx import TensorProto, helper, numpy_helper
    from onnx.checker import check_model

    nodes: list[Any] = [helper.make_node("Flatten", [INPUT], ["flat"])]
    constants, value = [], "flat"
    last = len(network.weights) - 1
    for at, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        constants += [numpy_helper.from_array(weight, f"w{at}"), numpy_helper.from_array(bias, f"b{at}")]
        nodes.append(helper.make_node("Gemm", [value, f"w{at}", f"b{at}"], [f"linear{at}"]))
        value = f"linear{at}"
        if at < last:
            nodes.append(helper.make_node("Relu", [value], [f"hidden{at}"]))
            value = f"hidden{at}"
    nodes.append(helper.make_node("Softmax", [value], [SCORES], axis=1))
    graph = helper.make_graph(
        nodes,
        "halocline",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info(SCORES, TensorProto.FLOAT, ["n", len(labels)])],
        constants,
    )
    model = helper.make_model(
        graph, producer_name="halocline", opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    helper.set_model_props(model, {"labels": json.dumps(list(labels))})
    check_model(model)
    return bytes(model.SerializeToString(deterministic=True))
