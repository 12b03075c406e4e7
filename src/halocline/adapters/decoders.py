"""Read and decode raw samples; the libraries that do it are loaded at the first sample that needs them."""

import os
from functools import cache
from importlib.util import find_spec

from halocline.errors import Rejected
from halocline.extras import need
from halocline.inputs import resize
from halocline.inputs.description import Filter
from halocline.inputs.pictures import Picture
from halocline.inputs.prepare import Decoders
from halocline.records import Array

MAX_FILE_BYTES = 1 << 29
"""A sample is held in memory as a whole; what is larger is no sample."""


def decoders() -> Decoders:
    """What this installation can decode; an extra that is missing is named when a sample needs it."""
    return Decoders(read=read, picture=_picture, sound=_sound, resize=_resize)


def read(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file. Raises Rejected (HAL-316)."""
    where = os.path.expanduser(path)
    try:
        size = os.stat(where).st_size
        if size > MAX_FILE_BYTES:
            raise Rejected("HAL-316", f"holds {size} bytes; a sample may have {MAX_FILE_BYTES} at most")
        with open(where, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise Rejected("HAL-316", f"does not exist (looked in {os.getcwd()})") from None
    except (OSError, ValueError) as exc:
        raise Rejected("HAL-316", f"cannot be read: {getattr(exc, 'strerror', None) or exc}") from None


def _picture(data: bytes, max_pixels: int) -> Picture:
    need("images", "PIL", what="a picture as JPEG or PNG")
    from halocline.adapters.pillow import DecodedPicture

    return DecodedPicture(data, max_pixels)


def _sound(data: bytes, seconds: float) -> tuple[Array, int]:
    need("sound", "soundfile", what="a sound as WAV")
    from halocline.adapters.soundfile import decode

    return decode(data, seconds)


def _resize(pixels: Array, width: int, height: int, how: Filter) -> Array:
    return _resizer()(pixels, width, height, how)


@cache
def _resizer() -> resize.Resize:
    """Pillow's where it is installed: the same to the bit, and faster."""
    if find_spec("PIL") is None:
        return resize.resize
    from halocline.adapters.pillow import resize as by_pillow

    return by_pillow
