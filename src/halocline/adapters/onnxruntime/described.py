"""Take raw samples for a model whose input is described, and ready tensors by name."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from halocline.adapters.decoders import decoders
from halocline.adapters.onnxruntime.inputs import OneInput, check_names, odd_row
from halocline.errors import Rejected
from halocline.inputs.description import ArrayInput
from halocline.inputs.prepare import prepare_of
from halocline.records import Array, ModelSpec


class DescribedInput:
    """Takes the samples of a model with one input that is described.

    A mapping by input name holds the ready tensor, or the bytes of files (an object array of `bytes`, as
    OIP's BYTES arrive).
    """

    def __init__(self, spec: ModelSpec, *, allow_nan: bool) -> None:
        assert spec.input is not None
        takes = spec.inputs[0]
        self._name = takes.name
        self._model = str(spec.ref)
        self._ready = OneInput(takes, self._model, allow_nan=allow_nan)
        self._prepare = prepare_of(spec.input, decoders(), dtype=takes.dtype)
        # Plain arrays are scaled as a whole, and keep their batch axis where they have one.
        self._whole = isinstance(spec.input, ArrayInput)

    def one(self, sample: Any) -> dict[str, Array]:
        """The feed of one row."""
        if not isinstance(sample, Mapping):
            return self._ready.one(self._prepare(sample))
        given = self._given(sample)
        files = _files(given)
        if files is None:
            return self._ready.one(sample)
        if len(files) != 1:
            raise Rejected("HAL-301", f"{self._model}: {len(files)} rows where one sample is asked")
        return self._ready.one(self._prepare(files[0]))

    def many(self, batch: Any) -> dict[str, Array]:
        """The feed of a batch; an error names the row that it is about."""
        if isinstance(batch, Mapping):
            given = self._given(batch)
            files = _files(given)
            return self._ready.many(batch) if files is None else self._rows(files)
        if isinstance(batch, str | bytes | bytearray) or not isinstance(batch, Iterable):
            raise Rejected(
                "HAL-310", f"{self._model}: expected a list of raw samples, got one {type(batch).__name__}"
            )
        if self._whole and isinstance(batch, np.ndarray):
            return self._ready.many({self._name: self._prepare(batch)})
        return self._rows(batch)

    def _rows(self, samples: Iterable[Any]) -> dict[str, Array]:
        rows = []
        for at, sample in enumerate(samples):
            try:
                rows.append(self._prepare(sample))
            except Rejected as exc:
                raise Rejected(exc.code, f"row {at}: {exc.message}") from None
        if not rows:
            raise Rejected("HAL-303", f"{self._model}: the batch is empty, expected one row or more")
        if len({row.shape for row in rows}) > 1:
            raise Rejected("HAL-301", f"{self._model}: the rows differ in shape: {odd_row(rows)}")
        return self._ready.many({self._name: np.stack(rows)})

    def _given(self, named: Mapping[str, Any]) -> Any:
        check_names(named, (self._name,), self._model)
        return named[self._name]


def _files(given: Any) -> list[bytes] | None:
    """The files' bytes, where bytes and not numbers were given."""
    if isinstance(given, bytes | bytearray | memoryview):
        return [bytes(given)]
    if isinstance(given, np.ndarray) and given.dtype.kind == "S":
        raise Rejected(
            "HAL-310", "numpy's S type drops zeros at the end of files: give bytes in an array of objects"
        )
    if isinstance(given, np.ndarray) and given.dtype.kind == "O":
        given = given.ravel().tolist()
    if isinstance(given, list | tuple) and given and all(isinstance(each, bytes) for each in given):
        return list(given)
    return None
