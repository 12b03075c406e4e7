"""Decide whether the tensor that a description makes is one that the model takes."""

from itertools import permutations

import numpy as np

from halocline.errors import Misconfigured
from halocline.inputs.description import ArrayInput, ImageInput, SeriesInput, SoundInput
from halocline.records import ModelSpec, TensorSpec, fits


def check_fit(spec: ModelSpec) -> None:
    """Raise Misconfigured (HAL-209) unless the description of the input fits the model's one input."""
    told = spec.input
    if told is None:
        return
    if len(spec.inputs) != 1:
        names = ", ".join(each.name for each in spec.inputs)
        raise Misconfigured(
            "HAL-209",
            f"{spec.ref} takes {len(spec.inputs)} inputs ({names}), and [input] describes one. Leave it out "
            f"and give ready tensors by name",
        )
    takes = spec.inputs[0]
    place = f"the input {takes.name!r} of {spec.ref}"
    dtype = told.dtype or takes.dtype
    if takes.dtype == "object" or np.dtype(dtype) != np.dtype(takes.dtype):
        shown = "string" if takes.dtype == "object" else takes.dtype
        raise Misconfigured(
            "HAL-209", f"{place} takes {shown}, and [input] makes {dtype}. Set dtype = {shown!r}"
        )
    if isinstance(told, ArrayInput):
        return
    row = takes.shape[1:]
    if not fits(told.row_shape, row):
        raise Misconfigured(
            "HAL-209",
            f"{place} takes rows of {_sizes(row)}, and [input] makes {_sizes(told.row_shape)}. "
            f"{_advice(told, takes)}",
        )


def _advice(told: ImageInput | SoundInput | SeriesInput, takes: TensorSpec) -> str:
    row = takes.shape[1:]
    layout = told.axes if isinstance(told, SoundInput) else told.layout
    sizes = dict(zip(layout, told.row_shape, strict=True)) | {"1": 1}
    for order in _layouts(told, layout):
        if set(order) <= set(sizes) and fits(tuple(sizes[axis] for axis in order), row):
            return f"Try layout = {order!r}"
    if isinstance(told, ImageInput) and len(row) == 3:
        at = row.index(1) if 1 in row and told.colour != "grey" else None
        if at is not None:
            return "One channel: try colour = 'grey'"
        width, height = (row[2], row[1]) if told.layout == "chw" else (row[1], row[0])
        return f"Try width = {width}, height = {height}" if width > 0 and height > 0 else "Correct the sizes"
    return "Correct the sizes or the layout"


def _layouts(told: ImageInput | SoundInput | SeriesInput, layout: str) -> list[str]:
    """The layouts that the same numbers may have."""
    if isinstance(told, ImageInput):
        return ["chw", "hwc", "hw"]
    axes = layout.replace("1", "")
    return ["".join(each) for ones in ("", "1", "11") for each in permutations(axes + ones)]


def _sizes(shape: tuple[int, ...]) -> str:
    return "[" + ", ".join("?" if size < 0 else str(size) for size in shape) + "]"
