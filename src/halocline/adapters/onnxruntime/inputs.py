"""Check a sample against what the model takes, before the run, and say what to do where it does not fit."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from halocline.adapters.onnxruntime.names import near_names
from halocline.errors import Rejected
from halocline.ports import Feed
from halocline.records import Array, ModelSpec, TensorSpec, fits

_ARRAY = np.ndarray
_FILES = "Files and their bytes are for a model with a described input: halocline model inspect proposes one"


class Intake(Protocol):
    """Makes feeds of what a caller gives; raises Rejected where it does not fit."""

    def one(self, sample: Any) -> dict[str, Array]:
        """The feed of one row."""

    def many(self, batch: Any) -> dict[str, Array]:
        """The feed of a batch."""


def intake_of(spec: ModelSpec, *, allow_nan: bool) -> Intake:
    """What checks, and prepares, the samples of a model that takes this."""
    name = str(spec.ref)
    if spec.input is not None:
        from halocline.inputs.description import ArrayInput  # a bare model needs none

        if not (isinstance(spec.input, ArrayInput) and spec.input.is_idle):
            from halocline.adapters.onnxruntime.described import DescribedInput

            return DescribedInput(spec, allow_nan=allow_nan)
    if len(spec.inputs) == 1:
        return OneInput(spec.inputs[0], name, allow_nan=allow_nan)
    return SeveralInputs(spec.inputs, name, allow_nan=allow_nan)


class OneInput:
    """Takes the samples of a model with one input."""

    def __init__(self, spec: TensorSpec, model: str, *, allow_nan: bool) -> None:
        self.tensor = Tensor(spec, model, allow_nan=allow_nan)
        self._name = spec.name
        # Strings always take the long way: only it looks at what the objects are.
        self._dtype = None if self.tensor.dtype.kind == "O" else self.tensor.dtype
        self._checks_nan = self.tensor.checks_nan
        # The shapes accepted last, with and without the batch axis: all there is to check for the next.
        self._row_shape: tuple[int, ...] | None = None
        self._one_shape: tuple[int, ...] | None = None

    def one(self, sample: Array | Feed) -> dict[str, Array]:
        """The feed of one row."""
        if type(sample) is _ARRAY and sample.dtype is self._dtype:
            shape = sample.shape
            if shape == self._row_shape:
                batch = sample[None]
            elif shape == self._one_shape:
                batch = sample
            else:
                return self._learn(sample)
            if self._checks_nan:
                # has_nan(), spelt out: a call costs as much as the check.
                least = sample.item(sample.argmin())
                if least != least:
                    self.tensor.refuse_nan(sample)
            return {self._name: batch}
        return self._learn(sample)

    def many(self, batch: Array | Feed) -> dict[str, Array]:
        """The feed of a batch."""
        return {self._name: self.tensor.many(self._sole(batch))}

    def _learn(self, sample: Array | Feed) -> dict[str, Array]:
        batch = self.tensor.one(self._sole(sample))
        self._row_shape, self._one_shape = batch.shape[1:], batch.shape
        return {self._name: batch}

    def _sole(self, sample: Array | Feed) -> Any:
        if isinstance(sample, Mapping):
            check_names(sample, (self._name,), self.tensor.model)
            return sample[self._name]
        return sample


class SeveralInputs:
    """Takes the samples of a model with several inputs: a mapping from input name to array."""

    def __init__(self, specs: tuple[TensorSpec, ...], model: str, *, allow_nan: bool) -> None:
        self._model = model
        self._tensors = {spec.name: Tensor(spec, model, allow_nan=allow_nan) for spec in specs}

    def one(self, sample: Array | Feed) -> dict[str, Array]:
        """The feed of one row."""
        named = self._named(sample)
        return {name: tensor.one(named[name]) for name, tensor in self._tensors.items()}

    def many(self, batch: Array | Feed) -> dict[str, Array]:
        """The feed of a batch."""
        named = self._named(batch)
        feed = {name: tensor.many(named[name]) for name, tensor in self._tensors.items()}
        counts = {name: len(array) for name, array in feed.items()}
        if len(set(counts.values())) > 1:
            seen = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise Rejected("HAL-301", f"{self._model}: the inputs differ in their number of rows: {seen}")
        return feed

    def _named(self, sample: Array | Feed) -> Feed:
        names = tuple(self._tensors)
        if not isinstance(sample, Mapping):
            raise Rejected(
                "HAL-301",
                f"{self._model} takes {len(names)} inputs ({', '.join(names)}), got one {_kind(sample)}. "
                f"Give a mapping: {{{', '.join(f'{name!r}: …' for name in names)}}}",
            )
        check_names(sample, names, self._model)
        return sample


def check_names(given: Feed, names: tuple[str, ...], model: str) -> None:
    """Raise Rejected (HAL-301) unless the mapping holds exactly the model's inputs."""
    extra = [name for name in given if name not in names]
    missing = [name for name in names if name not in given]
    if not extra and not missing:
        return
    parts = [f"{name!r} is missing" for name in missing]
    for name in extra:
        near = near_names(str(name).lower(), [each.lower() for each in missing], 0.5)
        meant = [each for each in missing if each.lower() in near]
        parts.append(f"{name!r} is not an input" + (f" (did you mean {meant[0]!r}?)" if meant else ""))
    raise Rejected("HAL-301", f"{model} takes the inputs {', '.join(names)}: {', '.join(parts)}")


