"""Turn rows of a sensor over time into a tensor: windows, missing values, scale."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np

from halocline.errors import Rejected
from halocline.inputs.arrays import as_array, finished
from halocline.inputs.description import SeriesInput

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


def series_rows(told: SeriesInput) -> Callable[[Any], Array]:
    """What turns one window `[window, columns]` into one row of the tensor, without the batch axis."""
    kind, shape = np.dtype(told.dtype), told.row_shape
    plain = told.layout.replace("1", "")

    def row(sample: Any) -> Array:
        window = columns_of(sample, told)
        if len(window) != told.window:
            raise Rejected(
                "HAL-314",
                f"expected a window of {told.window} rows, got {len(window)}. A longer series is cut with "
                f"halocline.inputs.series.windows",
            )
        values = finished(_filled(window, told), told.mean, told.std, kind)
        return np.ascontiguousarray(values.T if plain == "ct" else values).reshape(shape)

    return row


def windows(series: Any, told: SeriesInput) -> Iterator[Array]:
    """The windows of a whole recording `[rows, columns]`, each `hop` rows on, as far as they are whole."""
    rows = columns_of(series, told)
    for start in range(0, len(rows) - told.window + 1, told.hop or told.window):
        yield rows[start : start + told.window]


def columns_of(sample: Any, told: SeriesInput) -> Array:
    """Float64 `[rows, columns]` in the order told; a table with named columns is read by their names.

    Raises Rejected (HAL-310, HAL-314).
    """
    table = _by_name(sample, told) if isinstance(told.columns, tuple) else None
    array = table if table is not None else as_array(sample, f"rows of {told.count} columns")
    if array.dtype.kind not in "biuf":
        raise Rejected("HAL-310", f"expected rows of numbers, got {array.dtype}")
    if array.ndim == 1 and told.count == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != told.count:
        names = f" ({', '.join(told.columns)})" if isinstance(told.columns, tuple) else ""
        raise Rejected("HAL-314", f"expected [rows, {told.count}]{names}, got an array {list(array.shape)}")
    return array.astype(np.float64)


def _by_name(sample: Any, told: SeriesInput) -> Array | None:
    """The columns of a structured array or a data frame; None where the sample has no names."""
    assert isinstance(told.columns, tuple)
    dtype = getattr(sample, "dtype", None)
    named = getattr(dtype, "names", None) or getattr(sample, "columns", None)
    if named is None:
        return None
    missing = [name for name in told.columns if name not in named]
    if missing:
        raise Rejected(
            "HAL-314", f"the columns {', '.join(missing)} are missing; there are {', '.join(map(str, named))}"
        )
    return np.stack([np.asarray(sample[name]) for name in told.columns], axis=1)


def _filled(rows: Array, told: SeriesInput) -> Array:
    """The rows with every missing value replaced, as told. Raises Rejected (HAL-315)."""
    finite = np.isfinite(rows)
    if finite.all():
        return rows
    at, column = (int(each) for each in np.argwhere(~finite)[0])
    name = told.columns[column] if isinstance(told.columns, tuple) else column
    if told.missing == "refuse" or np.isinf(rows).any():
        raise Rejected(
            "HAL-315",
            f"row {at} of the window, column {name} is {rows[at, column]} "
            f"({int((~finite).sum())} such values in all). "
            f"Fill it before the call, or set missing = 'hold', 'interpolate' or 'mean' in [input] for NaN",
        )
    if told.missing == "mean":
        return np.where(finite, rows, np.array(told.mean))
    for each in range(rows.shape[1]):
        known = np.flatnonzero(finite[:, each])
        if not known.size:
            name = told.columns[each] if isinstance(told.columns, tuple) else each
            raise Rejected(
                "HAL-315",
                f"column {name} has no value at all in this window: leave the window out, or set "
                f"missing = 'mean' in [input]",
            )
        every = np.arange(len(rows))
        if told.missing == "interpolate":
            rows[:, each] = np.interp(every, known, rows[known, each])
        else:
            before = np.maximum(np.searchsorted(known, every, side="right") - 1, 0)
            rows[:, each] = rows[known[before], each]
    return rows
