"""Look at the head and the end of a picture or sound: how large it is, and whether it is whole.

Nothing is decoded, so that a set of any size is looked through quickly and a picture that would fill the
memory is only seen by its size. A file that looks whole may still be damaged inside.
"""

import os
from typing import BinaryIO, NamedTuple

from halocline.inputs.header import JPEG_SCAN, Read, WavData, jpeg_segments, wav_head

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
_END_BYTES = 64 << 10


class Look(NamedTuple):
    """What a file says of itself: its form, the size of a picture, the length of a sound.

    `why` says what is wrong with it; None where it looks whole.
    """

    form: str = ""
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    rate_hz: int = 0
    why: str | None = None


def look_at(file: BinaryIO) -> Look:
    """Look at an open file that can be sought in."""
    length = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if not length:
        return Look(why="it is empty")
    if head.startswith(PNG):
        return _png(file, length)
    if head.startswith(JPEG):
        return _jpeg(file, length)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return _wav(file, length)
    return Look(why=f"it is no JPEG, PNG or WAV file (it begins with {head[:4]!r})")


def _png(file: BinaryIO, length: int) -> Look:
    file.seek(8)
    head = file.read(16)
    if len(head) < 16 or head[4:8] != b"IHDR":
        return Look("png", why=_cut(length))
    width, height = (int.from_bytes(head[at : at + 4], "big") for at in (8, 12))
    return _picture("png", width, height, length, is_whole=b"IEND" in _end(file, length, 0))


def _jpeg(file: BinaryIO, length: int) -> Look:
    width = height = 0
    for segment in jpeg_segments(_reader(file)):
        width, height = segment.picture_size or (width, height)
        if segment.marker == JPEG_SCAN:
            break
    else:
        return Look("jpeg", width, height, why=_cut(length))
    whole = b"\xff\xd9" in _end(file, length, segment.after)
    if not whole:  # what cameras append may be long
        file.seek(segment.after)
        whole = b"\xff\xd9" in file.read()
    return _picture("jpeg", width, height, length, is_whole=whole)


def _picture(form: str, width: int, height: int, length: int, *, is_whole: bool) -> Look:
    why = None if is_whole else _cut(length)
    if is_whole and not width * height:
        why = "it states no size"
    return Look(form, width, height, why=why)


def _wav(file: BinaryIO, length: int) -> Look:
    rate_hz, frame_bytes, data = wav_head(_reader(file), length)
    if data is None:
        return Look("wav", rate_hz=rate_hz, why=_cut(length))
    return _wav_of(data, rate_hz, frame_bytes)


def _wav_of(data: WavData, rate_hz: int, frame_bytes: int) -> Look:
    if not rate_hz or not frame_bytes:
        return Look("wav", why="it does not say its sample rate")
    said = data.there if data.is_stream else data.announced
    seconds = min(said, data.there) / frame_bytes / rate_hz
    why = None
    if not data.there or not said:
        why = "it holds no sound"
    elif data.there < said:
        why = f"it is cut off: {data.there} of {said} bytes of sound are there"
    return Look("wav", seconds=seconds, rate_hz=rate_hz, why=why)


def _reader(file: BinaryIO) -> Read:
    def read(at: int, size: int) -> bytes:
        file.seek(at)
        return file.read(size)

    return read


def _end(file: BinaryIO, length: int, since: int) -> bytes:
    file.seek(max(since, length - _END_BYTES))
    return file.read()


def _cut(length: int) -> str:
    return f"it is cut off after {length} bytes"
