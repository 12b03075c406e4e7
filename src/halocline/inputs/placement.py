"""Decide where in the tensor a picture comes to lie, and turn places in the one into places in the other."""

from typing import Any, TypeAlias

import msgspec
import numpy as np

from halocline.errors import Rejected
from halocline.inputs.description import ImageInput

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


class Placement(msgspec.Struct, frozen=True):
    """A picture resized to `width` x `height`, its corner at `left`, `top` of a tensor of `across` x `down`.

    All in pixels of the tensor; a negative corner means that so much is cut off.
    """

    width: int
    height: int
    left: int
    top: int
    across: int
    down: int

    def to_picture(self, xyxy: Array) -> Array:
        """Boxes `[n, 4]` in fractions of the tensor, as fractions of the picture; parts may lie outside."""
        return (xyxy * self._tensor - self._corner) / self._picture

    def to_tensor(self, xyxy: Array) -> Array:
        """Boxes `[n, 4]` in fractions of the picture, as fractions of the tensor; parts may lie outside."""
        return (xyxy * self._picture + self._corner) / self._tensor

    @property
    def _tensor(self) -> Array:
        return np.array([self.across, self.down] * 2, np.float32)

    @property
    def _picture(self) -> Array:
        return np.array([self.width, self.height] * 2, np.float32)

    @property
    def _corner(self) -> Array:
        return np.array([self.left, self.top] * 2, np.float32)


def placed(told: ImageInput, size: tuple[int, int]) -> Placement:
    """Where a picture of that (width, height) comes to lie.

    Raises Rejected for an empty one (HAL-314), and for one so narrow that the crop would be cut out of more
    than `max_pixels` (HAL-312).
    """
    width, height = size
    if width < 1 or height < 1:
        raise Rejected("HAL-314", f"a picture of {width} x {height} pixels holds nothing")
    if told.fit == "stretch":
        return Placement(told.width, told.height, 0, 0, told.width, told.height)
    across, down = _covering(told, width, height) if told.fit == "crop" else _inside(told, width, height)
    if told.fit == "crop":
        if across * down > told.max_pixels:
            raise Rejected(
                "HAL-312",
                f"a picture of {width} x {height} pixels is too narrow to crop: it would be resized to "
                f"{across} x {down}. Leave it out, or use fit = 'pad'",
            )
        # Python's round, to even: as torchvision's CenterCrop does.
        left, top = -round((across - told.width) / 2), -round((down - told.height) / 2)
    else:
        left, top = (told.width - across) // 2, (told.height - down) // 2
    return Placement(across, down, left, top, told.width, told.height)


def _covering(told: ImageInput, width: int, height: int) -> tuple[int, int]:
    """The size whose shorter side is as asked; the longer one is cut to whole pixels, as torchvision does."""
    side = told.shorter_side
    if side is not None:
        return (side, side * height // width) if width <= height else (side * width // height, side)
    if told.width * height >= told.height * width:
        return told.width, told.width * height // width
    return told.height * width // height, told.height


def _inside(told: ImageInput, width: int, height: int) -> tuple[int, int]:
    """The largest size that is seen as a whole."""
    share = min(told.width / width, told.height / height)
    return (
        min(told.width, max(1, round(width * share))),
        min(told.height, max(1, round(height * share))),
    )
