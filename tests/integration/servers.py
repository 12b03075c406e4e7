"""A real server in its own process, and small models to serve."""

import contextlib
import http.client
import io
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from forked import Forked, model_server
from onnx import TensorProto, helper, numpy_helper

from halocline.assemble import ServeOptions
from halocline.wire import oip

ONNX_TYPES = {
    "FP16": TensorProto.FLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
    "INT8": TensorProto.INT8,
    "INT64": TensorProto.INT64,
    "UINT8": TensorProto.UINT8,
    "BOOL": TensorProto.BOOL,
    "BYTES": TensorProto.STRING,
}


LOOPS_PER_MS = 750


@dataclass(frozen=True)
class Running:
    """A server that listens."""

    url: str
    process: Forked
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def connection(self, timeout_s: float = 10.0) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)

    def get(self, path: str) -> tuple[int, bytes]:
        status, _, body = self.ask("GET", path)
        return status, body

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own: status, headers by lower-case name, body."""
        with contextlib.closing(self.connection()) as connection:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return (
                answer.status,
                {name.lower(): value for name, value in answer.getheaders()},
                answer.read(),
            )

    def infer(self, model: str, feed: dict[str, np.ndarray], *, binary: bool = True) -> oip.InferResponse:
        encoded = oip.encode_request(feed, request_id="r-1", binary=binary)
        headers = {} if encoded.header_bytes is None else {oip.HEADER_LENGTH: str(encoded.header_bytes)}
        status, came, body = self.ask("POST", f"/v2/models/{model}/infer", b"".join(encoded.parts), headers)
        assert status == 200, body
        length = came.get(oip.HEADER_LENGTH.lower())
        return oip.decode_response(body, header_bytes=None if length is None else int(length))


def start(*models: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a server that is not expected to come up: its exit code and what it said."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "stderr"
        process = Forked(model_server, _encoded(models, options), stderr=log)
        said = io.TextIOWrapper(process.stdout).read()
        return subprocess.CompletedProcess([], process.wait(60), said, log.read_text())


@contextlib.contextmanager
def serving(
    *models: str | Path, run: Callable[[str], None] = model_server, **options: Any
) -> Iterator[Running]:
    """A server on a free port of its own."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "stderr"
        process = Forked(run, _encoded(models, options), stderr=log)
        try:
            line = process.stdout.readline()
            assert line, log.read_text()
            yield Running(json.loads(line)["url"], process, log)
        finally:
            process.terminate()
            process.wait(30)
            process.stdout.close()


def identity(folder: Path, datatype: str, width: int = 3) -> Path:
    """A model that gives back what it takes, `[n, width]` of one datatype."""
    tensors = [helper.make_tensor_value_info(name, ONNX_TYPES[datatype], ["n", width]) for name in ("x", "y")]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "identity", *[[t] for t in tensors]
    )
    return _save(graph, folder / f"{datatype.lower()}.onnx")


def linear(folder: Path, classes: int = 4, width: int = 3, *, name: str = "linear", seed: int = 0) -> Path:
    """A small classifier: `[n, width]` in, probabilities out."""
    weights = np.random.default_rng(seed).standard_normal((width, classes)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Softmax", ["z"], ["p"], axis=1)],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", width])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", classes])],
        [numpy_helper.from_array(weights, "w")],
    )
    return _save(graph, folder / f"{name}.onnx")


def slow(folder: Path, name: str = "slow") -> Path:
    """A model that takes as long as its input says, about a millisecond for each 1 in x, 10 at the least.

    It multiplies a matrix with itself over and over: `[n, 1]` in, `[n, 1]` out.
    """
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["m_in", "m_in"], ["square"]),
            helper.make_node("Clip", ["square", "low", "high"], ["m_out"]),
            helper.make_node("Identity", ["go"], ["go_on"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("m_in", TensorProto.FLOAT, [16, 16]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("m_out", TensorProto.FLOAT, [16, 16]),
        ],
    )
    constants = {
        "low": np.float32(-1),
        "high": np.float32(1),
        "least": np.int64(10),
        "per_ms": np.int64(LOOPS_PER_MS),
        "yes": np.bool_(True),
        "axes": np.array([0, 1], np.int64),
        "start": np.eye(16, dtype=np.float32),
    }
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMax", ["x", "axes"], ["longest"], keepdims=0),
            helper.make_node("Cast", ["longest"], ["asked"], to=TensorProto.INT64),
            helper.make_node("Add", ["asked", "least"], ["ms"]),
            helper.make_node("Mul", ["ms", "per_ms"], ["loops"]),
            helper.make_node("Loop", ["loops", "yes", "start"], ["m"], body=body),
            helper.make_node("ReduceMean", ["m", "axes"], ["mean"], keepdims=0),
            helper.make_node("Add", ["x", "mean"], ["y"]),
        ],
        "slow",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()],
    )
    return _save(graph, folder / f"{name}.onnx")


def picky(folder: Path, name: str = "picky") -> Path:
    """A model that fails while it runs on any index outside [0, 3): `[n]` in, `[n]` out."""
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "x"], ["y"])],
        "picky",
        [helper.make_tensor_value_info("x", TensorProto.INT64, ["n"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
        [numpy_helper.from_array(np.arange(3, dtype=np.float32), "table")],
    )
    return _save(graph, folder / f"{name}.onnx")


def _save(graph: Any, path: Path) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def _encoded(models: tuple[str | Path, ...], options: dict[str, Any]) -> str:
    options = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
    given = {"port": 0, "threads": 1, "json": True, "models": [str(model) for model in models], **options}
    return msgspec.json.encode(msgspec.convert(given, ServeOptions)).decode()
