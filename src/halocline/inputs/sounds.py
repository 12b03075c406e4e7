"""Turn a sound into its tensor: mono, at one rate, of one length, as a waveform or a log-mel picture."""

from collections.abc import Callable
from functools import lru_cache
from math import ceil
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from halocline.errors import Rejected
from halocline.inputs.arrays import finished
from halocline.inputs.description import SoundInput
from halocline.inputs.resample import MARGIN_S, resample

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_FULL_SCALE = {"uint8": 128.0, "int8": 128.0, "int16": 32_768.0, "int32": 2_147_483_648.0}


def sound_rows(told: SoundInput) -> Callable[[Array, int], Array]:
    """What turns samples and their rate into one row of the tensor, without the batch axis.

    Samples are `[frames]` or `[frames, channels]`, floats of full scale 1 or whole numbers of full scale
    2^(bits - 1). What it gives raises Rejected (HAL-310, HAL-314, HAL-315).
    """
    kind, shape = np.dtype(told.dtype), told.row_shape
    time_first = told.axes.replace("1", "") == "tm"

    def row(samples: Array, rate_hz: int) -> Array:
        wave = _of_length(samples, rate_hz, told)
        if told.feature == "waveform":
            return finished(wave, told.mean, told.std, kind).reshape(shape)
        values = finished(log_mel(wave, told), told.mean, told.std, kind)
        return np.ascontiguousarray(values if time_first else values.T).reshape(shape)

    return row


def log_mel(wave: Array, told: SoundInput) -> Array:
    """Float64 `[time, mels]` of a mono sound at the told rate, before mean and std."""
    half = told.n_fft // 2
    if told.centre != "none":
        wave = np.pad(wave, half, "reflect" if told.centre == "reflect" else "constant")
    frames = np.lib.stride_tricks.sliding_window_view(wave, told.n_fft)[:: told.hop]
    spectrum = np.fft.rfft(frames * _window(told), axis=1)
    power = spectrum.real**2
    power += spectrum.imag**2
    if told.power == 1:
        np.sqrt(power, out=power)
    bands = np.maximum(mel_bands(power, told), told.floor)
    if told.log == "ln":
        return np.log(bands, out=bands)
    np.log10(bands, out=bands)
    return bands * 10.0 if told.log == "db" else bands


def mono(samples: Array) -> Array:
    """Float64 `[frames]` of full scale 1: the mean of the channels. Raises Rejected (HAL-310, HAL-314)."""
    if samples.ndim not in (1, 2) or (samples.dtype.kind != "f" and samples.dtype.name not in _FULL_SCALE):
        raise Rejected(
            "HAL-310",
            f"expected a sound as float or int16 [frames] or [frames, channels], got {samples.dtype} "
            f"{list(samples.shape)}",
        )
    if samples.ndim == 2 and samples.shape[0] < samples.shape[1]:
        raise Rejected(
            "HAL-310",
            f"expected a sound [frames, channels], got {list(samples.shape)}: it looks like channels first, "
            f"try x.T",
        )
    if samples.size == 0:
        raise Rejected("HAL-314", "the sound is empty")
    wave = samples.astype(np.float64)
    if samples.dtype.kind != "f":
        wave = (wave - 128.0 if samples.dtype == np.uint8 else wave) / _FULL_SCALE[samples.dtype.name]
    if not np.isfinite(wave).all():
        at = int(np.flatnonzero(~np.isfinite(wave).reshape(len(wave), -1).all(axis=1))[0])
        raise Rejected("HAL-315", f"the sound holds NaN or infinity, first at frame {at}")
    return wave if wave.ndim == 1 else wave.mean(axis=1)


def _of_length(samples: Array, rate_hz: int, told: SoundInput) -> Array:
    """The first seconds of the sound at the told rate, filled up with silence."""
    # What lies beyond the end shapes the last samples a little, so that a margin is resampled too.
    wave = mono(samples[: ceil((told.seconds + MARGIN_S) * rate_hz)])
    wave = resample(wave, rate_hz, told.rate_hz)[: told.samples]
    return np.pad(wave, (0, told.samples - len(wave))) if len(wave) < told.samples else wave


@lru_cache(maxsize=16)
def _window(told: SoundInput) -> Array:
    """Periodic, as a spectrum of frames needs it, in the middle of n_fft samples."""
    size = told.window_samples or told.n_fft
    turn = 2 * np.pi * np.arange(size) / size
    first = {"hann": 0.5, "hamming": 0.54, "ones": 1.0}[told.window]
    shape = first - (1 - first) * np.cos(turn)
    before = (told.n_fft - size) // 2
    return np.pad(shape, (before, told.n_fft - size - before))


def mel_bands(power: Array, told: SoundInput) -> Array:
    """`[time, mels]` of the power `[time, bins]`: triangles between points evenly spaced on the mel scale.

    Each bin lies between two of the points, on the falling side of one triangle and the rising side of the
    next. (A matrix product would do as well, and waits for its threads on a machine that is busy.)
    """
    slopes = _slopes(told)
    bins = slice(slopes.first, slopes.last)
    rising, falling = (np.zeros((len(power), told.mels + 1)) for _ in range(2))
    if slopes.starts.size:
        rising[:, slopes.hold] = np.add.reduceat(power[:, bins] * slopes.rising, slopes.starts, axis=1)
        falling[:, slopes.hold] = np.add.reduceat(power[:, bins] * slopes.falling, slopes.starts, axis=1)
    bands: Array = rising[:, :-1] + falling[:, 1:]
    return bands


class _Slopes(NamedTuple):
    """Bins `first` to `last` count; those between two points begin at `starts`, for the points in `hold`."""

    first: int
    last: int
    starts: Array
    hold: Array
    rising: Array
    falling: Array


@lru_cache(maxsize=16)
def _slopes(told: SoundInput) -> _Slopes:
    hz = np.arange(told.n_fft // 2 + 1) * (told.rate_hz / told.n_fft)
    low, high = (_to_mel(np.array(each), told.mel_scale) for each in (told.low_hz, told.top_hz))
    points = _to_hz(np.linspace(low, high, told.mels + 2), told.mel_scale)
    starts = np.searchsorted(hz, points)
    first, last = int(starts[0]), int(starts[-1])
    hold = np.flatnonzero(np.diff(starts))
    between = np.repeat(np.arange(told.mels + 1), np.diff(starts))
    share = (hz[first:last] - points[between]) / (points[between + 1] - points[between])
    height = np.ones(told.mels + 2)  # of the triangle before the first, all of them, and after the last
    if told.mel_norm == "slaney":  # equal area
        height[1:-1] = 2.0 / (points[2:] - points[:-2])
    rising, falling = share * height[between + 1], (1 - share) * height[between]
    return _Slopes(first, last, starts[hold] - first, hold, rising, falling)


# Slaney's Auditory Toolbox (1998): straight up to 1 kHz, then 27 steps for each factor of 6.4.
_STRAIGHT_HZ, _KNEE_HZ = 200.0 / 3, 1000.0
_KNEE, _STEP = _KNEE_HZ / _STRAIGHT_HZ, np.log(6.4) / 27


def _to_mel(hz: Array, scale: str) -> Array:
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hz / 700.0)
    above = np.maximum(hz, _KNEE_HZ)
    return np.where(hz < _KNEE_HZ, hz / _STRAIGHT_HZ, _KNEE + np.log(above / _KNEE_HZ) / _STEP)


def _to_hz(mel: Array, scale: str) -> Array:
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    return np.where(mel < _KNEE, mel * _STRAIGHT_HZ, _KNEE_HZ * np.exp(_STEP * (mel - _KNEE)))
