"""Bring a sound to another sampling rate: a polyphase filter with a windowed sinc.

The filter is the ideal low pass at 0.955 of the lower of the two Nyquist rates, 64 of its zero crossings on
each side, under a Kaiser window with beta 9 (J. O. Smith, "Digital Audio Resampling", 2002). Below 0.9 of
that rate it changes a tone by less than 0.001 dB, and what would fold back is at least 90 dB down.
"""

from functools import lru_cache
from math import gcd
from typing import Any, TypeAlias

import numpy as np

from halocline.errors import Rejected

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

CROSSINGS = 64
BETA = 9.0
ROLL_OFF = 0.955
MOST_WEIGHTS, KEPT_WEIGHTS = 1 << 23, 1 << 18
"""A filter of more weights (64 MiB) is not made, and one above 2 MiB is not kept for the next sound."""
MARGIN_S = 0.1
"""So much beyond a moment is as good as everything beyond it, for rates from 700 Hz up."""


def resample(wave: Array, rate_hz: int, wanted_hz: int) -> Array:
    """Float64 `[ceil(frames * wanted / rate)]` of float64 `[frames]`; beyond its ends there is silence.

    Raises Rejected (HAL-310) where the two rates have too little in common.
    """
    if rate_hz == wanted_hz:
        return wave
    common = gcd(rate_hz, wanted_hz)
    up, down = wanted_hz // common, rate_hz // common
    weights = 2 * up * (_width(up, down) + 1)
    if weights > MOST_WEIGHTS:
        raise Rejected(
            "HAL-310",
            f"a sound at {rate_hz} Hz cannot be brought to {wanted_hz} Hz: they have too little in common. "
            f"Save it at a usual rate, such as 8000, 16000, 22050, 44100 or 48000 Hz",
        )
    taps, reach = (_kept if weights <= KEPT_WEIGHTS else _phases)(up, down)
    count = -(-len(wave) * up // down)
    padded = np.pad(wave, (reach, reach + down))
    seen = np.lib.stride_tricks.sliding_window_view(padded, taps.shape[1])
    out = np.empty(count)
    for phase in range(min(up, count)):
        # Outputs phase, phase + up, … lie at the same place between two inputs, `down` inputs apart.
        start, kind = divmod(phase * down, up)
        out[phase::up] = seen[start::down][: -(-(count - phase) // up)] @ taps[kind]
    return out


def _width(up: int, down: int) -> float:
    """How many inputs the filter reaches to either side."""
    return CROSSINGS / (ROLL_OFF * min(1.0, up / down))


def _phases(up: int, down: int) -> tuple[Array, int]:
    """The weights `[up, taps]` of the inputs around each place between two of them, and their reach."""
    cutoff = ROLL_OFF * min(1.0, up / down)  # of the input's Nyquist rate
    width = _width(up, down)
    reach = int(np.ceil(width))
    offset = np.arange(-reach, reach + 1) - np.arange(up)[:, None] / up
    inside = np.clip(1 - (offset / width) ** 2, 0, None)
    window = np.where(np.abs(offset) <= width, np.i0(BETA * np.sqrt(inside)) / np.i0(BETA), 0.0)
    return cutoff * np.sinc(cutoff * offset) * window, reach


_kept = lru_cache(maxsize=16)(_phases)
