"""Decide which raw samples a served model takes, as bytes of a file, and whether so many fit in memory."""

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from halocline.errors import Rejected
from halocline.inputs.description import ImageInput, SoundInput
from halocline.inputs.header import what
from halocline.records import Array, ModelSpec

MEDIA_TYPES: Final[Mapping[type, tuple[str, ...]]] = {
    ImageInput: ("image/jpeg", "image/png"),
    SoundInput: ("audio/wav",),
}
"""What a plain body may be, by what the model's input means."""

ALIASES: Final[Mapping[str, str]] = {
    "image/jpg": "image/jpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
}
"""Names in use for the same."""

_KINDS: Final[Mapping[str, str]] = {
    "a JPEG picture": "image/jpeg",
    "a PNG picture": "image/png",
    "a WAV sound": "audio/wav",
}


def check_rows(rows: int, limit: int) -> None:
    """Raise Rejected (HAL-504) where a request has more rows than the limit."""
    if rows > limit:
        raise Rejected("HAL-504", f"the request has {rows} rows, the limit is {limit}. Send fewer at once")


def raw_samples_of(spec: ModelSpec) -> "RawSamples | None":
    """The raw samples that the model takes; None for one whose input is no picture or sound."""
    return RawSamples(spec) if isinstance(spec.input, ImageInput | SoundInput) else None


class RawSamples:
    """The raw samples of one served model."""

    def __init__(self, spec: ModelSpec) -> None:
        assert isinstance(spec.input, ImageInput | SoundInput)
        self._name = spec.inputs[0].name
        self._where = f"{spec.ref}: input {self._name!r} as BYTES"
        self._row_bytes = math.prod(spec.input.row_shape) * np.dtype(spec.inputs[0].dtype).itemsize
        self.media_types = MEDIA_TYPES[type(spec.input)]
        """The kinds of plain bodies that the model takes."""

    def media_type_of(self, body: bytes) -> tuple[str, str] | None:
        """What a body is by its first bytes, and as which kind it is taken; None where it is not."""
        seen = what(body)
        kind = _KINDS.get(seen)
        return (seen, kind) if kind in self.media_types else None

    def feed(self, body: bytes) -> dict[str, Array]:
        """One raw sample as the tensor of bytes in which it would stand in a request."""
        array = np.empty(1, dtype=np.object_)
        array[0] = body
        return {self._name: array}

    def of(self, feed: Mapping[str, Array], max_rows: int) -> list[bytes] | None:
        """The raw samples in a request; None where it holds tensors.

        Raises Rejected (HAL-301, HAL-303, HAL-504): they are not [N], there are none, or too many.
        """
        array = feed.get(self._name)
        if array is None and any(each.dtype.kind == "O" for each in feed.values()):
            raise Rejected("HAL-301", f"{self._where}: {self._name!r} is missing; there is {', '.join(feed)}")
        if array is None or array.dtype.kind != "O" or len(feed) > 1:
            return None
        if array.ndim != 1:
            raise Rejected(
                "HAL-301", f"{self._where} must be one sample a row, shape [N], got {list(array.shape)}"
            )
        if not array.size:
            raise Rejected("HAL-303", f"{self._where} holds no sample")
        check_rows(array.size, max_rows)
        return list(array)

    def tensor_bytes(self, rows: int) -> int:
        """What the tensors of so many samples take."""
        return rows * self._row_bytes
