"""Make the model files that every benchmark runs: the same bytes for the same seed, wherever it runs."""

import sys
import tempfile
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from common import SEED, arguments, measure, raw_session, report

CLASSES = 10
FEATURES = 64
TINY_SHAPE = (3, 16, 16)
MEDIUM_SHAPE = (3, 64, 64)


def make_tiny(folder: Path, seed: int = SEED, *, features: bool = False) -> Path:
    """A convolutional net of 35-50 us a row on one thread: 3 KB in, ten class probabilities out.

    With `features` it also gives the FEATURES numbers before its last layer, as the output "flat".
    """
    name = "tiny-features.onnx" if features else "tiny.onnx"
    widths = (32, 32, FEATURES)
    return _write(Path(folder) / name, TINY_SHAPE, widths, (1, 1, 2), seed, ("flat",) if features else ())


def make_medium(folder: Path, seed: int = SEED) -> Path:
    """The same kind of net at about 6 ms a row on one thread: 48 KB in, ten class probabilities out."""
    return _write(Path(folder) / "medium.onnx", MEDIUM_SHAPE, (64, 96, 160, 240), (1, 1, 2, 1), seed)


def sample(shape: tuple[int, ...], seed: int = SEED) -> np.ndarray[Any, np.dtype[np.float32]]:
    """One row without the batch axis."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _write(
    path: Path,
    shape: tuple[int, ...],
    widths: tuple[int, ...],
    strides: tuple[int, ...],
    seed: int,
    more: tuple[str, ...] = (),
) -> Path:
    """3x3 convolutions of these widths and strides with ReLU, a mean over the picture, a Gemm, a Softmax."""
    rng = np.random.default_rng(seed)
    nodes, weights = [], []
    value, channels = "x", shape[0]

    def weight(name: str, *size: int) -> str:
        scale = np.sqrt(2 / np.prod(size[1:]))
        array = (rng.standard_normal(size) * scale).astype(np.float32)
        weights.append(numpy_helper.from_array(array, name))
        return name

    for at, (width, stride) in enumerate(zip(widths, strides, strict=True)):
        kernel = weight(f"w{at}", width, channels, 3, 3)
        conv = helper.make_node(
            "Conv",
            [value, kernel],
            [f"c{at}"],
            kernel_shape=[3, 3],
            strides=[stride, stride],
            pads=[1, 1, 1, 1],
        )
        nodes += [conv, helper.make_node("Relu", [f"c{at}"], [f"r{at}"])]
        value, channels = f"r{at}", width
    nodes += [
        helper.make_node("GlobalAveragePool", [value], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node(
            "Gemm", ["flat", weight("head", CLASSES, channels)], ["logits"], transB=1, alpha=8.0
        ),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", CLASSES]),
            *(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", widths[-1]]) for name in more),
        ],
        weights,
    )
    model = helper.make_model(
        graph, producer_name="halocline", opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
    return path


def main() -> int:
    """Print each file's size, digest and raw time of one row on one thread."""
    options = arguments(__doc__ or "")
    values: dict[str, Any] = {}
    valid = True
    with tempfile.TemporaryDirectory() as folder:
        for make, shape in ((make_tiny, TINY_SHAPE), (make_medium, MEDIUM_SHAPE)):
            path = make(Path(folder))
            session, feed = raw_session(path), {"x": sample(shape)[None]}
            timings = measure({"raw": partial(session.run, None, feed)})
            content = path.read_bytes()
            valid = valid and timings.is_valid
            values[path.stem] = {
                "file_bytes": len(content),
                "sha256": sha256(content).hexdigest(),
                "raw_us": timings.median_s("raw") * 1e6,
                "control": timings.control,
            }
    return report("models", values, options, valid=valid)


if __name__ == "__main__":
    sys.exit(main())
