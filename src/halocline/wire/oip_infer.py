"""Inference requests and responses of the Open Inference Protocol v2, with its binary tensor extension.

A body is JSON alone, or JSON of `header_bytes` bytes and behind it the tensors' bytes in their order.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Final, TypeVar

import msgspec
import numpy as np

from halocline.errors import Rejected
from halocline.records import Array, ModelRef
from halocline.wire.oip_tensor import (
    Buffer,
    MalformedError,
    datatype_of,
    from_binary,
    from_json,
    to_binary,
    to_json,
)

HEADER_LENGTH: Final = "Inference-Header-Content-Length"
"""The HTTP header that tells how many bytes of the body are JSON; absent where all of it is."""

_UNDECODABLE: Final = (MalformedError, msgspec.MsgspecError, RecursionError, ValueError, OverflowError)


class Encoded(msgspec.Struct, frozen=True, gc=False):
    """A body in parts, to be sent in their order; `header_bytes` is None where it is JSON alone."""

    header_bytes: int | None
    parts: list[Buffer]
    total_bytes: int


class WantedOutput(msgspec.Struct, frozen=True):
    """An output that a request names, and whether it is to come back in binary."""

    name: str
    binary: bool


class InferRequest(msgspec.Struct, frozen=True):
    """What a client asks: `outputs` None means all of them, in the form that `binary_output` says."""

    id: str
    feed: dict[str, Array]
    outputs: tuple[WantedOutput, ...] | None
    binary_output: bool


class InferResponse(msgspec.Struct, frozen=True):
    """What a server answered; a model version that it does not tell is the empty string."""

    id: str
    model_name: str
    model_version: str
    outputs: dict[str, Array]


def encode_request(
    feed: Mapping[str, Array], *, request_id: str, binary: bool, outputs: Sequence[str] | None = None
) -> Encoded:
    """The body of an inference request; `binary` sends the tensors in binary and asks for that back.

    Raises Rejected (HAL-302, HAL-303) for arrays that the protocol, or its JSON form, cannot carry.
    """
    wanted = b"" if outputs is None else _wanted(tuple(outputs))
    identity = msgspec.json.encode(request_id)
    if not binary:
        try:
            tensors = b",".join([_json_tensor(name, array) for name, array in feed.items()])
        except MalformedError as error:
            raise Rejected("HAL-303", f"this server takes JSON only: {error}") from None
        return _encoded(b'{"id":%b,"inputs":[%b]%b}' % (identity, tensors, wanted), (), 0)
    heads: list[bytes] = []
    bodies: list[Buffer] = []
    size = 0
    for name, array in feed.items():
        data = to_binary(array)
        heads.append(_binary_head(name, array.dtype, array.shape, len(data)))
        bodies.append(data)
        size += len(data)
    head = b'{"id":%b,"parameters":{"binary_data_output":true},"inputs":[%b]%b}'
    return _encoded(head % (identity, b",".join(heads), wanted), bodies, size)


def decode_request(body: Buffer, *, header_bytes: int | None) -> InferRequest:
    """The request that a body holds. Raises Rejected (HAL-501) naming what is wrong with it."""
    try:
        head, rest = _head(_REQUEST, body, header_bytes)
        parameters = head.parameters or _NO_REQUEST_PARAMETERS
        return InferRequest(
            head.id or "",
            _arrays("input", head.inputs, body, rest),
            _wanted_outputs(head.outputs, parameters.binary_data_output),
            parameters.binary_data_output,
        )
    except _UNDECODABLE as error:
        raise Rejected("HAL-501", f"the request does not follow the protocol: {error}") from None


def encode_response(model: ModelRef, request_id: str, outputs: Sequence[tuple[str, Array, bool]]) -> Encoded:
    """The body of an answer; each output is a name, an array and whether it goes in binary.

    Raises Rejected (HAL-505) for an output that is to go in JSON and that JSON cannot hold.
    """
    heads: list[bytes] = []
    bodies: list[Buffer] = []
    size = 0
    for name, array, binary in outputs:
        if not binary:
            try:
                heads.append(_json_tensor(name, array))
            except MalformedError as error:
                raise Rejected("HAL-505", f"output {name!r} cannot be answered in JSON: {error}") from None
            continue
        data = to_binary(array)
        heads.append(_binary_head(name, array.dtype, array.shape, len(data)))
        bodies.append(data)
        size += len(data)
    return _encoded(b"%b%b]}" % (_response_start(model, request_id), b",".join(heads)), bodies, size)


def decode_response(body: Buffer, *, header_bytes: int | None, rows: int | None = None) -> InferResponse:
    """The answer that a body holds. Raises Rejected (HAL-405) naming what is wrong with it.

    With `rows`, each output's first axis must have that size. The arrays may be views of the body:
    they are for reading.
    """
    try:
        head, rest = _head(_RESPONSE, body, header_bytes)
        outputs = _arrays("output", head.outputs, body, rest)
        if rows is not None:
            for name, array in outputs.items():
                if array.ndim == 0 or array.shape[0] != rows:
                    raise MalformedError(
                        f"output {name!r}: expected {rows} rows, got shape {list(array.shape)}"
                    )
    except _UNDECODABLE as error:
        raise Rejected("HAL-405", f"the answer does not follow the protocol: {error}") from None
    return InferResponse(head.id or "", head.model_name or "", head.model_version or "", outputs)


_Size = Annotated[int, msgspec.Meta(ge=0, le=2**48)]
_Shape = Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]], msgspec.Meta(max_length=32)]


class _TensorParameters(msgspec.Struct, gc=False):
    binary_data_size: _Size | None = None


# Names and ids come back in messages and logs.
_Name = Annotated[str, msgspec.Meta(max_length=1024)]


class _Tensor(msgspec.Struct):
    name: _Name
    datatype: str
    shape: _Shape
    parameters: _TensorParameters | None = None
    data: msgspec.Raw = msgspec.Raw(b"")


class _OutputParameters(msgspec.Struct, gc=False):
    binary_data: bool | None = None
    classification: Any = None
    shared_memory_region: Any = None


class _Output(msgspec.Struct):
    name: _Name
    parameters: _OutputParameters | None = None


class _RequestParameters(msgspec.Struct, gc=False):
    binary_data_output: bool = False


class _Request(msgspec.Struct):
    inputs: list[_Tensor]
    id: _Name | None = None
    parameters: _RequestParameters | None = None
    outputs: list[_Output] | None = None


class _Response(msgspec.Struct):
    outputs: list[_Tensor]
    id: _Name | None = None
    model_name: str | None = None
    model_version: str | None = None


_REQUEST: Final = msgspec.json.Decoder(_Request)
_RESPONSE: Final = msgspec.json.Decoder(_Response)
_NO_REQUEST_PARAMETERS: Final = _RequestParameters()


_T = TypeVar("_T")


def _head(decoder: "msgspec.json.Decoder[_T]", body: Buffer, header_bytes: int | None) -> tuple[_T, int]:
    """The JSON part of a body, and where the binary part starts."""
    if header_bytes is None:
        return decoder.decode(body), len(body)
    if not 0 <= header_bytes <= len(body):
        raise MalformedError(f"{HEADER_LENGTH} is {header_bytes}, the body has {len(body)} bytes")
    return decoder.decode(memoryview(body)[:header_bytes]), header_bytes


def _arrays(what: str, tensors: list[_Tensor], body: Buffer, at: int) -> dict[str, Array]:
    """The arrays of the tensors by name; `at` is where their binary data starts in the body."""
    arrays: dict[str, Array] = {}
    for tensor in tensors:
        try:
            array, at = _array(tensor, body, at)
        except _UNDECODABLE as error:
            raise MalformedError(f"{what} {tensor.name[:80]!r}: {error}") from None
        if tensor.name in arrays:
            raise MalformedError(f"{what} {tensor.name[:80]!r} is there twice")
        arrays[tensor.name] = array
    if at != len(body):
        raise MalformedError(f"{len(body) - at} bytes left over behind the last {what}")
    return arrays


def _array(tensor: _Tensor, body: Buffer, at: int) -> tuple[Array, int]:
    parameters = tensor.parameters
    if parameters is None or parameters.binary_data_size is None:
        if not memoryview(tensor.data).nbytes:
            raise MalformedError("expected data or binary_data_size, got neither")
        return from_json(tensor.datatype, tensor.shape, tensor.data), at
    end = at + parameters.binary_data_size
    if end > len(body):
        raise MalformedError(
            f"binary_data_size is {parameters.binary_data_size}, {len(body) - at} bytes are there"
        )
    if memoryview(tensor.data).nbytes:
        raise MalformedError("expected data or binary_data_size, got both")
    return from_binary(tensor.datatype, tensor.shape, body, at, parameters.binary_data_size), end


def _wanted_outputs(outputs: list[_Output] | None, default: bool) -> tuple[WantedOutput, ...] | None:
    if not outputs:
        return None
    wanted = []
    for output in outputs:
        parameters = output.parameters
        if parameters is None:
            wanted.append(WantedOutput(output.name, default))
            continue
        if parameters.classification is not None or parameters.shared_memory_region is not None:
            raise MalformedError(
                f"output {output.name[:80]!r}: the classification and shared memory extensions "
                f"are not offered here"
            )
        binary = default if parameters.binary_data is None else parameters.binary_data
        wanted.append(WantedOutput(output.name, binary))
    return tuple(wanted)


def _encoded(head: bytes, bodies: Sequence[Buffer], size: int) -> Encoded:
    """A body whose JSON is `head`; without tensors in binary it is JSON alone."""
    if not bodies:
        return Encoded(None, [head], len(head))
    # Padded, so that the receiver finds the first tensor where its numbers may be read in place.
    head += b" " * (-len(head) % 8)
    return Encoded(len(head), [head, *bodies], len(head) + size)


@lru_cache(maxsize=1024)
def _binary_head(name: str, dtype: np.dtype[Any], shape: tuple[int, ...], size: int) -> bytes:
    """The JSON of one tensor in binary; the same few are asked for again and again."""
    return b'{"name":%b,"datatype":"%b","shape":%b,"parameters":{"binary_data_size":%d}}' % (
        msgspec.json.encode(name),
        datatype_of(dtype).encode(),
        msgspec.json.encode(shape),
        size,
    )


def _json_tensor(name: str, array: Array) -> bytes:
    return b'{"name":%b,"datatype":"%b","shape":%b,"data":%b}' % (
        msgspec.json.encode(name),
        datatype_of(array.dtype).encode(),
        msgspec.json.encode(array.shape),
        to_json(array),
    )


@lru_cache(maxsize=64)
def _wanted(outputs: tuple[str, ...]) -> bytes:
    return b',"outputs":%b' % msgspec.json.encode([{"name": name} for name in outputs])


def _response_start(model: ModelRef, request_id: str) -> bytes:
    start = _model_start(model.name, model.version)
    if not request_id:
        return b'%b"outputs":[' % start
    return b'%b"id":%b,"outputs":[' % (start, msgspec.json.encode(request_id))


@lru_cache(maxsize=256)
def _model_start(name: str, version: str) -> bytes:
    return b'{"model_name":%b,"model_version":%b,' % (
        msgspec.json.encode(name),
        msgspec.json.encode(version),
    )
