"""Two tiers that want pictures of other sizes, scales and label orders, and what they say, by hand."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from sklearn.datasets import load_digits

EDGE_LABELS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CLOUD_LABELS = tuple(sorted(EDGE_LABELS))
SIDE = 40
"""Of the pictures as they come."""
THRESHOLD = 0.8

EDGE_TABLE = """
[input]
kind = "image"
width = 12
height = 10
colour = "grey"
layout = "chw"
mean = [0.3]
std = [0.4]
"""
CLOUD_TABLE = """
[input]
kind = "image"
width = 24
height = 24
colour = "bgr"
layout = "hwc"
scale = 1.0
mean = [100.0, 110.0, 120.0]
std = [60.0, 65.0, 70.0]
"""


@dataclass(frozen=True)
class Pair:
    """Where the two models lie, the pictures as JPEG files, and what is right."""

    edge: Path
    cloud: Path
    pictures: list[bytes]
    labels: list[str]
    by_hand: list[tuple[str, str]]
    """Tier and label of each picture, from preprocessing that somebody wrote for these two models."""


def made(folder: Path, rows: int = 60) -> Pair:
    """The pair, trained on digits that are not among the pictures."""
    digits = load_digits()
    pictures = [_jpeg(image) for image in digits.images[: 500 + rows]]
    named = [EDGE_LABELS[each] for each in digits.target[: 500 + rows]]
    edge = _trained(folder / "edge.onnx", edge_tensor, pictures[:500], named[:500], EDGE_LABELS, 0.1, 14.0)
    cloud = _trained(
        folder / "cloud.onnx", cloud_tensor, pictures[:500], named[:500], CLOUD_LABELS, 0.01, 14.0
    )
    edge.with_suffix(".model.toml").write_text(_labels(EDGE_LABELS) + EDGE_TABLE)
    cloud.with_suffix(".model.toml").write_text(_labels(CLOUD_LABELS) + CLOUD_TABLE)
    left = pictures[500:]
    return Pair(edge, cloud, left, named[500:], _answers(edge, cloud, left))


def edge_tensor(jpeg: bytes) -> np.ndarray:
    """The edge model's row, by hand."""
    with Image.open(io.BytesIO(jpeg)) as image:
        small = image.convert("L").resize((12, 10), Image.Resampling.BILINEAR)
    return ((np.asarray(small, np.float32) * np.float32(1 / 255) - np.float32(0.3)) / np.float32(0.4))[None]


def cloud_tensor(jpeg: bytes) -> np.ndarray:
    """The cloud model's row, by hand."""
    with Image.open(io.BytesIO(jpeg)) as image:
        small = image.convert("RGB").resize((24, 24), Image.Resampling.BILINEAR)
    bgr = np.asarray(small, np.float32)[:, :, ::-1]
    return (bgr - np.array([100, 110, 120], np.float32)) / np.array([60, 65, 70], np.float32)


def _answers(edge: Path, cloud: Path, pictures: list[bytes]) -> list[tuple[str, str]]:
    run_edge, run_cloud = (ort.InferenceSession(path).run for path in (edge, cloud))
    answers = []
    for jpeg in pictures:
        (probs,) = run_edge(None, {"x": edge_tensor(jpeg)[None]})
        if probs[0].max() >= THRESHOLD:
            answers.append(("edge", EDGE_LABELS[probs[0].argmax()]))
            continue
        (probs,) = run_cloud(None, {"x": cloud_tensor(jpeg)[None]})
        answers.append(("cloud", CLOUD_LABELS[probs[0].argmax()]))
    return answers


def _jpeg(image: np.ndarray) -> bytes:
    grey = Image.fromarray((image * 15).astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    tinted = Image.merge("RGB", (grey, grey.point(lambda value: 255 - value), grey))
    out = io.BytesIO()
    tinted.save(out, "JPEG", quality=90)
    return out.getvalue()


def _trained(path, tensor, pictures, named, labels, ridge, sharp) -> Path:
    x = np.stack([tensor(each) for each in pictures])
    flat = x.reshape(len(x), -1).astype(np.float64)
    target = np.eye(len(labels))[[labels.index(each) for each in named]] - 1 / len(labels)
    kernel = flat @ flat.T  # ridge regression on the samples' own products: quick, and the same everywhere
    weights = (
        sharp * flat.T @ np.linalg.solve(kernel + ridge * np.trace(kernel) / len(x) * np.eye(len(x)), target)
    )
    weights = weights.astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["x"], ["flat"], axis=1),
            helper.make_node("MatMul", ["flat", "w"], ["z"]),
            helper.make_node("Softmax", ["z"], ["p"], axis=1),
        ],
        path.stem,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *x.shape[1:]])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", len(labels)])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path


def _labels(labels: tuple[str, ...]) -> str:
    return f"labels = {list(labels)!r}\n".replace("'", '"')
