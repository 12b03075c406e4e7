"""Say what a set holds: rows by class and group, sizes, copies, and what it is fit for."""

import io
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from halocline.data.dataset import BadRow, Content, Dataset, Kind, Progress
from halocline.data.files import look
from halocline.data.headers import Look, look_at
from halocline.data.keys import key_of
from halocline.decide.told import counted
from halocline.records import Array

BOXES = "of models that detect, and of no others"
_LARGE_SHARE = 0.5
"""A group with more than this share of the rows decides what is said of all of them."""


class Fit(msgspec.Struct, frozen=True):
    """Whether the set may be given as `--data` to a command, and why, or how."""

    command: str
    is_fit: bool
    why: str


class Spread(msgspec.Struct, frozen=True):
    """The least, the middle and the largest of some numbers."""

    least: float
    middle: float
    most: float


class Copies(msgspec.Struct, frozen=True):
    """Samples that are there more than once: how many rows are copies of an earlier one, and the first few.

    `across_labels` counts samples that stand under more than one label, `across_groups` in more than one
    group.
    """

    rows: int
    across_labels: int
    across_groups: int
    named: tuple[tuple[str, str], ...]


class Checkup(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in a set. `sizes` counts pictures by WIDTHxHEIGHT, rows by their shape.

    `seconds` and `rates_hz` are of sounds, `boxes` of annotated pictures.
    """

    kind: Kind
    content: Content
    rows: int
    labels: Mapping[str, int] | None
    groups: Mapping[str, int] | None
    sizes: Mapping[str, int]
    seconds: Spread | None
    rates_hz: Mapping[str, int]
    boxes: Spread | None
    copies: Copies
    bad: tuple[BadRow, ...]
    unread: tuple[str, ...]
    doubts: tuple[str, ...]
    fit: tuple[Fit, ...]


def check_up(dataset: Dataset, progress: Progress | None = None) -> Checkup:
    """Look at every sample once. Reads each file whole, and holds none longer than it is looked at."""
    sizes: Counter[str] = Counter()
    rates: Counter[str] = Counter()
    seconds: list[float] = []
    places: dict[bytes, list[int]] = {}
    rows = len(dataset)
    for at, sample in enumerate(_samples(dataset)):
        if progress is not None and at % 100 == 0:
            progress(at, rows)
        places.setdefault(key_of(sample), []).append(at)
        seen = _look(sample)
        if seen is None:
            sizes[_shape(sample)] += 1
        elif dataset.content is Content.SOUNDS:
            seconds.append(seen.seconds)
            rates[str(seen.rate_hz)] += 1
        else:
            sizes[f"{seen.width}x{seen.height}"] += 1
    if progress is not None:
        progress(rows, rows)
    labels, groups = _counts(dataset.labels), _counts(dataset.groups)
    copies = _copies(dataset, [many for many in places.values() if len(many) > 1])
    boxes = None if dataset.boxes is None else _spread([len(each) for each in dataset.boxes])
    return Checkup(
        kind=dataset.kind,
        content=dataset.content,
        rows=rows,
        labels=_box_labels(dataset) if dataset.boxes is not None else labels,
        groups=groups,
        sizes=dict(sizes.most_common()),
        seconds=_spread(seconds),
        rates_hz=dict(rates.most_common()),
        boxes=boxes,
        copies=copies,
        bad=dataset.bad,
        unread=dataset.unread,
        doubts=_doubts(dataset, labels, groups, copies, rates),
        fit=_fit(dataset, labels, groups),
    )


def _samples(dataset: Dataset) -> Any:
    """Each sample; of several inputs, what belongs to one row together."""
    if isinstance(dataset.samples, Mapping):
        return zip(*dataset.samples.values(), strict=False)
    return iter(dataset.samples)


def _look(sample: Any) -> Look | None:
    """The head of a picture or sound; None for a row of numbers."""
    if isinstance(sample, bytes):
        return look_at(io.BytesIO(sample))
    return look(Path(sample)) if isinstance(sample, str | os.PathLike) else None


def _shape(sample: Any) -> str:
    parts = sample if isinstance(sample, tuple) else (sample,)
    return " and ".join(str(list(np.shape(part))) for part in parts)


def _counts(values: Array | None) -> dict[str, int] | None:
    if values is None:
        return None
    names, counts = np.unique(values, return_counts=True)
    return dict(zip(map(str, names.tolist()), counts.tolist(), strict=True))


def _box_labels(dataset: Dataset) -> dict[str, int]:
    assert dataset.boxes is not None
    return dict(Counter(name for each in dataset.boxes for name in each.labels or ()).most_common())


def _spread(values: Sequence[float]) -> Spread | None:
    if not values:
        return None
    return Spread(float(min(values)), float(np.median(values)), float(max(values)))


def _copies(dataset: Dataset, found: Sequence[Sequence[int]]) -> Copies:
    def across(values: Array | None) -> int:
        return 0 if values is None else sum(len(set(values[list(many)].tolist())) > 1 for many in found)

    return Copies(
        rows=sum(len(many) - 1 for many in found),
        across_labels=across(dataset.labels),
        across_groups=across(dataset.groups),
        named=tuple((dataset.names[many[0]], dataset.names[many[1]]) for many in found[:3]),
    )


def _doubts(
    dataset: Dataset,
    labels: Mapping[str, int] | None,
    groups: Mapping[str, int] | None,
    copies: Copies,
    rates: Mapping[str, int],
) -> tuple[str, ...]:
    said = []
    if copies.across_labels:
        said.append(f"under more than one label: {counted(copies.across_labels, 'sample')}; one is wrong")
    if copies.rows:
        said.append(f"copies of another row: {counted(copies.rows, 'row')}; if made, they fake certainty")
    if copies.across_groups:
        said.append(f"in more than one group: {counted(copies.across_groups, 'sample')}; groups must not mix")
    if labels is not None and len(labels) == 1:
        said.append(f"every row has the label {next(iter(labels))!r}: nothing is said of other classes")
    if groups is not None and len(dataset):
        name, most = max(groups.items(), key=lambda each: each[1])
        if most > _LARGE_SHARE * len(dataset):
            said.append(f"the group {name!r} holds {most} of the {len(dataset)} rows")
    if len(rates) > 1:
        said.append("the sounds differ in their sample rate: a model's description resamples them")
    return tuple(said)


def _fit(
    dataset: Dataset, labels: Mapping[str, int] | None, groups: Mapping[str, int] | None
) -> tuple[Fit, ...]:
    rows = len(dataset)
    if not rows:
        return (Fit("infer", False, "no row can be used"),)
    described = "" if dataset.content is Content.ROWS else ", by a model with an [input] description"
    found = [Fit("infer", True, f"row by row{described}")]
    if dataset.boxes is not None:
        found += [Fit(command, True, f"against the boxes, {BOXES}") for command in ("tune", "evaluate")]
        return tuple(found)
    whom = "" if groups is None else f"; promises are for new groups like these {len(groups)}"
    against = "the cloud's answers are the truth" if labels is None else "against the labels"
    found.append(Fit("tune", True, f"{against}{whom}"))
    if labels is None:
        found.append(Fit("evaluate", False, "it has no labels to measure against"))
    else:
        found.append(Fit("evaluate", True, f"against the labels{whom and ', with intervals over groups'}"))
    return tuple(found)
