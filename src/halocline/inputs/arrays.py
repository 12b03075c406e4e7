"""Turn a plain array into its tensor: its numbers scaled, in the type that the model takes."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from halocline.errors import Rejected
from halocline.inputs.description import ArrayInput

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


def array_rows(told: ArrayInput, dtype: str) -> Callable[[Any], Array]:
    """What turns an array into one row of the tensor (or several rows at once) in `dtype` or the told one."""
    kind = np.dtype(told.dtype or dtype)

    def row(sample: Any) -> Array:
        array = as_array(sample, "an array of numbers")
        if array.dtype.kind not in "biuf" or kind.kind not in "biuf":
            raise Rejected("HAL-310", f"expected an array of numbers for {kind}, got {array.dtype}")
        return finished(array.astype(np.float64) * told.scale, told.mean, told.std, kind)

    return row


def finished(values: Array, mean: tuple[float, ...], std: tuple[float, ...], kind: "np.dtype[Any]") -> Array:
    """Float64 values less `mean`, over `std` (one for all or each place of the last axis), as `kind`.

    May work in `values`. Raises Rejected where the last axis is of another length (HAL-314), or NaN
    would become a whole number (HAL-315).
    """
    for name, numbers in (("mean", mean), ("std", std)):
        if len(numbers) > 1 and values.shape[-1:] != (len(numbers),):
            raise Rejected(
                "HAL-314", f"{name} is for a last axis of {len(numbers)}, got an array {list(values.shape)}"
            )
    if mean:
        values -= np.array(mean)
    if std:
        values /= np.array(std)
    if kind.kind in "iu" and np.isnan(values).any():
        raise Rejected("HAL-315", f"it holds NaN, and {kind} has no number for that: drop or fill it")
    with np.errstate(over="ignore"):
        return as_kind(values, kind)


def as_kind(values: Array, kind: "np.dtype[Any]") -> Array:
    """Numbers as that type; whole ones are rounded and, where the type ends, clipped."""
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        values = np.clip(np.rint(values), limits.min, limits.max)
    return values.astype(kind)


def as_array(sample: Any, expected: str) -> Array:
    """The sample as an array. Raises Rejected (HAL-310)."""
    if isinstance(sample, np.ndarray):
        return sample
    try:
        array = np.asarray(sample)
    except (TypeError, ValueError):
        array = np.empty(0, object)
    if array.dtype.kind in "OUSV" and not array.dtype.names:
        raise Rejected("HAL-310", f"expected {expected}, got {type(sample).__name__}")
    return array
