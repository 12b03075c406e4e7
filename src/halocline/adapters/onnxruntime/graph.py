"""Read from an ONNX file which operators make its outputs; weights are passed over, never copied.

The file is a protobuf message. Only the few fields named below are read, with bounds on every length,
so that a file cut short or made to harm ends in an error and nothing else. Field numbers: onnx.proto.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from halocline.errors import Misconfigured

if TYPE_CHECKING:
    import mmap

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

_MODEL_PRODUCER, _MODEL_PRODUCER_VERSION, _MODEL_GRAPH, _MODEL_OPSET = 2, 3, 7, 8
_OPSET_DOMAIN, _OPSET_VERSION = 1, 2
_GRAPH_NODE, _GRAPH_NAME, _GRAPH_OUTPUT = 1, 2, 12
_NODE_INPUT, _NODE_OUTPUT, _NODE_OP, _NODE_DOMAIN = 1, 2, 4, 7
_VALUE_NAME = 1

# Longer names and operator lists are not written by any exporter; they only cost memory.
_MAX_NAME_BYTES = 4096
_MAX_NODES = 1_000_000

_STANDARD_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})


class Node(msgspec.Struct, frozen=True, gc=False):
    """One operator: its type, domain, and the names of what goes in and out."""

    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def is_standard(self) -> bool:
        """True where the operator is ONNX's own, not one of that name from elsewhere."""
        return self.domain in _STANDARD_DOMAINS


class Graph(msgspec.Struct, frozen=True):
    """What the reader keeps of a model file."""

    name: str
    producer: str
    opsets: dict[str, int]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]


class BadProtobuf(ValueError):
    """The bytes are not a protobuf message of the expected form."""


def read_graph_file(path: str) -> Graph:
    """The graph in a model file. Raises Misconfigured (HAL-201) where the bytes are not a whole model."""
    import mmap

    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            return read_graph(mapped, where=path)
    except ValueError:  # mmap refuses an empty file
        raise Misconfigured("HAL-201", f"{path} is empty, expected an ONNX model") from None
    except OSError as exc:
        raise Misconfigured("HAL-201", f"{path} cannot be read: {exc.strerror}") from None


def read_graph(data: "bytes | mmap.mmap", *, where: str = "the model") -> Graph:
    """The graph in the bytes of a model. Raises Misconfigured (HAL-201) where they are not a whole model."""
    try:
        # Released here: a mapped file cannot be closed while a view of it lives, even in a traceback.
        with memoryview(data) as view:
            return _model(view)
    except BadProtobuf as exc:
        raise Misconfigured("HAL-201", f"{where} is not a whole ONNX model: {exc}") from None


def _model(view: memoryview) -> Graph:
    producer = version = ""
    graph: tuple[str, tuple[Node, ...], tuple[str, ...]] | None = None
    opsets: dict[str, int] = {}
    for field, value in _fields(view, 0, len(view)):
        if not isinstance(value, tuple):
            continue
        if field == _MODEL_GRAPH:
            graph = _graph(view, *value)
        elif field == _MODEL_OPSET:
            domain, number = _opset(view, *value)
            opsets[domain] = number
        elif field == _MODEL_PRODUCER:
            producer = _text(view, *value)
        elif field == _MODEL_PRODUCER_VERSION:
            version = _text(view, *value)
    if graph is None:
        raise BadProtobuf("it holds no graph")
    name, nodes, outputs = graph
    return Graph(name, f"{producer} {version}".strip(), opsets, nodes, outputs)


def _graph(view: memoryview, start: int, end: int) -> tuple[str, tuple[Node, ...], tuple[str, ...]]:
    name = ""
    nodes: list[Node] = []
    outputs: list[str] = []
    for field, value in _fields(view, start, end):
        if not isinstance(value, tuple):
            continue
        if field == _GRAPH_NODE:
            if len(nodes) == _MAX_NODES:
                raise BadProtobuf(f"it has more than {_MAX_NODES} operators")
            nodes.append(_node(view, *value))
        elif field == _GRAPH_NAME:
            name = _text(view, *value)
        elif field == _GRAPH_OUTPUT:
            outputs.append(_value_name(view, *value))
    return name, tuple(nodes), tuple(outputs)


def _node(view: memoryview, start: int, end: int) -> Node:
    op = domain = ""
    inputs: list[str] = []
    outputs: list[str] = []
    for field, value in _fields(view, start, end):
        if not isinstance(value, tuple):
            continue
        if field == _NODE_INPUT:
            inputs.append(_text(view, *value))
        elif field == _NODE_OUTPUT:
            outputs.append(_text(view, *value))
        elif field == _NODE_OP:
            op = _text(view, *value)
        elif field == _NODE_DOMAIN:
            domain = _text(view, *value)
    return Node(op, domain, tuple(inputs), tuple(outputs))


def _opset(view: memoryview, start: int, end: int) -> tuple[str, int]:
    domain, version = "", 0
    for field, value in _fields(view, start, end):
        if field == _OPSET_DOMAIN and isinstance(value, tuple):
            domain = _text(view, *value)
        elif field == _OPSET_VERSION and isinstance(value, int):
            version = value
    return domain, version


def _value_name(view: memoryview, start: int, end: int) -> str:
    for field, value in _fields(view, start, end):
        if field == _VALUE_NAME and isinstance(value, tuple):
            return _text(view, *value)
    return ""


def _text(view: memoryview, start: int, end: int) -> str:
    if end - start > _MAX_NAME_BYTES:
        raise BadProtobuf(f"a name of {end - start} bytes at byte {start}")
    try:
        return str(view[start:end], "utf-8")
    except UnicodeDecodeError:
        raise BadProtobuf(f"the name at byte {start} is not UTF-8") from None


def _fields(view: memoryview, at: int, end: int) -> Iterator[tuple[int, int | tuple[int, int]]]:
    """Each field of one message: its number, and its value, or where its bytes start and end."""
    while at < end:
        key, at = _varint(view, at, end)
        field, wire_type = key >> 3, key & 7
        if wire_type == _BYTES:
            length, at = _varint(view, at, end)
            if length > end - at:
                raise BadProtobuf(f"cut short: byte {at} announces {length} bytes, {end - at} are there")
            yield field, (at, at + length)
            at += length
        elif wire_type == _VARINT:
            value, at = _varint(view, at, end)
            yield field, value
        elif wire_type in (_FIXED64, _FIXED32):
            at += 8 if wire_type == _FIXED64 else 4
            if at > end:
                raise BadProtobuf(f"cut short at byte {end}")
        else:
            raise BadProtobuf(f"byte {at} is not the start of a field")


def _varint(view: memoryview, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end:
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise BadProtobuf(f"a number of more than 64 bits before byte {at}")
    raise BadProtobuf(f"cut short at byte {end}")
