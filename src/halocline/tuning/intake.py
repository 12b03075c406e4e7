"""Make rows ready for both tiers, a chunk at a time, and leave out those that cannot be."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from halocline.errors import Misconfigured, Rejected
from halocline.ports import Feed, Model, Upstream
from halocline.records import Array, ModelSpec

Own = Callable[[Sequence[Any]], Feed]
"""How a cloud that says what its input means makes its feed of raw samples."""


_HOPELESS = 20
"""Where so many samples cannot be made ready and none could, the fault is not in the samples."""


class LeftOut(msgspec.Struct, frozen=True):
    """A raw sample that could not be made ready: its place among those given, and why."""

    row: int
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

    def __init__(
        self,
        edge: Model,
        own: Own | None,
        inputs: Any,
        to_cloud: Callable[[Array], Array] | None,
        *,
        strict: bool,
    ) -> None:
        if own is not None and to_cloud is not None:
            if is_described(edge):
                raise Misconfigured(
                    "HAL-102",
                    "both tiers say what their input means, so to_cloud has nothing to do: leave it out",
                )
            own = None
        self._edge = edge
        self._own = own
        self._to_cloud = to_cloud
        self._strict = strict
        self.left_out: list[LeftOut] = []
        self._any_ready = False
        self._shapes: dict[int, dict[str, tuple[int, ...]]] = {}
        self._raw: Sequence[Any] | None = None
        if _is_raw(inputs, edge, own):
            self._raw = inputs
            self.rows = len(inputs)
            if not self.rows:
                raise Rejected("HAL-303", "there are no samples")
        else:
            self._feed = edge.conform_batch(inputs)
            self._travelling = _travelling(self._feed, to_cloud)
            self.rows = count(self._feed)

    def chunks(self, rows: int) -> Iterator[Ready]:
        """All of them in order, so many at once; chunks of which nothing is left are passed over."""
        for start in range(0, self.rows, rows):
            places = np.arange(start, min(start + rows, self.rows))
            if self._raw is None:
                yield Ready(sliced(self._feed, start, rows), sliced(self._travelling, start, rows), places)
            else:
                ready = self._of_raw(self._raw, places)
                if ready is not None:
                    yield ready

    def whole(self, feeds: Sequence[Feed]) -> Mapping[str, Array]:
        """The edge's feed of all rows, from that of the chunks."""
        return self._feed if self._raw is None else joined(feeds)

    def _of_raw(self, raw: Sequence[Any], places: Array) -> Ready | None:
        try:
            ready = self._made([raw[int(at)] for at in places], places)
        except (Rejected, OSError, ValueError):
            return self._one_by_one(raw, places)
        self._any_ready = True
        return ready

    def _one_by_one(self, raw: Sequence[Any], places: Array) -> Ready | None:
        """Those of a chunk that can be made ready."""
        found = []
        for at in places:
            try:
                found.append(self._made([raw[int(at)]], np.asarray([at])))
                self._any_ready = True
            except (Rejected, OSError, ValueError) as exc:
                self._leave_out(int(at), exc)
        if not found:
            return None
        return Ready(
            joined([each.feed for each in found]),
            joined([each.travelling for each in found]),
            np.concatenate([each.places for each in found]),
        )

    def _leave_out(self, row: int, exc: Exception) -> None:
        self.left_out.append(LeftOut(row, exc.message if isinstance(exc, Rejected) else str(exc)))
        tried = len(self.left_out)
        if self._strict or (not self._any_ready and tried >= min(_HOPELESS, self.rows)):
            raise exc

    def _made(self, samples: Sequence[Any], places: Array) -> Ready:
        batch: Any = samples if is_described(self._edge) else stacked(samples, self._edge)
        feed = self._edge.conform_batch(batch)
        travelling = _travelling(feed, self._to_cloud) if self._own is None else self._own(samples)
        for tier, made in ((0, feed), (1, travelling)):
            self._check_shape(tier, made)
        return Ready(feed, travelling, places)

    def _check_shape(self, tier: int, feed: Feed) -> None:
        """Raise Rejected (HAL-301) where these rows cannot stand in one batch with the first ones."""
        shapes = {name: array.shape[1:] for name, array in feed.items()}
        first = self._shapes.setdefault(tier, shapes)
        if shapes != first:
            told, before = (" and ".join(str(list(each)) for each in one.values()) for one in (shapes, first))
            raise Rejected("HAL-301", f"it has the shape {told}, and the first sample has {before}")


def own_intake(edge: ModelSpec, upstream: Upstream, cloud: ModelSpec | None) -> Own | None:
    """How the cloud makes its feed of raw samples; None where it takes what the edge takes."""
    said = getattr(cloud, "input", None)
    if cloud is None or said is None:
        return None
    same_shape = cloud.inputs[0].shape[1:] == edge.inputs[0].shape[1:]
    if said == getattr(edge, "input", None) and same_shape:
        return None  # the same preparation gives the same tensor
    own: Own | None = getattr(upstream, "prepare", None)
    return own


def is_described(model: object) -> bool:
    """Whether the model says what its input means, and so takes raw samples."""
    return getattr(getattr(model, "spec", None), "input", None) is not None


def stacked(samples: Sequence[Any], model: Model) -> Array:
    """One batch of arrays. Raises Rejected (HAL-301, HAL-302) where they are no arrays of one shape."""
    first = samples[0]
    if isinstance(first, str | bytes | os.PathLike):
        what = f"{len(first)} bytes" if isinstance(first, bytes) else f"the file {os.fspath(first)}"
        raise Rejected(
            "HAL-302",
            f"{model.spec.ref} takes a tensor, and the first sample is {what}: say what its input means in a "
            ".model.toml beside the model. Try: halocline model inspect --write",
        )
    arrays = [np.asarray(sample) for sample in samples]
    if len({array.shape for array in arrays}) > 1:
        raise Rejected("HAL-301", f"the samples differ in shape, and {model.spec.ref} takes one shape")
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


def _is_raw(inputs: Any, edge: Model, own: Own | None) -> bool:
    """Whether the rows are raw samples; arrays and mappings of arrays are ready where no tier says more."""
    if isinstance(inputs, Mapping):
        return False
    if own is not None or is_described(edge):
        return True
    if isinstance(inputs, list | tuple):
        return bool(inputs) and isinstance(inputs[0], str | bytes | os.PathLike)
    return isinstance(inputs, Sequence)


def _travelling(feed: Feed, to_cloud: Callable[[Array], Array] | None) -> Mapping[str, Array]:
    if to_cloud is None:
        return feed
    return {name: np.asarray(to_cloud(array)) for name, array in feed.items()}
