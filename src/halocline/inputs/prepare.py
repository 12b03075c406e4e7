"""Turn a raw sample, as the world gives it, into one row of the tensor that the model takes."""

import os
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np

from halocline.errors import Rejected
from halocline.inputs.arrays import array_rows, as_array
from halocline.inputs.description import ArrayInput, ImageInput, Input, SeriesInput, SoundInput
from halocline.inputs.pictures import Picture, Pixels, picture_rows
from halocline.inputs.placement import Placement, placed
from halocline.inputs.resize import Resize, resize
from halocline.inputs.series import series_rows
from halocline.inputs.sounds import sound_rows

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Prepare: TypeAlias = Callable[[Any], Array]
Made = TypeVar("Made")


class Decoders(NamedTuple):
    """What reads files and decodes bytes; each raises Rejected where it cannot."""

    read: Callable[[str | os.PathLike[str]], bytes]
    """The bytes of a file."""
    picture: Callable[[bytes, int], Picture]
    """A JPEG or PNG, and the most pixels that it may have."""
    sound: Callable[[bytes, float], tuple[Array, int]]
    """A WAV, and how many seconds of it are wanted: float32 `[frames, channels]` and its rate in Hz."""
    resize: Resize = resize
    """As `inputs.resize.resize`, to the bit, and perhaps faster."""


def prepare_of(told: Input, decoders: Decoders, *, dtype: str = "float32") -> Prepare:
    """What turns a raw sample into one row of the tensor, without the batch axis.

    A raw sample is the bytes of a file (JPEG, PNG, WAV), a path, or what is decoded already: pixels; sound
    as samples or `(samples, rate_hz)`; rows of a series; an array. `dtype` is the model's own, which an
    ArrayInput may leave open. What it gives raises Rejected (HAL-310 … HAL-316).
    """
    match told:
        case ImageInput():
            from_picture = picture_rows(told)
            return _naming_files(lambda sample: from_picture(_picture(sample, told, decoders)))
        case SoundInput():
            from_sound = sound_rows(told)
            return _naming_files(lambda sample: from_sound(*_sound(sample, told, decoders)))
        case SeriesInput():
            return series_rows(told)
        case ArrayInput():
            return array_rows(told, dtype)


def placement_of(sample: Any, told: ImageInput, decoders: Decoders) -> Placement:
    """Where that raw picture comes to lie in the tensor; its header is read, nothing is decoded."""
    return _naming_files(lambda raw: placed(told, _picture(raw, told, decoders).size))(sample)


def file_of(sample: Any, decoders: Decoders) -> bytes | None:
    """The bytes of the file that the sample is, or None where it is decoded already."""
    return _naming_files(lambda raw: _data_of(raw, decoders))(sample)


def _data_of(sample: Any, decoders: Decoders) -> bytes | None:
    if isinstance(sample, str | os.PathLike):
        return decoders.read(sample)
    return bytes(sample) if isinstance(sample, bytes | bytearray | memoryview) else None


def _naming_files(step: Callable[[Any], Made]) -> Callable[[Any], Made]:
    """The step, whose errors name the file where the sample is a path."""

    def named(sample: Any) -> Made:
        try:
            return step(sample)
        except Rejected as exc:
            if isinstance(sample, str | os.PathLike):
                raise Rejected(exc.code, f"{os.fspath(sample)}: {exc.message}") from None
            raise

    return named


def _picture(sample: Any, told: ImageInput, decoders: Decoders) -> Picture:
    data = _data_of(sample, decoders)
    if data is not None:
        return decoders.picture(data, told.max_pixels)
    return Pixels(as_array(sample, "a picture: a path, bytes of JPEG or PNG, or pixels"), decoders.resize)


def _sound(sample: Any, told: SoundInput, decoders: Decoders) -> tuple[Array, int]:
    data = _data_of(sample, decoders)
    if data is not None:
        return decoders.sound(data, told.seconds)
    samples, rate_hz = sample if isinstance(sample, tuple) and len(sample) == 2 else (sample, told.rate_hz)
    if isinstance(rate_hz, bool) or not isinstance(rate_hz, int | np.integer) or rate_hz < 1:
        raise Rejected("HAL-310", f"expected (samples, rate_hz) with a whole rate, got the rate {rate_hz!r}")
    return as_array(samples, "a sound: a path, bytes of WAV, samples, or (samples, rate_hz)"), int(rate_hz)
