"""Make rows ready for both tiers, a chunk at a time, and leave out those that cannot be."""

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from halocline.edge.sending import Going, RawRows, Sender, samples_of
from halocline.errors import Rejected
from halocline.inputs.description import ArrayInput
from halocline.ports import Feed, Model
from halocline.records import Array, ModelSpec

_HOPELESS = 20
"""Where so many samples cannot be made ready and none could, the fault is not in the samples."""


class LeftOut(msgspec.Struct, frozen=True):
    """A raw sample that could not be made ready: its place among those given, its name, and why."""

    row: int
    name: str
    why: str


class Ready(NamedTuple):
    """Rows ready for both tiers, and their places among those given, int64 `[rows]`."""

    feed: Mapping[str, Array]
    travelling: Mapping[str, Array]
    places: Array


class Intake:
    """The rows given to be tuned or measured on: arrays as they are, or raw samples, read in their turn.

    `left_out` holds the raw samples that could not be made ready so far; with `strict` the first of them
    is an error instead.
    """

    def __init__(self, edge: Model, inputs: Any, *, strict: bool) -> None:
        self._edge = edge
        self._strict = strict
        self.left_out: list[LeftOut] = []
        self._any_ready = False
        self._first_fault: Exception | None = None
        self._shapes: dict[int, dict[str, tuple[int, ...]]] = {}
        self._raw: Any = None
        if _is_raw(inputs, edge.spec):
            self._raw = inputs
            self.rows = len(inputs)
            if not self.rows:
                raise Rejected("HAL-303", "there are no samples")
        else:
            self._feed = edge.conform_batch(inputs)
            self.rows = count(self._feed)

    def chunks(self, sender: Sender, rows: int) -> Iterator[Ready]:
        """All of them in order, so many at once; chunks of which nothing is left are passed over.

        `sender` makes of them what travels.
        """
        for start in range(0, self.rows, rows):
            places = np.arange(start, min(start + rows, self.rows))
            if self._raw is None:
                feed = sliced(self._feed, start, rows)
                yield Ready(feed, sender.feed(feed), places)
            else:
                ready = self._of_raw(sender, places)
                if ready is not None:
                    yield ready

    def singles(self, ready: Sequence[Ready], rows: int) -> Iterator[Going]:
        """The first rows that are ready, each alone, as they may go up."""
        firsts = ((each, at) for each in ready for at in range(len(each.places)))
        for each, at in itertools.islice(firsts, rows):
            yield self._going(each.places[at : at + 1], sliced(each.feed, at, 1))

    def samples(self, ready: Ready) -> Sequence[Any] | None:
        """These rows as they were given; None where that were ready tensors of a described input."""
        return samples_of(self._going(ready.places, ready.feed), self._edge.spec)

    def whole(self, feeds: Sequence[Feed]) -> Mapping[str, Array]:
        """The edge's feed of all rows, from that of the chunks."""
        return self._feed if self._raw is None else joined(feeds)

    def _of_raw(self, sender: Sender, places: Array) -> Ready | None:
        try:
            ready = self._made(sender, places)
        except (Rejected, OSError, ValueError):
            return self._one_by_one(sender, places)
        self._any_ready = True
        return ready

    def _one_by_one(self, sender: Sender, places: Array) -> Ready | None:
        """Those of a chunk that can be made ready."""
        found = []
        for at in range(len(places)):
            try:
                found.append(self._made(sender, places[at : at + 1]))
                self._any_ready = True
            except (Rejected, OSError, ValueError) as exc:
                self._leave_out(int(places[at]), exc)
        if not found:
            return None
        return Ready(
            joined([each.feed for each in found]),
            joined([each.travelling for each in found]),
            np.concatenate([each.places for each in found]),
        )

    def _leave_out(self, row: int, exc: Exception) -> None:
        self._first_fault = self._first_fault or exc
        name = self._name(row)
        self.left_out.append(LeftOut(row, name, _why(exc, name)))
        tried = len(self.left_out)
        if self._strict or (not self._any_ready and tried >= min(_HOPELESS, self.rows)):
            first, fault = self.left_out[0], self._first_fault
            code = fault.code if isinstance(fault, Rejected) else "HAL-304"
            raise Rejected(
                code, first.why if first.name in first.why else f"{first.name}: {first.why}"
            ) from None

    def _name(self, row: int) -> str:
        """The file that a sample is read from, where it is one."""
        listed = self._raw if isinstance(self._raw, list | tuple) else getattr(self._raw, "paths", None)
        place = None if listed is None else listed[row]
        return os.fspath(place) if isinstance(place, str | os.PathLike) else f"row {row}"

    def _made(self, sender: Sender, places: Array) -> Ready:
        samples = self._samples(places)
        described = self._edge.spec.input is not None
        feed = self._edge.conform_batch(samples if described else stacked(samples, self._edge.spec))
        travelling = sender.feed(self._going(places, feed))
        for tier, made in ((0, feed), (1, travelling)):
            self._check_shape(tier, made)
        return Ready(feed, travelling, places)

    def _samples(self, places: Array) -> Any:
        if isinstance(self._edge.spec.input, ArrayInput) and isinstance(self._raw, np.ndarray):
            return self._raw[places]  # plain arrays are prepared all at once
        return [self._raw[int(at)] for at in places]

    def _going(self, places: Array, feed: Feed) -> Going:
        if self._raw is None or self._edge.spec.input is None:
            return feed
        return RawRows(self._samples(places), feed)

    def _check_shape(self, tier: int, feed: Feed) -> None:
        """Raise Rejected (HAL-301) where these rows cannot stand in one batch with the first ones."""
        shapes = {name: array.shape[1:] for name, array in feed.items()}
        first = self._shapes.setdefault(tier, shapes)
        if shapes != first:
            told, before = (" and ".join(str(list(each)) for each in one.values()) for one in (shapes, first))
            raise Rejected("HAL-301", f"it has the shape {told}, and the first sample has {before}")