class Tensor:
    """The whole check of one input; the errors of it say what was expected, what came, and what to try."""

    def __init__(self, spec: TensorSpec, model: str, *, allow_nan: bool) -> None:
        self.model = model
        self.dtype = np.dtype(spec.dtype)
        self.checks_nan = self.dtype.kind in "fc" and not allow_nan
        self._spec = spec
        self._row = spec.shape[1:]
        self._rows = spec.shape[0] if spec.shape else -1

    def one(self, sample: Any) -> Array:
        """The sample with its batch axis of one."""
        array = self._array(sample)
        rank = len(self._row)
        if array.ndim == rank and fits(array.shape, self._row):
            array = array[None]
        elif array.ndim == 0 and all(size in (1, -1) for size in self._row):
            array = array.reshape((1,) * (rank + 1))
        elif array.ndim != rank + 1 or not fits(array.shape[1:], self._row):
            raise self._wrong_shape(array)
        elif len(array) != 1:
            if len(array) == 0:
                raise self._empty()
            raise self._wrong(
                "HAL-301", array, f"that is {len(array)} rows where one sample is asked: call infer_batch"
            )
        self._check_rows(array)
        if array.size == 0:
            raise self._wrong("HAL-303", array, "it holds no values")
        self.refuse_nan(array)
        return array

    def many(self, batch: Any) -> Array:
        """The batch, of one row or more."""
        array = self._array(batch)
        rank = len(self._row)
        if array.ndim >= 1 and len(array) == 0:
            raise self._empty()
        if array.ndim == rank and rank and fits(array.shape, self._row):
            raise self._wrong(
                "HAL-301", array, "that is one sample without the batch axis: call infer, or give x[None]"
            )
        if array.ndim != rank + 1 or not fits(array.shape[1:], self._row):
            raise self._wrong_shape(array)
        self._check_rows(array)
        if array.size == 0:
            raise self._wrong("HAL-303", array, "it holds no values")
        self.refuse_nan(array)
        return array

    def refuse_nan(self, array: Array) -> None:
        """Raise Rejected (HAL-303) where NaN is in the array, unless NaN is allowed."""
        if self.checks_nan and has_nan(array):
            where = tuple(int(at) for at in np.argwhere(np.isnan(array))[0])
            raise Rejected(
                "HAL-303",
                f"{self._place} holds NaN (first at index {where}, {int(np.isnan(array).sum())} in all). "
                f"Drop or fill it before the call, or load the model with allow_nan=True",
            )

    @property
    def _place(self) -> str:
        return f"the input {self._spec.name!r} of {self.model}"

    def _array(self, sample: Any) -> Array:
        if isinstance(sample, _ARRAY):
            array: Array = sample
        elif isinstance(sample, list | tuple | int | float | bool | str | bytes | np.generic):
            return self._converted(sample)
        else:
            array = np.asarray(sample)
        if self.dtype.kind == "O":
            return self._strings(array, sample)
        if array.dtype != self.dtype:
            raise self._wrong_dtype(array, sample)
        return array.astype(self.dtype, copy=False)

    def _converted(self, sample: Any) -> Array:
        """A list or number in the model's dtype, where no value changes by it (rounding apart)."""
        try:
            array = np.asarray(sample)
        except ValueError:
            raise Rejected(
                "HAL-301", f"{self._place}: the lists inside are not of one length: {odd_row(sample)}"
            ) from None
        if self.dtype.kind == "O":
            return self._strings(array, sample)
        if array.dtype.kind not in "biuf" or self.dtype.kind not in "biuf":
            raise self._wrong_dtype(array, sample)
        with np.errstate(all="ignore"):
            converted: Array = array.astype(self.dtype)
            changed = self.dtype.kind in "biu" and not np.array_equal(converted, array)
        if changed:
            raise self._wrong("HAL-302", array, f"its values do not fit {self.dtype.name}")
        return converted

    def _strings(self, array: Array, sample: Any) -> Array:
        """An array of str; bytes are UTF-8 (the runtime would take them as the text "b'…'")."""
        if array.dtype.kind not in "USO":
            raise self._wrong_dtype(array, sample)
        try:
            texts = [each.decode() if isinstance(each, bytes) else each for each in array.ravel().tolist()]
        except UnicodeDecodeError:
            raise self._wrong("HAL-302", array, "its bytes are not UTF-8 text") from None
        wrong = next((each for each in texts if not isinstance(each, str)), None)
        if wrong is not None or None in texts:
            raise self._wrong("HAL-302", array, f"it holds a {_kind(wrong)}, expected str")
        strings = np.empty(len(texts), object)
        strings[:] = texts
        return strings.reshape(array.shape)

    def _check_rows(self, array: Array) -> None:
        if self._rows > 0 and len(array) != self._rows:
            raise self._wrong(
                "HAL-301",
                array,
                f"the model was exported for {self._rows} rows a call, no more and no less: export it with a "
                f"dynamic batch axis" + ("" if self._rows > 1 else ", or call infer row by row"),
            )

    def _empty(self) -> Rejected:
        return Rejected("HAL-303", f"{self._place}: the batch is empty, expected one row or more")

    def _wrong_dtype(self, array: Array, sample: Any) -> Rejected:
        if array.dtype.kind == "O" and self.dtype.kind != "O":
            about = f". {_FILES}" if isinstance(sample, os.PathLike) else ""
            return self._wrong("HAL-302", array, f"a {_kind(sample)} is not an array of numbers{about}")
        if self.dtype.kind == "O":
            return self._wrong("HAL-302", array, "the model takes strings: x.astype(str)")
        if array.dtype.kind in "US":
            return self._wrong("HAL-302", array, f"strings are not numbers. {_FILES}")
        name = self.dtype.name
        turn = self._transposed(array.shape)
        if array.dtype == np.uint8 and self.dtype.kind == "f":
            call = f"x.astype({name!r}) / 255" + (f", then {turn}" if turn else "")
            return self._wrong("HAL-302", array, f"try {call} (or without / 255 if it was trained on 0..255)")
        return self._wrong("HAL-302", array, f"try x.astype({name!r})" + (f", then {turn}" if turn else ""))

    def _wrong_shape(self, array: Array) -> Rejected:
        row, shape = self._row, array.shape
        if array.ndim == len(row) + 2 and shape[0] == 1 and fits(shape[2:], row):
            return self._wrong("HAL-301", array, "there is an axis too many: try x[0]")
        if turn := self._transposed(shape):
            seen, takes = ("channels last", "first") if shape[-1] < shape[-2] else ("channels first", "last")
            return self._wrong(
                "HAL-301", array, f"it looks like {seen}, the model takes them {takes}: try {turn}"
            )
        if array.size and -1 not in row and array.size == math.prod(row):
            return self._wrong("HAL-301", array, f"the number of values is right: try x.reshape({row})")
        if array.ndim == len(row) - 1 and fits(shape, row[1:]) and row[0] in (1, -1):
            return self._wrong("HAL-301", array, "an axis is missing: try x[None]")
        if array.ndim == len(row) - 1 and fits(shape, row[:-1]) and row[-1] in (1, -1):
            return self._wrong("HAL-301", array, "an axis is missing: try x[..., None]")
        if array.ndim in (len(row), len(row) + 1):
            last = shape[-len(row) :] if row else ()
            wrong = next((at for at, (a, b) in enumerate(zip(last, row, strict=True)) if b not in (-1, a)), 0)
            return self._wrong(
                "HAL-301", array, f"axis {wrong - len(row)} is {last[wrong]}, expected {row[wrong]}"
            )
        return self._wrong(
            "HAL-301", array, "resize or reshape it; the batch axis may be left out for one sample"
        )

    def _transposed(self, shape: tuple[int, ...]) -> str:
        """The transpose that turns a picture's channel axis to where the model has it; "" where none does."""
        row = self._row
        if len(row) != 3 or len(shape) not in (3, 4):
            return ""
        picture = shape[-3:]
        if fits(picture, row):
            return ""
        for order in ((2, 0, 1), (1, 2, 0)):
            if fits(tuple(picture[at] for at in order), row):
                axes = order if len(shape) == 3 else (0, *(at + 1 for at in order))
                return f"x.transpose({', '.join(map(str, axes))})"
        return ""

    def _wrong(self, code: str, array: Array, advice: str) -> Rejected:
        seen = f"{_dtype_name(array.dtype)} {list(array.shape)}"
        return Rejected(code, f"{self._place} expects {show(self._spec)}, got {seen}: {advice}")


