"""What servers and models of the Open Inference Protocol v2 say of themselves, and its errors."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import numpy as np

from halocline.errors import HaloclineError, Misconfigured, Rejected
from halocline.records import ModelRef, ModelSpec, ScoreKind, Task, TensorSpec
from halocline.wire.oip_tensor import Buffer, MalformedError, datatype_of, dtype_name

if TYPE_CHECKING:
    from halocline.decide.outputs import Output
    from halocline.inputs.description import Input

BINARY_EXTENSION: Final = "binary_tensor_data"
"""The extension's name in a server's metadata."""

UNKNOWN_DIM: Final = 4_096
"""The size taken for an output axis of unknown size (other than the batch) when a limit is set."""

UNKNOWN_ROW_BYTES: Final = 1_048_576
"""What one row of answer may take where the model's metadata names no outputs."""

_ELEMENT_BYTES: Final = 32
"""An element's most: 8 in binary, at most 25 as a JSON number with its comma; the rest is for brackets."""

_STRING_BYTES: Final = 1_024
"""What one element of BYTES may take; its length is in no metadata."""

_BASE_BYTES: Final = 65_536
"""Names, shapes, ids and parameters of an answer."""


class ServerInfo(msgspec.Struct, frozen=True):
    """A server's name, version and the protocol extensions that it offers."""

    name: str
    version: str
    extensions: tuple[str, ...] = ()

    @property
    def has_binary(self) -> bool:
        """Whether tensors may travel in binary."""
        return BINARY_EXTENSION in self.extensions


def encode_server_metadata(info: ServerInfo) -> bytes:
    """The body of GET /v2."""
    return msgspec.json.encode(info)


def decode_server_metadata(body: Buffer) -> ServerInfo:
    """What the body of GET /v2 says. Raises Rejected (HAL-405)."""
    try:
        found = _SERVER.decode(body)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise _not_metadata("server", error) from None
    return ServerInfo(found.name or "", found.version or "", tuple(found.extensions or ()))


def encode_model_metadata(
    spec: ModelSpec,
    *,
    versions: Sequence[str] = (),
    platform: str = "",
    on_request: Sequence[TensorSpec] = (),
) -> bytes:
    """The body of GET /v2/models/NAME; `versions` are all that are served, by default the spec's own.

    How to read the scores travels in the `parameters` of the output that holds them; outputs that are
    answered only where a request names them are marked there as `on_request`. What the input means travels
    in the model's `parameters`, as JSON under `halocline_input`, and how to read the outputs of another
    task under `halocline_output`.
    """
    own = (spec.ref.version,) if spec.ref.version else ()
    return msgspec.json.encode(
        {
            "name": spec.ref.name,
            "versions": tuple(versions) or own,
            "platform": platform,
            "inputs": [_tensor(tensor) for tensor in spec.inputs],
            "outputs": [
                *(_tensor(tensor) | _output_parameters(spec, tensor) for tensor in spec.outputs),
                *(_tensor(tensor) | {"parameters": {"on_request": True}} for tensor in on_request),
            ],
            "parameters": {
                "version": spec.ref.version,
                "task": spec.task,
                **_input_parameter(spec),
                **_output_form(spec),
            },
        }
    )


