"""Decode the beginning of a WAV (8, 16, 24, 32 bit or float; FLAC and Ogg too) to samples of full scale 1."""

import io
import re
from math import ceil

import numpy as np
import soundfile

from halocline.errors import Rejected
from halocline.inputs.header import wav_data, what
from halocline.inputs.resample import MARGIN_S
from halocline.records import Array

_FORMATS = frozenset({"WAV", "WAVEX", "RF64", "W64", "FLAC", "OGG", "AIFF"})
_MAX_CHANNELS = 64


def decode(data: bytes, seconds: float) -> tuple[Array, int]:
    """Float32 `[frames, channels]` of the first `seconds` (and a margin to resample), and the rate in Hz.

    Raises Rejected: HAL-313 for bytes that are no sound or that are cut off, HAL-314 for one without sound.
    """
    data = _with_its_length(data)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            if file.format not in _FORMATS or file.channels > _MAX_CHANNELS:
                raise Rejected(
                    "HAL-313", f"expected a WAV sound, got {file.format} with {file.channels} channels"
                )
            announced = file.frames
            wanted = min(announced, ceil((seconds + MARGIN_S) * file.samplerate))
            samples = file.read(wanted, dtype="float32", always_2d=True)
            rate_hz = int(file.samplerate)
    except (soundfile.SoundFileError, OSError, ValueError, TypeError) as exc:
        raise Rejected("HAL-313", _no_sound(data, exc)) from None
    if announced == 0:
        raise Rejected("HAL-314", "a sound that holds no samples")
    if len(samples) < wanted:
        raise Rejected(
            "HAL-313", f"a sound that is cut off: {announced} frames announced, {len(samples)} there"
        )
    return np.asarray(samples), rate_hz


def _with_its_length(data: bytes) -> bytes:
    """The bytes, with the length of a stream that was left at 0 filled in. Raises Rejected (HAL-313).

    A WAV whose end is missing is refused here: libsndfile would pass what is there for the whole.
    """
    found = wav_data(data)
    if found is None:
        return data
    if found.there < found.announced and not found.is_stream:
        raise Rejected(
            "HAL-313",
            f"a WAV sound that is cut off: its data chunk announces {found.announced} bytes, "
            f"{found.there} are there",
        )
    if found.is_stream and found.announced == 0:
        return b"".join((data[: found.start - 4], found.there.to_bytes(4, "little"), data[found.start :]))
    return data


def _no_sound(data: bytes, exc: Exception) -> str:
    if not data:
        return "it holds no bytes; expected a WAV sound"
    seen = what(data)
    if seen and not seen.endswith("sound"):
        return f"expected a WAV sound, got {seen}"
    # soundfile names bytes by the object that holds them, with its place in the memory.
    why = re.sub(r"^Error opening <[^>]*>: ", "", " ".join(str(exc).split())) or type(exc).__name__
    return f"{seen or f'{len(data)} bytes'} that cannot be decoded ({why}): is it cut off or damaged?"
