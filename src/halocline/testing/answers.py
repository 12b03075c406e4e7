"""Say the bytes, right or spoilt on purpose, that an inference server answers with."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from halocline.records import Array

_HEADER_LENGTH = "Inference-Header-Content-Length"


@dataclass(frozen=True)
class Head:
    """The head of one HTTP request; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]

    @property
    def body_bytes(self) -> int:
        """How many bytes of body follow."""
        return int(self.headers.get("content-length", "0"))


def read_head(readline: Callable[[], bytes]) -> Head | None:
    """Read one request's head; None where the peer left. Raises ValueError where it is not HTTP."""
    first = readline()
    if not first:
        return None
    method, target, _ = first.decode("ascii").split()
    headers = {}
    while (line := readline().strip()) and b":" in line:
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return Head(method, target.partition("?")[0], headers)


def http_head(status: int, phrase: str, body_bytes: int, headers: dict[str, str] | None = None) -> bytes:
    """The head of an answer whose body has that many bytes."""
    fields = {"Content-Type": "application/json"} | (headers or {}) | {"Content-Length": str(body_bytes)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} {phrase}\r\n{lines}\r\n".encode()


def http(status: int, phrase: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """A whole answer."""
    return http_head(status, phrase, len(body), headers) + body


def error(status: int, phrase: str, message: str, headers: dict[str, str] | None = None) -> bytes:
    """An error in the protocol's form."""
    return http(status, phrase, _json({"error": message}), headers)


def body_bytes(answer: bytes) -> int:
    """How many bytes of a whole answer are its body."""
    return len(answer) - answer.index(b"\r\n\r\n") - 4


def fixed_scores(x: Array, classes: int = 10) -> Array:
    """Probabilities that follow from the inputs alone: 0.9 for the class `round(sum(row)) % classes`."""
    rows = x.reshape(len(x), -1)
    index = np.rint(rows.sum(axis=1, dtype=np.float64)).astype(np.int64) % classes
    scores = np.full((len(rows), classes), 0.1 / (classes - 1), dtype=np.float32)
    scores[np.arange(len(rows)), index] = 0.9
    return scores


@dataclass(frozen=True)
class FixedModel:
    """One model and the protocol's answers about it."""

    name: str
    features: int
    classes: int
    predict: Callable[[Array], Array] | None
    binary: bool

    def answer(self, head: Head, body: bytes, spoil: str = "ok") -> bytes:
        """The answer to any request of the protocol; an inference may be spoilt by name of the fault."""
        model = f"/v2/models/{self.name}"
        if head.method == "POST" and head.path == f"{model}/infer":
            return self._infer(head, body, spoil)
        known: dict[str, Any] = {
            "/v2": self._server(),
            model: self._metadata(),
            f"{model}/ready": {"name": self.name, "ready": True},
            "/v2/health/live": {"live": True},
            "/v2/health/ready": {"ready": True},
        }
        if head.method == "GET" and head.path in known:
            return http(200, "OK", _json(known[head.path]))
        return error(404, "Not Found", f"nothing at {head.path}; the model is at {model}")

    def _server(self) -> dict[str, Any]:
        extensions = ["binary_tensor_data"] if self.binary else []
        return {"name": "halocline fault server", "version": "1", "extensions": extensions}

    def _metadata(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "versions": ["1"],
            "platform": "halocline_fault_server",
            "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, self.features]}],
            "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, self.classes]}],
        }

    def _infer(self, head: Head, body: bytes, spoil: str) -> bytes:
        try:
            request, x, wants_binary = self._read(head, body)
        except (ValueError, KeyError, IndexError, TypeError) as fault:
            return error(400, "Bad Request", f"not an inference request of this model: {fault}")
        given = self.predict(x) if self.predict is not None else fixed_scores(x, self.classes)
        scores = np.asarray(given, np.float32)
        return _write(self.name, str(request.get("id", "")), _spoilt(scores, spoil), wants_binary)

    def _read(self, head: Head, body: bytes) -> tuple[dict[str, Any], Array, bool]:
        header_bytes = int(head.headers.get(_HEADER_LENGTH.lower(), len(body)))
        request = json.loads(body[:header_bytes])
        tensor = request["inputs"][0]
        shape = tuple(tensor["shape"])
        if "binary_data_size" in tensor.get("parameters", {}):
            x = np.frombuffer(body, "<f4", offset=header_bytes).reshape(shape)
        else:
            x = np.asarray(tensor["data"], np.float32).reshape(shape)
        wanted = request.get("outputs") or [{}]
        wants_binary = request.get("parameters", {}).get("binary_data_output", False)
        return request, x, bool(wanted[0].get("parameters", {}).get("binary_data", wants_binary))


def _spoilt(scores: Array, spoil: str) -> Array:
    match spoil:
        case "wrong_shape":
            return np.hstack([scores, scores[:, :1]])
        case "wrong_rows":
            return np.vstack([scores, scores[:1]])
        case "wrong_dtype":
            return scores.astype(np.int64)
        case "nan_scores":
            return np.full_like(scores, np.nan)
        case _:
            return scores


def _write(model: str, request_id: str, scores: Array, binary: bool) -> bytes:
    datatype = "INT64" if scores.dtype == np.int64 else "FP32"
    output: dict[str, Any] = {"name": "probabilities", "datatype": datatype, "shape": list(scores.shape)}
    answer = {"model_name": model, "model_version": "1", "id": request_id, "outputs": [output]}
    if not binary:
        output["data"] = scores.ravel().tolist()
        return http(200, "OK", _json(answer))
    raw = scores.tobytes()
    output["parameters"] = {"binary_data_size": len(raw)}
    header = _json(answer)
    kind = {"Content-Type": "application/octet-stream", _HEADER_LENGTH: str(len(header))}
    return http(200, "OK", header + raw, kind)


def _json(value: Any) -> bytes:
    # NaN is not JSON; servers that write it anyway are part of what is being played here.
    return json.dumps(value).encode()
