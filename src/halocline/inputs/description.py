"""Say what a model's input means: a picture, a sound, a series or a plain array, and how it becomes a tensor.

Defaults are part of the format: they do not change, because a digest names only what differs from them.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from halocline.errors import Misconfigured

Fit = Literal["stretch", "crop", "pad"]
Filter = Literal["bilinear", "bicubic", "nearest"]
Colour = Literal["rgb", "bgr", "grey"]
DType = Literal["float16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64", "uint16", "bool"]
FloatType = Literal["float32", "float16", "float64"]
Missing = Literal["refuse", "hold", "interpolate", "mean"]

_MOST = 1 << 24
"""No side, count or window of an input is larger: such a number is a slip."""


class ImageInput(
    msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, tag_field="kind", tag="image"
):
    """A picture. Its bytes or uint8 pixels `[rows, columns]` or `[rows, columns, 3]` (RGB) become a tensor.

    Steps, in order: turned upright by its EXIF tag, alpha dropped, `grey` by ITU-R 601 where asked for;
    resized with antialiasing (`filter`) and fitted: `stretch` to width x height; `crop` so that the shorter
    side is `shorter_side` (None: so that the tensor is just covered) and the centre is cut out; `pad` so
    that all of it is seen, centred on `fill`; then `value * scale`, less `mean`, over `std`. `mean` and
    `std` are in the order of `colour`, one for all or one for each channel, in units after `scale`.
    A picture of more than `max_pixels` is refused before it is decoded.
    """

    width: int
    height: int
    fit: Fit = "stretch"
    shorter_side: int | None = None
    filter: Filter = "bilinear"
    colour: Colour = "rgb"
    layout: Literal["chw", "hwc", "hw"] = "chw"
    dtype: DType = "float32"
    scale: float = 1 / 255
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    fill: int = 114
    max_pixels: int = 40_000_000

    def __post_init__(self) -> None:
        _normal(self, "mean", "std")
        for name in ("width", "height", "max_pixels"):
            _whole(name, getattr(self, name), 1, 1 << 40 if name == "max_pixels" else _MOST)
        _whole("fill", self.fill, 0, 255)
        _among(self, fit=Fit, filter=Filter, colour=Colour, layout=Literal["chw", "hwc", "hw"], dtype=DType)
        if self.shorter_side is not None:
            if self.fit != "crop":
                raise _wrong(f"shorter_side belongs to fit = 'crop', and fit is {self.fit!r}")
            _whole("shorter_side", self.shorter_side, max(self.width, self.height), _MOST)
        if self.layout == "hw" and self.colour != "grey":
            raise _wrong(f"layout 'hw' has no channels, and colour is {self.colour!r}: use 'grey', or 'chw'")
        _scaled(self, channels=self.channels)
        if self.mean and max(self.mean) > 255 * self.scale * (1 + 1e-6) > 0:
            raise _wrong(
                f"mean {max(self.mean):g} lies beyond the largest value, 255 * scale = {255 * self.scale:g}: "
                "try scale = 1, or mean / 255 (and std alike)"
            )
        if self.dtype not in _FLOATS and self.scale < 0.5 and not self.std:
            raise _wrong(
                f"dtype {self.dtype} with scale {self.scale:.4g} leaves little but 0 and 1: scale = 1"
            )

    @property
    def channels(self) -> int:
        """1 for grey, else 3."""
        return 1 if self.colour == "grey" else 3

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of one row of the tensor."""
        sizes = {"c": self.channels, "h": self.height, "w": self.width}
        return tuple(sizes[axis] for axis in self.layout)


