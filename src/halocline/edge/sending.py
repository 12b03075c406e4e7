"""Decide what travels of rows that go up: the edge's tensor, the cloud's own, or the samples' own bytes."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeAlias

import msgspec
import numpy as np

from halocline.errors import Misconfigured, Rejected
from halocline.ports import Feed, LateFeed, Upstream
from halocline.records import Array, ModelSpec

LENGTH_BYTES = 4
"""Each sample that travels as bytes has its length before it."""


class Send(StrEnum):
    """What travels of a sample that came as the bytes of a file, or as its path."""

    AUTO = "auto"
    """The cloud's tensor or the file's bytes, whichever is smaller."""
    TENSOR = "tensor"
    """The cloud's tensor."""
    RAW = "raw"
    """The file's bytes, to a server that takes them; else the tensor."""


class RawRows(msgspec.Struct, frozen=True):
    """Rows of one call as they were given, and the edge's feed made of them."""

    samples: Sequence[Any]
    feed: Feed


Going: TypeAlias = Feed | RawRows
"""Rows that may go up; without raw samples, as the edge took them."""


def going_of(given: Any, feed: Feed, edge: ModelSpec) -> Going:
    """What may go up of rows of which the edge made that feed: as they were given, where they are raw.

    An edge without a description takes a sample as it is, and so does what it took.
    """
    if edge.input is None:
        return feed
    if isinstance(given, Mapping):
        given = given[edge.inputs[0].name]
        files = np.asarray(given, dtype=np.object_).ravel() if _holds_files(given) else None
        return feed if files is None else RawRows(files.tolist(), feed)
    return RawRows(given, feed)


def going_of_one(sample: Any, feed: Feed, edge: ModelSpec) -> Going:
    """`going_of` one sample."""
    if edge.input is None or isinstance(sample, Mapping):
        return going_of(sample, feed, edge)
    from halocline.inputs.description import ArrayInput  # a start without a description does without it

    if isinstance(edge.input, ArrayInput) and np.ndim(sample) == next(iter(feed.values())).ndim:
        sample = sample[0]  # plain arrays may come with their batch axis
    return RawRows((sample,), feed)


def samples_of(going: Going, edge: ModelSpec) -> Sequence[Any] | None:
    """The raw samples; None where the edge was given ready tensors, or takes several."""
    if isinstance(going, RawRows):
        return going.samples
    if edge.input is not None or len(going) > 1:
        return None
    return list(next(iter(going.values())))  # an edge without a description takes the sample as it is


def some_of(going: Going, at: Sequence[int] | Array) -> Going:
    """The rows at these places."""
    if isinstance(going, RawRows):
        return RawRows([going.samples[place] for place in at], _rows(going.feed, at))
    return _rows(going, at)


def copy_of(going: Going) -> Going:
    """The same rows in arrays of their own: callers use theirs again."""
    if isinstance(going, RawRows):
        return RawRows([_kept(sample) for sample in going.samples], _copied(going.feed))
    return _copied(going)


def payload_bytes_of(feed: Feed) -> int:
    """What a feed takes on its way."""
    return sum(
        array.nbytes if array.dtype.kind != "O" else sum(len(each) + LENGTH_BYTES for each in array.flat)
        for array in feed.values()
    )


class Load(msgspec.Struct, frozen=True):
    """What rows would take on their way, and what travels, where it had to be made to know that."""

    bytes: int
    made: Feed | None = None


