"""Decode a JPEG or PNG: upright, 8 bit, in grey or RGB, resized by Pillow's own C code."""

import io
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from halocline.errors import Rejected
from halocline.inputs.description import Filter
from halocline.inputs.header import picture_size, what
from halocline.records import Array

_FORMATS = ("JPEG", "PNG")
_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
}
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_ITS_SIDE = frozenset({5, 6, 7, 8})


class DecodedPicture:
    """A JPEG or PNG; nothing is decoded before its pixels are asked for.

    Raises Rejected: HAL-311 for bytes that are neither or that are damaged, HAL-312 where the header
    announces more than `max_pixels`.
    """

    def __init__(self, data: bytes, max_pixels: int) -> None:
        announced = picture_size(data)
        if announced is None:
            raise Rejected("HAL-311", _no_picture(data))
        _check_pixels(announced, max_pixels)
        try:
            self._image = Image.open(io.BytesIO(data), formats=_FORMATS)
            self._orientation = self._image.getexif().get(_ORIENTATION, 1)
        except _DAMAGED as exc:
            raise _damaged(data, exc) from None
        _check_pixels(self._image.size, max_pixels)
        self._data = data

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, upright."""
        width, height = self._image.size
        return (height, width) if self._orientation in _ON_ITS_SIDE else (width, height)

    def pixels(self, width: int, height: int, how: Filter, *, grey: bool) -> Array:
        """Uint8 `[height, width]` (grey) or `[height, width, 3]` (RGB)."""
        try:
            image = _converted(self._image, grey=grey)
        except _DAMAGED as exc:
            raise _damaged(self._data, exc) from None
        turn = _UPRIGHT.get(self._orientation)
        if turn is not None:
            image = image.transpose(turn)
        return np.asarray(_resized(image, width, height, how))


def resize(pixels: Array, width: int, height: int, how: Filter) -> Array:
    """As `halocline.inputs.resize.resize`, to the bit, and faster."""
    return np.asarray(_resized(Image.fromarray(pixels), width, height, how))


# What Pillow raises at bytes that are damaged; it has no base of its own for them.
_DAMAGED: tuple[type[Exception], ...] = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    UnidentifiedImageError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


def _resized(image: Image.Image, width: int, height: int, how: Filter) -> Image.Image:
    if image.size == (width, height):
        return image
    if how == "nearest":
        return image.resize((width, height), _FILTERS[how])
    # One axis at a time, columns first. Pillow 13 takes the rows first where that is quicker, and rounds
    # otherwise: the same picture would be another tensor on another version.
    return image.resize((width, image.height), _FILTERS[how]).resize((width, height), _FILTERS[how])


def _converted(image: Image.Image, *, grey: bool) -> Image.Image:
    """The picture in 8 bit, grey or RGB; alpha is dropped."""
    mode = "L" if grey else "RGB"
    if image.mode == mode:
        image.load()
        return image
    if image.mode.startswith("I"):  # 16 bit: the upper byte, as for each channel of a 16-bit RGB
        image = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    elif image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode in ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "RGBA"):
        image = image.convert("RGB")
    return image.convert(mode)


def _check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise Rejected(
            "HAL-312",
            f"its header announces {width} x {height} = {width * height / 1e6:.1f} million pixels, more than "
            f"{max_pixels / 1e6:g} million: it was not decoded. Make it smaller, or raise max_pixels",
        )


def _no_picture(data: bytes) -> str:
    if not data:
        return "it holds no bytes; expected a JPEG or PNG picture"
    seen = what(data)
    if seen in ("a JPEG picture", "a PNG picture"):
        return f"{seen} that is cut off after {len(data)} bytes, before its size is told"
    return f"expected a JPEG or PNG picture, got {seen or f'{len(data)} bytes of something else'}"


def _damaged(data: bytes, exc: Exception) -> Rejected:
    seen: Any = " ".join(str(exc).split()) or type(exc).__name__
    return Rejected("HAL-311", f"{what(data)} that cannot be decoded ({seen}): is it cut off or damaged?")