def odd_row(rows: Sequence[Any]) -> str:
    """Which row has another shape than the first, for a message."""
    for at, row in enumerate(rows):
        if _shape(row) != _shape(rows[0]):
            return f"row {at} has the shape {_shape(row)}, row 0 has {_shape(rows[0])}"
    return "each row is uneven by itself"


def _shape(row: Any) -> list[int]:
    try:
        return list(np.shape(row))
    except ValueError:
        return [len(row), -1]


def has_nan(array: Array) -> bool:
    """Whether NaN is in a float array of one value or more."""
    # NaN is the least value to argmin. For 768 floats .3 us, isnan().any() 1.2, min() .9; a dot product with
    # itself is as fast and warns of overflow (measured 2026-11).
    least = array.item(array.argmin())
    return bool(least != least)


def show(spec: TensorSpec) -> str:
    """A tensor as people read it: float32 [N, 3, 16, 16]."""
    sizes = ["?" if size < 0 else str(size) for size in spec.shape]
    if sizes and spec.shape[0] < 0:
        sizes[0] = "N"
    return f"{'string' if spec.dtype == 'object' else spec.dtype} [{', '.join(sizes)}]"


def _kind(sample: Any) -> str:
    return type(sample).__name__


def _dtype_name(dtype: np.dtype[Any]) -> str:
    if dtype.kind in "US":
        return "string"
    return dtype.name if dtype.isnative else f"{dtype.name} in foreign byte order"
