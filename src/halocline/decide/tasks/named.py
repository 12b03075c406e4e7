"""Find the outputs that a description names, or say which there are."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from halocline.decide.gate import NO_CONFIDENCE
from halocline.errors import Misconfigured
from halocline.records import Array, ModelSpec


def output_of(spec: ModelSpec, name: str, key: str) -> str:
    """The output of that name, or the only one. Raises Misconfigured (HAL-330, HAL-331).

    A function tells no outputs: any name is good then, and is looked for in what it gives.
    """
    names = [each.name for each in spec.outputs]
    if name:
        if names and name not in names:
            raise not_as_described(f"{spec.ref} has no output {name!r} ({key}); it gives {', '.join(names)}")
        return name
    if len(names) == 1:
        return names[0]
    raise Misconfigured(
        "HAL-330", f"{spec.ref}: say which output to read, {key}; it gives {', '.join(names) or 'any'}"
    )


def not_as_described(problem: str) -> Misconfigured:
    """The error for outputs that are not what the description says."""
    return Misconfigured("HAL-331", problem)


def matrix_of(outputs: Mapping[str, Array], name: str, rows: int) -> Array:
    """The output as float64 `[rows, numbers]`; one number a row may come without its axis."""
    if name not in outputs:
        raise not_as_described(f"the output {name!r} is missing; there are {', '.join(outputs)}")
    array = np.asarray(outputs[name])
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or len(array) != rows or array.dtype.kind not in "fiub":
        raise not_as_described(
            f"the output {name!r} is {array.dtype} {list(array.shape)}, expected {rows} rows of numbers"
        )
    return array.astype(np.float64)


def column_of(outputs: Mapping[str, Array], name: str, rows: int) -> Array:
    """The output as one number a row, float64 `[rows]`."""
    array = matrix_of(outputs, name, rows)
    if array.shape[1] != 1:
        raise not_as_described(f"the output {name!r} holds {array.shape[1]} numbers a row, expected one")
    return array[:, 0]


def told_confidence(outputs: Mapping[str, Array], name: str, answers: Sequence[Any]) -> Array:
    """How sure the model says itself that it is, float64 `[rows]` in [0, 1]; a row without answer is not."""
    told = column_of(outputs, name, len(answers))
    known = np.isfinite(told) & np.array([answer is not None for answer in answers], dtype=bool)
    return np.where(known, np.clip(told, 0.0, 1.0), NO_CONFIDENCE)