class SoundInput(
    msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, tag_field="kind", tag="sound"
):
    """A sound. Its bytes, or `(samples, rate_hz)`, or samples at `rate_hz` alone, become a tensor.

    Steps, in order: the mean of the channels; resampled to `rate_hz`; the first `seconds`, filled up with
    silence; with `feature` "waveform" that is all. "log_mel": frames of `n_fft` samples each `hop`, a
    `window` of `window_samples` (None: n_fft) in their middle; `centre` says how the ends are padded by
    n_fft / 2 so that frame t is centred at t * hop ("zeros", "reflect", or "none"); the spectrum's magnitude
    to the `power`; `mels` triangles from `low_hz` to `high_hz` (None: half the rate) on the `mel_scale`, of
    equal area with `mel_norm` "slaney"; the logarithm `log` ("db" is 10 log10) of what is at least `floor`.
    Then less `mean`, over `std` (one for all or one for each mel band).
    `layout` orders the axes m (mel bands), t (time) and 1: "mt" (or "t") where None.
    """

    rate_hz: int
    seconds: float
    feature: Literal["log_mel", "waveform"] = "log_mel"
    n_fft: int = 512
    hop: int = 160
    window: Literal["hann", "hamming", "ones"] = "hann"
    window_samples: int | None = None
    centre: Literal["zeros", "reflect", "none"] = "zeros"
    power: Literal[1, 2] = 2
    mels: int = 64
    low_hz: float = 0.0
    high_hz: float | None = None
    mel_scale: Literal["slaney", "htk"] = "slaney"
    mel_norm: Literal["slaney", "none"] = "slaney"
    log: Literal["ln", "log10", "db"] = "ln"
    floor: float = 1e-10
    layout: str | None = None
    dtype: FloatType = "float32"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _normal(self, "mean", "std")
        for name, least in (("rate_hz", 1), ("n_fft", 2), ("hop", 1), ("mels", 1)):
            _whole(name, getattr(self, name), least)
        _number("seconds", self.seconds, 0.0, 86_400.0, open_below=True)
        if round(self.seconds * self.rate_hz) < 1:
            raise _wrong(f"seconds = {self.seconds} at {self.rate_hz} Hz is not one sample")
        _among(
            self,
            feature=Literal["log_mel", "waveform"],
            window=Literal["hann", "hamming", "ones"],
            centre=Literal["zeros", "reflect", "none"],
            power=Literal[1, 2],
            mel_scale=Literal["slaney", "htk"],
            mel_norm=Literal["slaney", "none"],
            log=Literal["ln", "log10", "db"],
            dtype=FloatType,
        )
        if self.window_samples is not None:
            _whole("window_samples", self.window_samples, 1, self.n_fft)
        _number("floor", self.floor, 0.0, math.inf, open_below=True)
        _number("low_hz", self.low_hz, 0.0, self.top_hz)
        _number("high_hz", self.top_hz, self.low_hz, self.rate_hz / 2, open_below=True)
        axes = "mt" if self.feature == "log_mel" else "t"
        if sorted(self.axes.replace("1", "")) != sorted(axes) or len(self.axes) > 4:
            raise _wrong(
                f"layout {self.layout!r} must hold {' and '.join(axes)} once, and 1 for an axis of one, "
                f"as in {'1' + axes!r}"
            )
        if self.feature == "log_mel" and self.frames < 1:
            raise _wrong(
                f"{self.seconds} s at {self.rate_hz} Hz hold no frame of n_fft = {self.n_fft} samples"
            )
        if self.feature == "log_mel" and self.centre == "reflect" and self.samples <= self.n_fft // 2:
            raise _wrong(f"centre = 'reflect' needs more than n_fft / 2 = {self.n_fft // 2} samples")
        _scaled(self, channels=self.mels if self.feature == "log_mel" else 1)

    @property
    def samples(self) -> int:
        """How many samples at `rate_hz` are looked at."""
        return round(self.seconds * self.rate_hz)

    @property
    def frames(self) -> int:
        """How many moments the log-mel picture has."""
        ends = 0 if self.centre == "none" else 2 * (self.n_fft // 2)
        return (self.samples + ends - self.n_fft) // self.hop + 1

    @property
    def top_hz(self) -> float:
        """The upper end of the highest mel band."""
        return self.rate_hz / 2 if self.high_hz is None else self.high_hz

    @property
    def axes(self) -> str:
        """The layout in force."""
        return self.layout or ("mt" if self.feature == "log_mel" else "t")

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of one row of the tensor."""
        time = self.frames if self.feature == "log_mel" else self.samples
        sizes = {"m": self.mels, "t": time, "1": 1}
        return tuple(sizes[axis] for axis in self.axes)


class SeriesInput(
    msgspec.Struct,
    frozen=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="series",
):
    """Rows of a sensor over time: floats `[window, columns]` become a tensor.

    `columns` are names or a count. A recording is cut into windows of `window` rows, each `hop` rows on
    (None: window). `missing` says what becomes of NaN: "refuse"; "hold" the value before it (at the start
    the first that comes); "interpolate" on a straight line; the column's "mean". Then less `mean`, over
    `std` (one for all or one for each column). `layout` orders the axes t (time), c (columns) and 1; "f"
    is one flat axis, row after row.
    """

    columns: tuple[str, ...] | int
    window: int
    hop: int | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    missing: Missing = "refuse"
    layout: str = "tc"
    dtype: FloatType = "float32"

    def __post_init__(self) -> None:
        _normal(self, "mean", "std")
        if not isinstance(self.columns, int):
            if isinstance(self.columns, str):
                raise _wrong(f"columns must be names or a count, got the one text {self.columns!r}")
            msgspec.structs.force_setattr(self, "columns", tuple(self.columns))
            if len(set(self.columns)) < len(self.columns):
                raise _wrong(f"columns names one twice: {', '.join(self.columns)}")
        _whole("columns", self.count, 1)
        _whole("window", self.window, 1)
        if self.hop is not None:
            _whole("hop", self.hop, 1)
        _among(self, missing=Missing, dtype=FloatType)
        if self.missing == "mean" and not self.mean:
            raise _wrong("missing = 'mean' needs mean, the mean of each column")
        plain = self.layout.replace("1", "")
        if sorted(plain) not in (["c", "t"], ["f"]) and not (plain == "t" and self.count == 1):
            raise _wrong(
                f"layout {self.layout!r} must hold t and c once (t alone for one column; or f, flat), and 1 "
                f"for an axis of one, as in 'ct'"
            )
        _scaled(self, channels=self.count)

    @property
    def count(self) -> int:
        """How many columns."""
        return self.columns if isinstance(self.columns, int) else len(self.columns)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of one row of the tensor."""
        sizes = {"t": self.window, "c": self.count, "f": self.window * self.count, "1": 1}
        return tuple(sizes[axis] for axis in self.layout)


class ArrayInput(
    msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, tag_field="kind", tag="array"
):
    """A plain array in the tensor's own shape: `value * scale`, less `mean`, over `std`, in `dtype`.

    `dtype` None is the model's own. `mean` and `std` are one for all, or one for each place of the last axis.
    """

    dtype: DType | None = None
    scale: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _normal(self, "mean", "std")
        if self.dtype is not None:
            _among(self, dtype=DType)
        _scaled(self, channels=None)

    @property
    def is_idle(self) -> bool:
        """Whether a sample goes through as it is."""
        return self.scale == 1 and not self.mean and not self.std

    @property
    def row_shape(self) -> None:
        """The model's own."""
        return


Input: TypeAlias = ImageInput | SoundInput | SeriesInput | ArrayInput
"""What a model's one input means."""

INPUTS: dict[str, type[ImageInput] | type[SoundInput] | type[SeriesInput] | type[ArrayInput]] = {
    "image": ImageInput,
    "sound": SoundInput,
    "series": SeriesInput,
    "array": ArrayInput,
}
"""The kinds of inputs, by the name that `kind` has in a file."""

_FLOATS = frozenset({"float16", "float32", "float64"})


def _normal(value: Any, *names: str) -> None:
    """Lists and arrays of numbers become tuples of floats; one number is one for all."""
    for name in names:
        given = getattr(value, name)
        numbers = given if isinstance(given, Sequence) or hasattr(given, "__len__") else (given,)
        try:
            msgspec.structs.force_setattr(value, name, tuple(float(each) for each in numbers))
        except (TypeError, ValueError):
            raise _wrong(f"{name} must be numbers, got {given!r}") from None


def _whole(name: str, value: Any, least: int, most: int = _MOST) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _wrong(f"{name} must be a whole number in [{least}, {most}], got {value!r}")


def _number(name: str, value: Any, least: float, most: float, *, open_below: bool = False) -> None:
    fits = isinstance(value, int | float) and (least < value if open_below else least <= value)
    if not fits or not value <= most or math.isinf(value):
        left = "(" if open_below else "["
        raise _wrong(f"{name} must be a number in {left}{least:g}, {most:g}], got {value!r}")


def _among(value: Any, **choices: Any) -> None:
    for name, kind in choices.items():
        known = kind.__args__
        if getattr(value, name) not in known:
            shown = ", ".join(map(repr, known))
            raise _wrong(f"{name} must be one of {shown}, got {getattr(value, name)!r}")


def _scaled(value: ImageInput | SoundInput | SeriesInput | ArrayInput, channels: int | None) -> None:
    """Refuse numbers to scale by that are not finite, are zero, or are not one for each channel."""
    scale = getattr(value, "scale", 1.0)
    if not isinstance(scale, int | float) or not math.isfinite(scale) or scale == 0:
        raise _wrong(f"scale must be finite and not 0, got {scale!r}")
    for name in ("mean", "std"):
        numbers: tuple[float, ...] = getattr(value, name)
        if channels is not None and len(numbers) not in (0, 1, channels):
            raise _wrong(f"{name} must hold 1 number or {channels}, one for each channel, got {len(numbers)}")
        if not all(map(math.isfinite, numbers)) or (name == "std" and not all(each > 0 for each in numbers)):
            raise _wrong(f"{name} must be finite{' and above 0' if name == 'std' else ''}, got {numbers}")


def _wrong(message: str) -> Misconfigured:
    return Misconfigured("HAL-208", message)
