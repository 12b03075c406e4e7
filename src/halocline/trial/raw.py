"""Show a raw sample to people: a file, what was decoded of one, or an array."""

import os
from typing import Any

import numpy as np

from halocline.adapters.decoders import decoders
from halocline.inputs.description import ImageInput, Input, SeriesInput, SoundInput
from halocline.inputs.prepare import file_of
from halocline.records import Array
from halocline.trial.look import LARGEST_PX, Kind, Look, look_of

LONGEST_S = 30.0
"""So much of a sound is shown where its model does not say how much it hears."""
MAX_PIXELS = 40_000_000
_SOUNDS = (".wav", ".flac", ".ogg", ".aiff")
_KINDS: tuple[tuple[type[Any], Kind], ...] = (
    (ImageInput, "picture"),
    (SoundInput, "sound"),
    (SeriesInput, "series"),
)


def look_of_raw(sample: Any, told: Input | None, kind: Kind | None) -> Look:
    """One raw sample as `kind`, else as what its model takes it for, else as its shape suggests."""
    kind = kind or next((name for of, name in _KINDS if isinstance(told, of)), None)
    data = file_of(sample, decoders())
    if data is None:
        return look_of(_alone(sample), kind)
    if kind == "sound" or _is_sound(sample, data):
        seconds = told.seconds if isinstance(told, SoundInput) else LONGEST_S
        samples, _ = decoders().sound(data, seconds)
        return look_of(samples.mean(axis=1), kind or "sound")
    return look_of(_thumbnail(data), kind or "picture")


def _alone(sample: Any) -> Array:
    """The array of a sample; of a sound that came with its rate, one channel's worth of samples."""
    if isinstance(sample, tuple) and len(sample) == 2:
        samples = np.asarray(sample[0])
        return samples.mean(axis=1) if samples.ndim == 2 else samples
    return np.asarray(sample)


def _is_sound(sample: Any, data: bytes) -> bool:
    if isinstance(sample, str | os.PathLike):
        return os.fspath(sample).lower().endswith(_SOUNDS)
    return data[:4] in (b"RIFF", b"fLaC", b"OggS", b"FORM")


def _thumbnail(data: bytes) -> Array:
    picture = decoders().picture(data, MAX_PIXELS)
    width, height = picture.size
    scale = min(1.0, LARGEST_PX / max(width, height))
    return picture.pixels(max(1, round(width * scale)), max(1, round(height * scale)), "bilinear", grey=False)
