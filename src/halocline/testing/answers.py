"""Say the bytes, right or spoilt on purpose, that an inference server answers with."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from halocline.errors import Rejected
from halocline.records import Array, ModelRef, ModelSpec, ScoreKind, TensorSpec
from halocline.wire import oip

VERSION = "1"
OUTPUT = "probabilities"


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
    return http(status, phrase, oip.encode_error(message), headers)


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
    labels: tuple[str, ...] | None

    def answer(self, head: Head, body: bytes, spoil: str = "ok") -> bytes:
        """The answer to any request of the protocol; an inference may be spoilt by name of the fault."""
        model = f"/v2/models/{self.name}"
        if head.method == "POST" and head.path == f"{model}/infer":
            return self._infer(head, body, spoil)
        server = oip.ServerInfo("halocline fault server", "1", (oip.BINARY_EXTENSION,) if self.binary else ())
        known = {
            "/v2": oip.encode_server_metadata(server),
            model: oip.encode_model_metadata(self._spec(), platform="halocline_fault_server"),
            f"{model}/ready": b'{"ready":true}',
            "/v2/health/live": b'{"live":true}',
            "/v2/health/ready": b'{"ready":true}',
        }
        if head.method == "GET" and head.path in known:
            return http(200, "OK", known[head.path])
        return error(404, "Not Found", f"nothing at {head.path}; the model is at {model}")

    def _spec(self) -> ModelSpec:
        return ModelSpec(
            ModelRef(self.name, VERSION),
            inputs=(TensorSpec("x", "float32", (-1, self.features)),),
            outputs=(TensorSpec(OUTPUT, "float32", (-1, self.classes)),),
            labels=self.labels,
            score_output=OUTPUT,
            score_kind=ScoreKind.PROBABILITIES,
        )

    def _infer(self, head: Head, body: bytes, spoil: str) -> bytes:
        header_bytes = head.headers.get(oip.HEADER_LENGTH.lower())
        try:
            request = oip.decode_request(body, header_bytes=int(header_bytes) if header_bytes else None)
            scores = self._scores(request.feed["x"])
        except (Rejected, ValueError, KeyError) as fault:
            return error(400, "Bad Request", f"not an inference request of this model: {fault}")
        wanted = {output.name: output.binary for output in request.outputs or ()}
        binary = wanted.get(OUTPUT, request.binary_output)
        return _written(ModelRef(self.name, VERSION), request.id, _spoilt(scores, spoil), binary)

    def _scores(self, x: Array) -> Array:
        if self.predict is None:
            return fixed_scores(x, self.classes)
        return np.asarray(self.predict(x), np.float32)


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


def _written(model: ModelRef, request_id: str, scores: Array, binary: bool) -> bytes:
    # NaN is not JSON and our codec does not write it; a server that does is what is played here.
    nan_in_json = not binary and bool(np.isnan(scores).any())
    written = np.full_like(scores, 0.5) if nan_in_json else scores
    encoded = oip.encode_response(model, request_id, [(OUTPUT, written, binary)])
    body = b"".join(encoded.parts)
    if encoded.header_bytes is None:
        return http(200, "OK", body.replace(b"0.5", b"NaN") if nan_in_json else body)
    kind = {"Content-Type": "application/octet-stream", oip.HEADER_LENGTH: str(encoded.header_bytes)}
    return http(200, "OK", body, kind)
