"""Leave out the rows that a model cannot be measured on: those that hold NaN, or a label it does not know."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import msgspec
import numpy as np

from halocline.data.dataset import BadRow, Dataset
from halocline.data.files import RowFiles
from halocline.records import Array, ModelSpec, Task

_MOST = 0.5
"""Where more of the rows cannot be used, the fault is not in the rows."""


def usable(dataset: Dataset, model: ModelSpec) -> Dataset:
    """The data without such rows, which join `bad`; as they are where most of them would go."""
    why = _holding_nan(dataset, model) | _unknown(dataset, model)
    if not why or len(why) > _MOST * len(dataset):
        return dataset
    places = np.asarray([at for at in range(len(dataset)) if at not in why])
    return msgspec.structs.replace(
        dataset,
        samples=_picked(dataset.samples, places),
        names=[dataset.names[int(at)] for at in places],
        labels=None if dataset.labels is None else dataset.labels[places],
        groups=None if dataset.groups is None else dataset.groups[places],
        bad=(*dataset.bad, *(BadRow(dataset.names[at], why[at]) for at in sorted(why))),
    )


class _Picked(Sequence[Any]):
    """Some of the samples of a sequence that reads them when they are asked for."""

    def __init__(self, samples: Sequence[Any], places: Array) -> None:
        self._samples = samples
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self._samples[int(place)] for place in self._places[at]]
        return self._samples[int(self._places[at])]

    def __iter__(self) -> Iterator[Any]:
        return (self._samples[int(place)] for place in self._places)


def _picked(samples: Any, places: Array) -> Any:
    if isinstance(samples, Mapping):
        return {name: array[places] for name, array in samples.items()}
    if isinstance(samples, np.ndarray):
        return samples[places]
    if isinstance(samples, list | tuple):
        return [samples[int(at)] for at in places]
    if isinstance(samples, RowFiles):
        return RowFiles([samples.paths[int(at)] for at in places])
    return _Picked(samples, places)


def _holding_nan(dataset: Dataset, model: ModelSpec) -> dict[int, str]:
    """The rows of ready arrays that hold NaN; raw samples are looked at where they are prepared."""
    samples = dataset.samples
    if not isinstance(samples, Mapping):
        if model.input is not None or not isinstance(samples, np.ndarray):
            return {}
        samples = {"": samples}
    found: dict[int, str] = {}
    for array in samples.values():
        if array.dtype.kind != "f" or array.ndim < 2:
            continue
        missing = np.isnan(array).reshape(len(array), -1)
        for at in np.flatnonzero(missing.any(axis=1)).tolist():
            first = np.unravel_index(int(missing[at].argmax()), array.shape[1:])
            found[at] = f"it holds NaN, first at {[int(each) for each in first]}"
    return found


def _unknown(dataset: Dataset, model: ModelSpec) -> dict[int, str]:
    """The rows whose label is none of a classifier's."""
    labels = dataset.labels
    if (
        model.task is not Task.CLASSIFY
        or labels is None
        or labels.ndim != 1
        or labels.dtype.kind not in "USiu"
    ):
        return {}
    known = set(model.labels or ())
    count = _class_count(model)
    if labels.dtype.kind in "US" and not known:
        return {}
    found = {}
    for at, label in enumerate(labels.tolist()):
        if str(label) in known or (isinstance(label, int) and (count is None or 0 <= label < count)):
            continue
        near = get_close_matches(str(label), list(known), 1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        found[at] = f"its label {label!r} is no class of {model.ref}{meant}"
    return found


def _class_count(model: ModelSpec) -> int | None:
    if model.labels is not None:
        return len(model.labels)
    shape = next((each.shape for each in model.outputs if each.name == model.score_output), ())
    return shape[-1] if len(shape) == 2 and shape[-1] > 0 else None
