"""Tensors of the Open Inference Protocol: datatype names, and arrays to and from binary and JSON data.

Nothing is allocated on the word of a length or a shape: both are first checked against the bytes present.
"""

import math
import struct
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np

from halocline.errors import Rejected
from halocline.records import Array

Buffer: TypeAlias = bytes | memoryview

_COPY_BELOW_BYTES: Final = 65_536
"""Up to this size a copy costs less than the handling of a second buffer (measured: 0.1 µs for 3 KB)."""

DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "BYTES": np.dtype("O"),
}
"""The numpy dtype of each datatype of the protocol, as it stands on the wire (little-endian)."""

_DATATYPES: Final = {dtype: datatype for datatype, dtype in DTYPES.items()}
_FLAT: Final[dict[str, Any]] = {
    "b": msgspec.json.Decoder(list[bool]),
    "u": msgspec.json.Decoder(list[int]),
    "i": msgspec.json.Decoder(list[int]),
    "f": msgspec.json.Decoder(list[float]),
    "O": msgspec.json.Decoder(list[str]),
}
_NESTED: Final = msgspec.json.Decoder(list[Any])
_LENGTH: Final = struct.Struct("<I")


class MalformedError(ValueError):
    """What came does not follow the protocol; the codec's functions turn it into Rejected."""


def datatype_of(dtype: np.dtype[Any]) -> str:
    """The protocol's name of a numpy dtype of either byte order. Raises Rejected (HAL-302) if it has none."""
    found = _DATATYPES.get(dtype)
    if found is not None:
        return found
    if dtype.kind in "SU":
        return "BYTES"
    found = _DATATYPES.get(dtype.newbyteorder("<"))
    if found is None:
        raise Rejected(
            "HAL-302",
            f"dtype {dtype} has no name in the Open Inference Protocol. "
            f"Try one of: bool, int8-64, uint8-64, float16-64, or object arrays of bytes",
        )
    return found


def dtype_name(datatype: str) -> str:
    """The numpy name (`float32`, `object`, …) of a datatype. Raises MalformedError if it is none of ours."""
    return _dtype(datatype).name


def to_binary(array: Array) -> Buffer:
    """The elements in row-major order, little-endian; BYTES elements each behind their 4-byte length.

    A large array is not copied: the result is a view, so leave the array alone until it is sent.
    """
    dtype = array.dtype
    if dtype.kind in "OSU":
        return _bytes_to_binary(array)
    if not dtype.isnative or dtype.byteorder == ">":
        array = array.astype(dtype.newbyteorder("<"))
    if array.nbytes <= _COPY_BELOW_BYTES:
        return array.tobytes()
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def from_binary(datatype: str, shape: Sequence[int], data: Buffer, offset: int, size: int) -> Array:
    """The array that `size` bytes at `offset` hold; a view where alignment allows, so read-only in use.

    The caller has checked that the bytes are there. Raises MalformedError if they do not fit the shape.
    """
    dtype = _dtype(datatype)
    count = math.prod(shape)
    if dtype.kind == "O":
        return _bytes_from_binary(shape, count, data[offset : offset + size])
    if count * dtype.itemsize != size:
        raise MalformedError(
            f"expected {count * dtype.itemsize} bytes for {datatype} of shape {list(shape)}, got {size}"
        )
    if not count:
        return np.empty(0, dtype).reshape(shape)
    array = np.frombuffer(data, dtype, count, offset)
    if dtype.kind == "b" and array.view(np.uint8).max() > 1:
        raise MalformedError("expected 0 or 1 in each byte of BOOL")
    if not array.flags.aligned:
        array = array.copy()
    return array.reshape(shape)


def to_json(array: Array) -> bytes:
    """The elements as one flat JSON list. Raises MalformedError for what JSON cannot hold."""
    kind = array.dtype.kind
    if kind in "OSU":
        return msgspec.json.encode([_text(element) for element in array.ravel()])
    if kind == "f" and not np.isfinite(array).all():
        raise MalformedError("NaN and infinity cannot be written in JSON; the binary form carries them")
    return msgspec.json.encode(array.ravel().tolist())


