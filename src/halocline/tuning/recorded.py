"""Make recorded rows into candidates for selection: what the edge model says of each, and how large it is."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from halocline.decide.candidate import Candidate
from halocline.decide.gate import NO_CLASS, Policy, sureness_of, thresholds_of
from halocline.decide.sketch import sketch
from halocline.edge.reading import EdgeReader, Rows
from halocline.errors import Rejected
from halocline.inputs.description import ArrayInput
from halocline.ports import Feed, Model
from halocline.records import Array, ModelSpec, Reason, Tier
from halocline.stats.novelty import distances
from halocline.tuning.intake import LeftOut, count, stacked
from halocline.tuning.replay import check_source

CHUNK_ROWS = 256


class Recorded(msgspec.Struct, frozen=True, eq=False):
    """The candidates in their order, their places among the rows given, and the rows that could not be used.

    `index` is the class that the edge gave each, NO_CLASS where it gave none.
    """

    samples: list[Candidate]
    places: list[int]
    index: list[int]
    left_out: list[LeftOut]


def record(
    edge: Model,
    policy: Policy,
    samples: Any,
    *,
    groups: Array | None = None,
    facts: Mapping[str, Array] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Recorded:
    """Run the edge over all rows. Where it would escalate, the cloud is taken to answer in time.

    `groups` `[rows]` say whom each row is of, and from which source it came; `facts` are arrays `[rows]`
    called `sensor.KEY` or `metadata.KEY`. Raises Rejected where no row can be used.
    """
    if policy.novelty is not None:
        check_source(edge.spec, policy.novelty.output)
    told = Recorded([], [], [], [])
    reader = EdgeReader(edge.spec, policy, None)
    rows = len(next(iter(samples.values()))) if isinstance(samples, Mapping) else len(samples)
    for start in range(0, rows, CHUNK_ROWS):
        stop = min(start + CHUNK_ROWS, rows)
        for places, feed in _feeds(edge, samples, start, stop, told.left_out):
            read = reader.read([np.asarray(each) for each in edge.run(feed)])
            judged = _judged(policy, read, feed)
            for at, place in enumerate(places):
                sides = _sides(place, groups, facts or {})
                size = _payload_bytes(samples, place, feed, at)
                told.samples.append(_candidate(edge.spec, policy, read, judged, feed, at, place, size, sides))
                told.places.append(place)
                told.index.append(int(read.index[at]))
        if progress is not None:
            progress(stop, rows)
    if rows and not told.samples:
        raise Rejected("HAL-303", f"none of the {rows} rows can be used; the first: {told.left_out[0].why}")
    return told


class _Judged(msgspec.Struct, frozen=True, eq=False):
    """Which rows would go up, and how far each is from the training data."""

    up: Array
    distance: Array | None


def _judged(policy: Policy, read: Rows, feed: Feed) -> _Judged:
    novelty = policy.novelty
    distance = None
    if novelty is not None:
        features = read.outputs[novelty.output] if novelty.output else next(iter(feed.values()))
        distance = distances(novelty, features)
    sureness = sureness_of(read.confidence, distance, 0.0 if novelty is None else novelty.cut)
    return _Judged(np.asarray(sureness < thresholds_of(read.index, policy)), distance)


def _candidate(
    spec: ModelSpec,
    policy: Policy,
    read: Rows,
    judged: _Judged,
    feed: Feed,
    at: int,
    place: int,
    size: int,
    sides: Mapping[str, Any],
) -> Candidate:
    index, is_up = int(read.index[at]), bool(judged.up[at])
    look = sketch(next(iter(feed.values()))[at])
    return Candidate(
        id=str(place),
        confidence=float(read.confidence[at]),
        label=None if index == NO_CLASS else (spec.labels[index] if spec.labels else str(index)),
        novelty=None if judged.distance is None else float(judged.distance[at]),
        novelty_cut=None if policy.novelty is None else policy.novelty.cut,
        tier=Tier.CLOUD if is_up else Tier.EDGE,
        reason=Reason.ESCALATED if is_up else Reason.CONFIDENT,
        payload_bytes=size,
        sketch=lambda: look,
        **sides,
    )


def _sides(place: int, groups: Array | None, facts: Mapping[str, Array]) -> dict[str, Any]:
    """What is known of a row beside the row itself."""
    found: dict[str, Any] = {"sensors": {}, "metadata": {}}
    for name, values in facts.items():
        space, _, key = name.partition(".")
        value = values[place].item()
        if space == "sensor":
            found["sensors"][key] = float(value)
        else:
            found["metadata"][key] = value
    if groups is not None:
        found["group"] = found["source"] = str(groups[place])
    return found


def _feeds(
    edge: Model, samples: Any, start: int, stop: int, left_out: list[LeftOut]
) -> Iterator[tuple[list[int], Feed]]:
    """Rows that are ready, with their places: all at once, or one by one where one of them cannot be."""
    places = [*range(start, stop)]
    try:
        yield places, _feed(edge, samples, places)
        return
    except (Rejected, OSError, ValueError):
        pass
    for place in places:
        try:
            yield [place], _feed(edge, samples, [place])
        except (Rejected, OSError, ValueError) as exc:
            why = exc.message if isinstance(exc, Rejected) else str(exc)
            left_out.append(LeftOut(place, f"row {place}", why))


def _feed(edge: Model, samples: Any, places: Sequence[int]) -> Feed:
    spec = edge.spec
    if isinstance(samples, Mapping):
        return edge.conform_batch({name: array[places] for name, array in samples.items()})
    if isinstance(samples, np.ndarray) and (spec.input is None or isinstance(spec.input, ArrayInput)):
        return edge.conform_batch(samples[places])
    rows = [samples[place] for place in places]
    return edge.conform_batch(rows if spec.input is not None else stacked(rows, spec))


def _payload_bytes(samples: Any, place: int, feed: Feed, at: int) -> int:
    """What the sample takes as it was recorded: a file as it is, numbers as the tensor that they become."""
    if not isinstance(samples, Mapping | np.ndarray):
        sample = samples[place]
        if isinstance(sample, bytes):
            return len(sample)
        if isinstance(sample, str | os.PathLike):
            return os.path.getsize(sample)
    return sum(array[at].nbytes for array in feed.values()) if count(feed) else 0