def decode_model_metadata(body: Buffer, *, input_stated: bool = False) -> ModelSpec:
    """What the body of GET /v2/models/NAME says. Raises Rejected (HAL-405).

    Labels and score kind are None for servers that do not tell; the version is the one named in our own
    parameters, or the only one listed, or unknown. Outputs that have to be asked for are left out, but for
    the confidence where the outputs' description reads it.
    With `input_stated` the caller knows what the input means, and what the server says of it is not read.
    """
    try:
        found = _MODEL.decode(body)
        inputs = tuple(map(_tensor_spec, found.inputs or ()))
        own = found.parameters or _NO_MODEL_PARAMETERS
        task = _known_task(own.task)
        output = _known_output(task, own.halocline_output)
        needed = "" if output is None else output.confidence_output
        outputs = tuple(
            _tensor_spec(tensor)
            for tensor in found.outputs or ()
            if tensor.name == needed or not _is_on_request(tensor)
        )
    except (MalformedError, msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise _not_metadata("model", error) from None
    scores = _score_output(found.outputs or ())
    return ModelSpec(
        ModelRef(found.name, _version(own.version, found.versions or ())),
        inputs,
        outputs,
        labels=_labels(found.outputs or ()),
        score_output=scores.name if scores else None,
        score_kind=_known_score_kind(scores.parameters.score_kind if scores and scores.parameters else None),
        task=task,
        output=output,
        input=None if input_stated else _input(own.halocline_input),
    )


def encode_model_list(names: Sequence[str]) -> bytes:
    """The body of GET /v2/models: the names that are served."""
    return msgspec.json.encode({"models": names})


def encode_live(live: bool) -> bytes:
    """The body of GET /v2/health/live."""
    return msgspec.json.encode({"live": live})


def encode_ready(ready: bool, name: str | None = None, *, needs: Mapping[str, object] | None = None) -> bytes:
    """The body of GET /v2/health/ready, or with a name that of GET /v2/models/NAME/ready.

    `needs` tells of what readiness rests on, where there is more to it than the models.
    """
    said: dict[str, object] = {"ready": ready} if name is None else {"name": name, "ready": ready}
    return msgspec.json.encode(said | {"needs": needs} if needs else said)


def encode_error(message: str) -> bytes:
    """The body of every answer that is an error."""
    return msgspec.json.encode({"error": message})


def decode_error(body: Buffer) -> str:
    """What an error's body says, at most 500 characters of it, whatever its form. Never raises.

    The code that a server of ours puts at its end is left out: whoever passes it on has a code of its own.
    """
    try:
        text = _ERROR.decode(body).error
    except (msgspec.MsgspecError, RecursionError, ValueError):
        text = bytes(body[:2_000]).decode(errors="replace")
    plain = " ".join("".join(c if c.isprintable() else " " for c in text[:2_000]).split())
    said, _, code = plain.rpartition(" [HAL-")
    return (said if code.removesuffix("]").isdecimal() else plain)[:500]


def max_response_bytes(spec: ModelSpec, rows: int) -> int:
    """The most that an answer of `rows` rows takes in either form; what is longer is no answer.

    An output axis of unknown size counts as `UNKNOWN_DIM`, a model without outputs in its metadata as
    `UNKNOWN_ROW_BYTES` a row.
    """
    if not spec.outputs:
        return _BASE_BYTES + rows * UNKNOWN_ROW_BYTES
    total = _BASE_BYTES
    for tensor in spec.outputs:
        element = _STRING_BYTES if tensor.dtype == "object" else _ELEMENT_BYTES
        sizes = (UNKNOWN_DIM if size < 0 else size for size in tensor.shape[1:])
        total += 1_024 + max(rows, 1) * math.prod(sizes) * element
    return total


_DimSize = Annotated[int, msgspec.Meta(ge=-1, le=2**31 - 1)]
_Dims = Annotated[list[_DimSize], msgspec.Meta(max_length=32)]


class _Server(msgspec.Struct):
    name: str | None = None
    version: str | None = None
    extensions: list[str] | None = None


class _OutputParameters(msgspec.Struct):
    """Other servers may mean something else by these names: any type is let in, ours is looked for."""

    labels: Any = None
    score_kind: Any = msgspec.UNSET
    on_request: Any = None


class _Tensor(msgspec.Struct):
    name: str
    datatype: str
    shape: _Dims
    parameters: _OutputParameters | None = None


class _ModelParameters(msgspec.Struct):
    version: Any = None
    task: Any = None
    halocline_input: Any = None
    halocline_output: Any = None


class _Model(msgspec.Struct):
    name: str
    versions: list[str] | None = None
    inputs: list[_Tensor] | None = None
    outputs: list[_Tensor] | None = None
    parameters: _ModelParameters | None = None


class _Error(msgspec.Struct):
    error: str


_SERVER: Final = msgspec.json.Decoder(_Server)
_MODEL: Final = msgspec.json.Decoder(_Model)
_ERROR: Final = msgspec.json.Decoder(_Error)
_NO_MODEL_PARAMETERS: Final = _ModelParameters()


def _not_metadata(whose: str, error: Exception) -> Rejected:
    return Rejected("HAL-405", f"the {whose}'s metadata does not follow the protocol: {error}")


def _tensor(tensor: TensorSpec) -> dict[str, object]:
    return {
        "name": tensor.name,
        "datatype": datatype_of(np.dtype(tensor.dtype)),
        "shape": tensor.shape,
    }


def _tensor_spec(tensor: _Tensor) -> TensorSpec:
    return TensorSpec(tensor.name, dtype_name(tensor.datatype), tuple(tensor.shape))


def _input_parameter(spec: ModelSpec) -> dict[str, str]:
    if spec.input is None:
        return {}
    from halocline.wire.model_file import input_to_json  # for models that have a description

    return {"halocline_input": input_to_json(spec.input)}


def _input(told: object) -> "Input | None":
    """What the server says of its input. Raises Rejected (HAL-405) for a form that is not known here.

    To pass over it would be to send the model what another model wants.
    """
    if not isinstance(told, str):
        return None
    from halocline.wire.model_file import input_from_json

    try:
        return input_from_json(told)
    except Misconfigured as error:
        raise Rejected(
            "HAL-405",
            f"what the server says of its input is not understood ({error.message}). "
            "Say it in its place: connect(…, input=…)",
        ) from None


def _is_on_request(tensor: _Tensor) -> bool:
    return tensor.parameters is not None and tensor.parameters.on_request is True


def _output_parameters(spec: ModelSpec, tensor: TensorSpec) -> dict[str, object]:
    """The presence of `score_kind`, null or not, marks the output that holds the scores."""
    bearer = spec.outputs[0].name if spec.score_output is None else spec.score_output
    if tensor.name != bearer:
        return {}
    parameters: dict[str, object] = {}
    if spec.labels is not None:
        parameters["labels"] = spec.labels
    if spec.score_output is not None:
        parameters["score_kind"] = spec.score_kind
    return {"parameters": parameters} if parameters else {}


def _score_output(outputs: Sequence[_Tensor]) -> _Tensor | None:
    for tensor in outputs:
        if tensor.parameters is not None and tensor.parameters.score_kind is not msgspec.UNSET:
            return tensor
    return None


def _labels(outputs: Sequence[_Tensor]) -> tuple[str, ...] | None:
    for tensor in outputs:
        labels = tensor.parameters.labels if tensor.parameters is not None else None
        if isinstance(labels, list) and all(isinstance(label, str) for label in labels):
            return tuple(labels)
    return None


def _known_score_kind(name: object) -> ScoreKind | None:
    return next((kind for kind in ScoreKind if kind == name), None)


def _known_task(name: object) -> Task:
    return next((task for task in Task if task == name), Task.CLASSIFY)


def _output_form(spec: ModelSpec) -> dict[str, str]:
    if spec.output is None:
        return {}
    return {"halocline_output": msgspec.json.encode(spec.output, order="deterministic").decode()}


def _known_output(task: Task, form: object) -> "Output | None":
    """The description of a task's outputs; None where none came, or one that a newer version may read."""
    if task is Task.CLASSIFY or not isinstance(form, str):
        return None
    from halocline.decide.outputs import OUTPUTS  # a classifier need not load it

    try:
        return msgspec.json.decode(form, type=OUTPUTS[task])
    except (msgspec.MsgspecError, HaloclineError, RecursionError):
        return None


def _version(own: object, versions: Sequence[str]) -> str:
    if isinstance(own, str):
        return own
    return versions[0] if len(versions) == 1 else ""
