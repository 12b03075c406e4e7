"""Write a grid detector as one ONNX file, in either of the layouts that detectors have."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from halocline.decide.outputs import DetectOutput
from halocline.demo.detection.canvas import ITEM, SIDE
from halocline.demo.detection.grid import Detector
from halocline.records import Array

SCORE_THRESHOLD = 0.5
YOLO = DetectOutput(layout="yolo", score_threshold=SCORE_THRESHOLD, iou_threshold=0.3, across_classes=True)
"""`[n, 4 + classes, places]`, boxes as centre and size in pixels."""
SSD = DetectOutput(
    layout="ssd",
    boxes_output="boxes",
    scores_output="scores",
    background=0,
    score_threshold=SCORE_THRESHOLD,
    iou_threshold=0.3,
    across_classes=True,
)
"""Boxes `[n, places, 4]` as corners in fractions, scores `[n, places, 1 + classes]`, background first."""


def to_onnx(detector: Detector, labels: Sequence[str], order: Sequence[int], form: DetectOutput) -> bytes:
    """The detector as a file whose class at position i is the network's class `order[i]`."""
    from onnx import TensorProto, helper
    from onnx.checker import check_model

    graph = _Graph()
    columns = list(order) if form.layout == "yolo" else [len(labels), *order]
    hidden = _look(graph, detector)
    weight, bias = detector.network.weights[-1], detector.network.biases[-1]
    chances = graph.node("Softmax", _pointwise(graph, hidden, weight, bias, "classes"), axis=1)
    scores = graph.node("Gather", chances, graph.constant(np.asarray(columns, np.int64)), axis=1)
    shifted = _pointwise(graph, hidden, detector.shift[:-1], detector.shift[-1], "places")
    # Of a window at column i of the grid, pixel 0 is pixel i * stride of the picture.
    boxes = graph.node("Add", shifted, graph.constant(_corners(detector.stride)))
    if form.layout == "yolo":
        graph.node("Concat", boxes, scores, axis=1, output="boxes_and_scores")
        outputs: dict[str, list[str | int | None]] = {
            "boxes_and_scores": ["n", 4 + len(columns), _places(detector.stride)]
        }
    else:
        fractions = graph.node("MatMul", graph.constant(_TO_CORNERS / np.float32(SIDE)), boxes)
        graph.node("Transpose", fractions, perm=[0, 2, 1], output="boxes")
        graph.node("Transpose", scores, perm=[0, 2, 1], output="scores")
        places = _places(detector.stride)
        outputs = {"boxes": ["n", places, 4], "scores": ["n", places, len(columns)]}
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "halocline",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, SIDE, SIDE])],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                for name, shape in outputs.items()
            ],
            graph.constants,
        ),
        producer_name="halocline",
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    helper.set_model_props(model, {"labels": json.dumps([labels[at] for at in order])})
    check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


_TO_CORNERS = np.array([[1, 0, -0.5, 0], [0, 1, 0, -0.5], [1, 0, 0.5, 0], [0, 1, 0, 0.5]], np.float32)


class _Graph:
    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, op: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = output or f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def constant(self, value: Array) -> str:
        from onnx import numpy_helper

        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name


def _look(graph: _Graph, detector: Detector) -> str:
    """The last hidden layer at every place, `[n, hidden, grid, grid]`."""
    network = detector.network
    first = np.ascontiguousarray(network.weights[0].T).reshape(-1, 1, ITEM, ITEM)
    value = graph.node(
        "Conv", "x", graph.constant(first), graph.constant(network.biases[0]), strides=[detector.stride] * 2
    )
    for weight, bias in zip(network.weights[1:-1], network.biases[1:-1], strict=True):
        value = graph.node("Relu", value)
        value = graph.node("Conv", value, graph.constant(_kernel(weight)), graph.constant(bias))
    return graph.node("Relu", value)


def _pointwise(graph: _Graph, hidden: str, weight: Array, bias: Array, name: str) -> str:
    """A linear map of the hidden layer at every place, `[n, numbers, places]`."""
    value = graph.node("Conv", hidden, graph.constant(_kernel(weight)), graph.constant(bias))
    shape = graph.constant(np.array([0, weight.shape[1], -1], np.int64))
    return graph.node("Reshape", value, shape, output=name)


def _kernel(weight: Array) -> Array:
    return np.ascontiguousarray(weight.T)[:, :, None, None]


def _places(stride: int) -> int:
    return ((SIDE - ITEM) // stride + 1) ** 2


def _corners(stride: int) -> Array:
    """What is added to centre and size at each place, `[1, 4, places]`."""
    steps = np.arange(0, SIDE - ITEM + 1, stride, dtype=np.float32)
    top, left = np.meshgrid(steps, steps, indexing="ij")
    zero = np.zeros_like(left)
    return np.stack([left, top, zero, zero]).reshape(1, 4, -1)