class Sender:
    """Makes of rows what travels to one upstream.

    Where the cloud's model has a description of its input, it is given what that says of the raw sample,
    never the tensor of another model. Raises Misconfigured (HAL-102) where `to_cloud` and the descriptions
    of both tiers say it twice. `takes_raw` says that the cloud takes files, where it is not asked itself.
    """

    def __init__(
        self,
        upstream: Upstream,
        edge: ModelSpec,
        send: Send,
        to_cloud: Callable[[Array], Array] | None,
        *,
        takes_raw: bool = False,
    ) -> None:
        self._upstream = upstream
        self._takes_raw = takes_raw
        self._edge = edge
        self._send = send
        self._to_cloud = to_cloud
        self._prepare: Callable[[Sequence[Any]], Feed] | None = getattr(upstream, "prepare", None)
        self._check(upstream.spec)

    def load(self, going: Going) -> Load:
        """What the rows would take; nothing is prepared for it where the size is known before.

        So that a row that may not go up costs no preparation. Raises as `feed` does.
        """
        spec = self._upstream.spec
        samples = self._samples(going)
        if samples is not None and spec is not None and spec.input is not None:
            file_bytes = self._file_bytes(samples, spec)
            size = len(samples) * tensor_bytes(spec) if file_bytes is None else file_bytes
            if size != math.inf:
                return Load(int(size))
        elif self._to_cloud is None and spec is None:
            return Load(payload_bytes_of(going.feed if isinstance(going, RawRows) else going))
        made = self.feed(going)
        return Load(payload_bytes_of(made), made)

    def feed(self, going: Going) -> Feed:
        """What travels of the rows. Raises whatever preparing a sample, or `to_cloud`, raises."""
        feed = going.feed if isinstance(going, RawRows) else going
        if self._to_cloud is not None:
            self._check(self._upstream.spec)
            return {name: np.asarray(self._to_cloud(array)) for name, array in feed.items()}
        if self._prepare is None:
            return feed
        samples = self._samples(going)
        if self._upstream.spec is None:
            return LateFeed(feed, lambda: self._own(samples, feed))
        return self._own(samples, feed)

    def sends_files(self, going: Going) -> bool:
        """Whether the samples' own bytes travel of these rows, to the cloud's model as it is known."""
        spec = self._upstream.spec
        samples = self._samples(going)
        if samples is None or spec is None or spec.input is None:
            return False
        return self._file_bytes(samples, spec) is not None

    def _samples(self, going: Going) -> Sequence[Any] | None:
        """The raw samples, where what goes up is prepared from them."""
        if self._to_cloud is not None or self._prepare is None:
            return None
        return samples_of(going, self._edge)

    def _own(self, samples: Sequence[Any] | None, feed: Feed) -> Feed:
        """The rows as the cloud's model wants them, once that is known. Raises Rejected (HAL-301)."""
        spec = self._upstream.spec
        if spec is None or spec.input is None or self._prepare is None:
            return feed
        same = spec.input == self._edge.input and spec.inputs[0].shape[1:] == self._edge.inputs[0].shape[1:]
        if samples is None:
            if same or self._edge.input is None:
                return feed
            raise Rejected(
                "HAL-301",
                f"a ready tensor of {self._edge.ref} is none of {spec.ref}, whose input is described "
                "otherwise. Give the raw sample",
            )
        if self._file_bytes(samples, spec) is not None:
            files = np.empty(len(samples), dtype=np.object_)
            files[:] = [_bytes_of(sample) for sample in samples]
            return {spec.inputs[0].name: files}
        return feed if same else self._prepare(samples)  # the same preparation gives the same tensor

    def _file_bytes(self, samples: Sequence[Any], spec: ModelSpec) -> int | None:
        """What the samples' own files take, where they are what is to travel; else None."""
        takes_raw = self._takes_raw or getattr(self._upstream, "takes_raw", False)
        if self._send is Send.TENSOR or not takes_raw:
            return None
        sizes = [size for sample in samples if (size := _size_of(sample)) is not None]
        if len(sizes) < len(samples):
            return None
        file_bytes = sum(sizes) + LENGTH_BYTES * len(sizes)
        if self._send is Send.AUTO and file_bytes >= len(samples) * tensor_bytes(spec):
            return None
        return file_bytes

    def _check(self, cloud: ModelSpec | None) -> None:
        if self._to_cloud is None or cloud is None or cloud.input is None or self._edge.input is None:
            return
        raise Misconfigured(
            "HAL-102",
            f"to_cloud= makes the tensor of {cloud.ref} from that of {self._edge.ref}, and the descriptions "
            "of both say how it is made from the raw sample. Leave to_cloud out, or one description",
        )


def tensor_bytes(spec: ModelSpec) -> float:
    """What one row of the model's one tensor takes; endless where that is not known before it is made."""
    tensor = spec.inputs[0]
    shape: Sequence[int] = tensor.shape[1:]
    if -1 in shape:
        shape = getattr(spec.input, "row_shape", None) or shape
    return math.inf if -1 in shape else math.prod(shape) * np.dtype(tensor.dtype).itemsize


def _holds_files(given: Any) -> bool:
    """Whether bytes of files stand where a tensor might."""
    if isinstance(given, np.ndarray):
        return bool(given.dtype.kind == "O")
    if isinstance(given, list | tuple):
        return bool(given) and isinstance(given[0], bytes)
    return isinstance(given, bytes | bytearray | memoryview)


def _size_of(sample: Any) -> int | None:
    """The bytes of a sample that came as bytes or path; None for any other."""
    if isinstance(sample, bytes | bytearray | memoryview):
        return memoryview(sample).nbytes
    return os.path.getsize(os.path.expanduser(sample)) if isinstance(sample, str | os.PathLike) else None


def _bytes_of(sample: Any) -> bytes:
    if isinstance(sample, bytes | bytearray | memoryview):
        return bytes(sample)
    with open(os.path.expanduser(sample), "rb") as file:
        return file.read()


def _rows(feed: Feed, at: Sequence[int] | Array) -> dict[str, Array]:
    return {name: array[at] for name, array in feed.items()}


def _copied(feed: Feed) -> dict[str, Array]:
    return {name: np.array(array) for name, array in feed.items()}


def _kept(sample: Any) -> Any:
    """A raw sample that nobody else changes; bytes and paths are that already."""
    if isinstance(sample, tuple):  # (samples, rate_hz)
        return tuple(map(_kept, sample))
    if isinstance(sample, bytearray | memoryview):
        return bytes(sample)
    return np.array(sample) if isinstance(sample, np.ndarray) else sample
