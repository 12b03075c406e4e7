"""Turn a picture into its tensor: resized, fitted, in the colours, order and numbers that the model takes."""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np

from halocline.errors import Rejected
from halocline.inputs.arrays import as_kind
from halocline.inputs.description import Filter, ImageInput
from halocline.inputs.placement import placed
from halocline.inputs.resize import Resize, resize

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


class Picture(Protocol):
    """A picture that is not looked at yet."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, upright."""

    def pixels(self, width: int, height: int, how: Filter, *, grey: bool) -> Array:
        """Uint8 `[height, width]` (grey) or `[height, width, 3]` (RGB), resized as `inputs.resize` does."""


class Pixels:
    """A picture that is an array already: uint8 `[rows, columns]`, `[rows, columns, 1]` or `[…, 3]` (RGB).

    A batch axis of one may stand before them.
    Raises Rejected (HAL-310, HAL-314) for anything else.
    """

    def __init__(self, pixels: Array, resized: Resize = resize) -> None:
        if pixels.ndim == 4 and len(pixels) == 1:
            pixels = pixels[0]
        if pixels.ndim == 3 and pixels.shape[2] == 1:
            pixels = pixels[:, :, 0]
        if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):
            raise Rejected("HAL-310", _unlike(pixels))
        if pixels.size == 0:
            raise Rejected("HAL-314", f"a picture of {pixels.shape[1]} x {pixels.shape[0]} holds nothing")
        self._pixels = pixels
        self._resized = resized

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._pixels.shape[1], self._pixels.shape[0]

    def pixels(self, width: int, height: int, how: Filter, *, grey: bool) -> Array:
        """Uint8 `[height, width]` (grey) or `[height, width, 3]` (RGB)."""
        pixels = luma(self._pixels) if grey and self._pixels.ndim == 3 else self._pixels
        if self.size != (width, height):
            pixels = self._resized(pixels, width, height, how)
        if grey or pixels.ndim == 3:
            return pixels
        return np.broadcast_to(pixels[:, :, None], (*pixels.shape, 3))


def luma(rgb: Array) -> Array:
    """Grey by ITU-R 601, in whole numbers as Pillow has them."""
    red, green, blue = (rgb[..., at].astype(np.uint32) for at in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)


def picture_rows(told: ImageInput) -> Callable[[Picture], Array]:
    """What turns a picture into one row of the tensor, without the batch axis."""
    grey = told.colour == "grey"
    order = (0,) if grey else (2, 1, 0) if told.colour == "bgr" else (0, 1, 2)
    tables = _tables(told)
    shape, dtype = told.row_shape, np.dtype(told.dtype)
    channels_first = told.layout == "chw"

    def row(picture: Picture) -> Array:
        pixels = _fitted(picture, told, grey=grey)
        out = np.empty(shape, dtype)
        planes = out if channels_first else np.moveaxis(out.reshape(told.height, told.width, -1), 2, 0)
        for table, plane, channel in zip(tables, planes, order, strict=True):
            seen = pixels if grey else pixels[:, :, channel]
            if plane.flags.c_contiguous:
                table.take(seen, out=plane, mode="clip")
            else:
                plane[...] = table[seen]
        return out

    return row


def _fitted(picture: Picture, told: ImageInput, *, grey: bool) -> Array:
    """The pixels under the tensor, before their numbers change."""
    place = placed(told, picture.size)
    pixels = picture.pixels(place.width, place.height, told.filter, grey=grey)
    if told.fit == "crop":
        return pixels[-place.top : told.height - place.top, -place.left : told.width - place.left]
    if told.fit == "stretch" or (place.width, place.height) == (told.width, told.height):
        return pixels
    canvas = np.full((told.height, told.width, *pixels.shape[2:]), told.fill, np.uint8)
    canvas[place.top : place.top + place.height, place.left : place.left + place.width] = pixels
    return canvas


def _tables(told: ImageInput) -> Array:
    """What each of the 256 levels becomes, `[channels, 256]`.

    Rounded after each step as float32 arithmetic on the whole picture would be, so that the result is the
    usual one to the bit; and looking it up is faster.
    """
    dtype = np.dtype(told.dtype)
    steps = np.float64 if dtype == np.float64 else np.float32
    channels = told.channels
    levels: Any = (np.arange(256) * told.scale).astype(steps)[None].repeat(channels, axis=0)
    if told.mean:
        levels -= _column(told.mean, channels, steps)
    if told.std:
        levels /= _column(told.std, channels, steps)
    return as_kind(levels, dtype)


def _column(numbers: tuple[float, ...], channels: int, dtype: Any) -> Array:
    return np.broadcast_to(np.array(numbers, dtype), channels)[:, None]


def _unlike(pixels: Array) -> str:
    seen = f"expected a picture as uint8 [rows, columns] or [rows, columns, 3] (RGB), got {pixels.dtype} "
    seen += f"{list(pixels.shape)}"
    if pixels.dtype != np.uint8:
        if pixels.dtype == np.uint16:
            return f"{seen}: try (x >> 8).astype('uint8')"
        return f"{seen}: give the 0..255 pixels, or the ready tensor by its input's name"
    if pixels.ndim == 3 and pixels.shape[0] in (1, 3):
        return f"{seen}: it looks like channels first, try x.transpose(1, 2, 0)"
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        return f"{seen}: leave alpha out, x[..., :3]"
    if pixels.ndim == 4:
        return f"{seen}: that is a batch of pictures, call infer_batch"
    return seen
