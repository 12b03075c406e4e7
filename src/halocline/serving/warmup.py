"""Run a model before it serves: that it runs at all, what a run costs, and whether rows may be batched."""

import math
import time
from typing import Final

import msgspec
import numpy as np

from halocline.errors import Misconfigured
from halocline.ports import Feed, Model
from halocline.records import Array, ModelSpec, TensorSpec

_UNKNOWN_SIZES: Final = (1, 8, 32, 224)
"""Sizes tried for axes whose size the model leaves open, until a run passes."""

_ROUNDS: Final = 5
_LONG_S: Final = 0.05
"""A run that takes longer is measured once: start-up matters more than precision."""


class RunCost(msgspec.Struct, frozen=True):
    """What running a model takes.

    `max_rows` is 1 where rows must not be put together: the model's batch axis is fixed, or its outputs
    do not follow it.
    """

    one_row_s: float
    full_batch_s: float
    max_rows: int

    def expected_s(self, rows: int) -> float:
        """Seconds that a run of so many rows will take, on a straight line through what was measured."""
        if self.max_rows < 2:
            return self.one_row_s * rows
        slope = (self.full_batch_s - self.one_row_s) / (self.max_rows - 1)
        return self.one_row_s + max(slope, 0.0) * (rows - 1)

    def rows_within(self, seconds: float) -> int:
        """How many rows a run may have to be over in so many seconds; 0 where one row takes longer."""
        if self.one_row_s > seconds:
            return 0
        slope = (self.full_batch_s - self.one_row_s) / max(self.max_rows - 1, 1)
        if self.max_rows < 2 or slope <= 0.0:
            return self.max_rows
        return min(self.max_rows, 1 + int((seconds - self.one_row_s) / slope))


def warm_up(model: Model, max_batch: int) -> RunCost:
    """Run made-up rows and measure. Raises Misconfigured (HAL-201) where no run passes."""
    spec = model.spec
    fixed = _fixed_batch(spec)
    size = _size_that_runs(model)
    one_s = _measured_s(model, _feed(spec, fixed or 1, size))
    if max_batch < 2 or fixed is not None or not _rows_follow(model, _feed(spec, 2, size)):
        return RunCost(one_s, one_s, 1)
    if one_s > _LONG_S:  # what a full batch takes decides nothing then
        return RunCost(one_s, one_s * max_batch, max_batch)
    return RunCost(one_s, _measured_s(model, _feed(spec, max_batch, size)), max_batch)


def _size_that_runs(model: Model) -> int:
    failure: Exception | None = None
    for size in _UNKNOWN_SIZES:
        try:
            model.run(_feed(model.spec, _fixed_batch(model.spec) or 1, size))
        except Exception as error:  # the runtime's own errors are not ours to list
            failure = failure or error
        else:
            return size
    raise Misconfigured("HAL-201", f"{model.spec.ref} fails its warm-up run: {_line(failure)}") from failure


def _measured_s(model: Model, feed: Feed) -> float:
    """The quickest of a few runs: what the run takes when nothing else disturbs it."""
    best = math.inf
    for _ in range(_ROUNDS):
        started_s = time.perf_counter()
        model.run(feed)
        best = min(best, time.perf_counter() - started_s)
        if best > _LONG_S:
            break
    return best


def _rows_follow(model: Model, feed: Feed) -> bool:
    """Whether a run of two rows passes and every output has two rows."""
    try:
        outputs = model.run(feed)
    except Exception:  # a model that takes one row only says so in its runtime's own words
        return False
    return all(output.ndim > 0 and output.shape[0] == 2 for output in outputs)


def _fixed_batch(spec: ModelSpec) -> int | None:
    """The batch size that the model's inputs demand, or None where any will do."""
    sizes = [tensor.shape[0] for tensor in spec.inputs if tensor.shape and tensor.shape[0] >= 0]
    return sizes[0] if sizes else None


def _feed(spec: ModelSpec, rows: int, unknown: int) -> dict[str, Array]:
    return {tensor.name: _made_up(tensor, rows, unknown) for tensor in spec.inputs}


def _made_up(tensor: TensorSpec, rows: int, unknown: int) -> Array:
    shape = (rows, *(unknown if size < 0 else size for size in tensor.shape[1:]))
    if tensor.dtype == "object":
        return np.full(shape, "", dtype=object)
    return np.zeros(shape, dtype=tensor.dtype)


def _line(error: Exception | None) -> str:
    return " ".join(str(error).split())[:300]
