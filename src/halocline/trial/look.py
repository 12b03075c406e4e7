"""Show one row to people: as a picture, a spectrogram, lines, or its values."""

from typing import Literal, TypeAlias, get_args

import msgspec
import numpy as np

from halocline.errors import Misconfigured
from halocline.records import Array
from halocline.trial.png import png_of

Kind: TypeAlias = Literal["picture", "sound", "series", "values"]

LARGEST_PX = 112
MOST_POINTS = 160
MOST_LINES = 6
MOST_VALUES = 12
FEWEST_SIDE = 8
WINDOW = 256
"""Samples of one column of a spectrogram."""
FLOOR_DB = -60.0
FLAT = 0.2
"""A line that moves over less of the height than this shows nothing."""


class Picture(msgspec.Struct, frozen=True, tag=True):
    """A PNG; `is_sound` where it is a spectrogram, low notes at the bottom."""

    png: bytes
    width: int
    height: int
    is_sound: bool = False


class Lines(msgspec.Struct, frozen=True, tag=True):
    """One line a column, in 0 to 1 between the row's lowest and highest value, which are `low` and `high`.

    With `has_own_scales` each line is between its own: columns of other units would lie flat.
    """

    lines: tuple[tuple[float, ...], ...]
    low: float
    high: float
    has_own_scales: bool = False


class Values(msgspec.Struct, frozen=True, tag=True):
    """The first values of a row of `count`."""

    values: tuple[float, ...]
    count: int


Look: TypeAlias = Picture | Lines | Values


def check_kind(kind: str | None) -> Kind | None:
    """The kind of that name. Raises Misconfigured (HAL-341)."""
    known: tuple[Kind, ...] = get_args(Kind)
    if kind is None:
        return None
    for each in known:
        if kind == each:
            return each
    raise Misconfigured("HAL-341", f"show must be one of {', '.join(known)}, got {kind!r}")


def look_of(row: Array, kind: Kind | None = None) -> Look:
    """One row without its batch axis, as `kind`, else as its shape suggests."""
    row = np.asarray(row)
    if row.dtype.kind not in "fiub":
        return Values((), int(row.size))
    row = np.nan_to_num(row.astype(np.float64))
    kind = kind or _likely(row.shape)
    if kind == "picture" and (pixels := _as_picture(row)) is not None:
        return _picture(pixels)
    if kind == "sound":
        return _sound(row)
    if kind == "values" or row.size < 2:
        return Values(tuple(float(each) for each in row.ravel()[:MOST_VALUES]), int(row.size))
    return _lines(row)


def _likely(shape: tuple[int, ...]) -> Kind:
    """What a row of that shape is most often. A flat picture looks like a series: that must be said."""
    large = [size for size in shape if size > 1]
    if len(large) <= 1:
        return "values" if sum(large) <= MOST_VALUES else "series"
    return "picture" if _picture_axes(shape) else "series"


def _picture_axes(shape: tuple[int, ...]) -> bool:
    if len(shape) == 3 and 1 in shape[:1] + shape[2:]:
        shape = tuple(size for size in shape if size > 1)
    if len(shape) == 2:
        return min(shape) >= FEWEST_SIDE
    return len(shape) == 3 and 3 in (shape[0], shape[2]) and sorted(shape)[1] >= FEWEST_SIDE


def _as_picture(row: Array) -> Array | None:
    """`[height, width]` or `[height, width, 3]`; a flat row of a square picture is squared."""
    row = row.squeeze()
    if row.ndim == 3 and row.shape[0] == 3:
        row = row.transpose(1, 2, 0)
    if row.ndim == 1:
        side = round(row.size**0.5)
        return row.reshape(side, side) if side * side == row.size and side > 1 else None
    return row if row.ndim == 2 or (row.ndim == 3 and row.shape[2] == 3) else None


def _picture(pixels: Array, *, is_sound: bool = False) -> Picture:
    if pixels.dtype != np.uint8:
        pixels = (_unit(pixels)[0] * 255).round().astype(np.uint8)
    step = max(1, -(-max(pixels.shape[:2]) // LARGEST_PX))
    small = pixels[::step, ::step]
    return Picture(png_of(small), small.shape[1], small.shape[0], is_sound)


def _sound(row: Array) -> Look:
    wave = row.reshape(-1)
    if wave.size < 2 * WINDOW:
        return _lines(wave)
    hop = max(1, (wave.size - WINDOW) // LARGEST_PX)
    starts = np.arange(0, wave.size - WINDOW + 1, hop)[:LARGEST_PX]
    frames = wave[starts[:, None] + np.arange(WINDOW)] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    level = 10 * np.log10(power / max(power.max(), 1e-30) + 1e-30)
    unit = np.clip(1 - level / FLOOR_DB, 0, 1)
    return _picture(_coloured(unit.T[::-1]), is_sound=True)


def _coloured(unit: Array) -> Array:
    """Dark blue over teal to yellow: rises in brightness, so that the colour-blind read it too."""
    at = [0.0, 0.35, 0.7, 1.0]
    stops = np.asarray([[13, 18, 48], [30, 92, 120], [66, 176, 130], [250, 232, 90]], dtype=np.float64)
    return np.stack([np.interp(unit, at, stops[:, c]) for c in range(3)], axis=-1).round().astype(np.uint8)


def _lines(row: Array) -> Lines:
    """Columns over time; the shorter axis of two holds the columns, as it does in most data."""
    table = row.reshape(row.shape[0], -1) if row.ndim > 1 else row[:, None]
    if table.shape[1] > table.shape[0]:
        table = table.T
    step = max(1, -(-len(table) // MOST_POINTS))
    table = table[::step, :MOST_LINES]
    unit, low, high = _unit(table)
    spreads = np.ptp(unit, axis=0)
    has_own_scales = bool(len(spreads) > 1 and spreads.min() < FLAT)
    if has_own_scales:
        unit = np.stack([_unit(column)[0] for column in table.T], axis=1)
    lines = tuple(tuple(round(float(v), 3) for v in line) for line in unit.T)
    return Lines(lines, low, high, has_own_scales)


def _unit(values: Array) -> tuple[Array, float, float]:
    """The values between 0 and 1, and what these stand for; all 0 where all are alike."""
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low or 1.0), low, high