def from_json(datatype: str, shape: Sequence[int], data: Buffer | msgspec.Raw) -> Array:
    """The array that a JSON list, flat or nested as the shape says, holds. Raises MalformedError."""
    dtype = _dtype(datatype)
    count = math.prod(shape)
    size = memoryview(data).nbytes
    if 2 * count > size:
        raise MalformedError(f"expected {count} elements for shape {list(shape)}, got {size} bytes of JSON")
    flat = _flat(dtype.kind, shape, data)
    if len(flat) != count:
        raise MalformedError(f"expected {count} elements for shape {list(shape)}, got {len(flat)}")
    return _numbers(dtype, flat).reshape(shape) if dtype.kind != "O" else _objects(flat, shape)


def _dtype(datatype: str) -> np.dtype[Any]:
    dtype = DTYPES.get(datatype)
    if dtype is None:
        raise MalformedError(f"expected a datatype of {', '.join(DTYPES)}, got {datatype[:40]!r}")
    return dtype


def _flat(kind: str, shape: Sequence[int], data: Buffer | msgspec.Raw) -> list[Any]:
    try:
        flat: list[Any] = _FLAT[kind].decode(data)
    except msgspec.ValidationError as error:
        nested = _unnest(_NESTED.decode(data), shape)
        if nested is None:
            raise MalformedError(str(error)) from None
        flat = msgspec.convert(nested, _FLAT[kind].type)
    return flat


def _unnest(data: list[Any], shape: Sequence[int]) -> list[Any] | None:
    """The leaves of lists nested exactly as `shape` says, in row-major order; None if they are not."""
    if len(shape) < 2 or len(data) != shape[0]:
        return None
    for size in shape[1:]:
        if not all(isinstance(row, list) and len(row) == size for row in data):
            return None
        data = [element for row in data for element in row]
    return data


def _numbers(dtype: np.dtype[Any], flat: list[Any]) -> Array:
    if dtype.kind != "f":
        return np.array(flat, dtype=dtype)  # a number that does not fit is an OverflowError
    with np.errstate(over="ignore"):
        array = np.array(flat, dtype=np.float64).astype(dtype)
    if not np.isfinite(array).all():
        raise MalformedError(f"a number is too large for {dtype.name}")
    return array


def _objects(flat: list[str], shape: Sequence[int]) -> Array:
    array = np.empty(len(flat), dtype=np.object_)
    array[:] = [element.encode() for element in flat]
    return array.reshape(shape)


def _bytes_to_binary(array: Array) -> bytes:
    parts: list[bytes] = []
    for element in array.ravel():
        data = _octets(element)
        parts.append(_LENGTH.pack(len(data)))
        parts.append(data)
    return b"".join(parts)


def _bytes_from_binary(shape: Sequence[int], count: int, data: Buffer) -> Array:
    if count * _LENGTH.size > len(data):
        raise MalformedError(f"expected {count} BYTES elements, got {len(data)} bytes, too few for that")
    array = np.empty(count, dtype=np.object_)
    at = 0
    for index in range(count):
        start = at + _LENGTH.size
        if start > len(data):
            raise MalformedError(f"BYTES element {index} of {count} is not there")
        at = start + _LENGTH.unpack_from(data, start - _LENGTH.size)[0]
        if at > len(data):
            raise MalformedError(f"BYTES element {index} of {count} reaches past the end")
        array[index] = bytes(data[start:at])
    if at != len(data):
        raise MalformedError(f"{len(data) - at} bytes left over after {count} BYTES elements")
    return array.reshape(shape)


def _octets(element: object) -> bytes:
    if isinstance(element, bytes):
        return element
    if isinstance(element, str):
        return element.encode()
    raise Rejected(
        "HAL-302", f"expected bytes or str in an array of objects, got {type(element).__name__}. Try astype"
    )


def _text(element: object) -> str:
    try:
        return _octets(element).decode()
    except UnicodeDecodeError:
        raise MalformedError("bytes that are not UTF-8 cannot be written in JSON") from None