def _why(exc: Exception, name: str) -> str:
    """What is wrong, without what the sample is called; asked about alone, it always was row 0."""
    told = exc.message if isinstance(exc, Rejected) else str(exc)
    return told.removeprefix("row 0: ").removeprefix(f"{name}: ")


def stacked(samples: Sequence[Any], model: ModelSpec) -> Array:
    """One batch of arrays. Raises Rejected (HAL-301, HAL-302) where they are no arrays of one shape."""
    first = samples[0]
    if isinstance(first, str | bytes | os.PathLike):
        what = f"{len(first)} bytes" if isinstance(first, bytes) else f"the file {os.fspath(first)}"
        raise Rejected(
            "HAL-302",
            f"{model.ref} takes a tensor, and the first sample is {what}: say what its input means in a "
            ".model.toml beside the model. Try: halocline model inspect --write",
        )
    arrays = [np.asarray(sample) for sample in samples]
    if len({array.shape for array in arrays}) > 1:
        raise Rejected("HAL-301", f"the samples differ in shape, and {model.ref} takes one shape")
    return np.stack(arrays)


def joined(feeds: Sequence[Feed]) -> Mapping[str, Array]:
    """One feed of several."""
    if len(feeds) == 1:
        return feeds[0]
    return {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}


def sliced(feed: Feed, at: int, rows: int) -> dict[str, Array]:
    """So many rows of a feed."""
    return {name: array[at : at + rows] for name, array in feed.items()}


def count(feed: Feed) -> int:
    """How many rows a feed has."""
    return len(next(iter(feed.values())))


def _is_raw(inputs: Any, edge: ModelSpec) -> bool:
    """Whether the rows are raw samples; arrays are ready where the edge says no more, mappings always are."""
    if isinstance(inputs, Mapping):
        return False
    if edge.input is not None:
        return True
    if isinstance(inputs, list | tuple):
        return bool(inputs) and isinstance(inputs[0], str | bytes | os.PathLike)
    return isinstance(inputs, Sequence)
