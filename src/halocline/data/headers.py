"""Look at the head and the end of a picture or sound: how large it is, and whether it is whole.

Nothing is decoded, so that a set of any size is looked through quickly and a picture that would fill the
memory is only seen by its size. A file that looks whole may still be damaged inside.
"""

import os
from typing import BinaryIO, NamedTuple

from halocline.inputs.header import NO_LENGTH

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
_END_BYTES = 64 << 10
_NO_SIZE = frozenset((0xC4, 0xC8, 0xCC))
"""Markers among those of a JPEG's frames that begin no frame."""


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
    at = 2
    while True:
        file.seek(at)
        head = file.read(9)
        if len(head) < 4 or head[0] != 0xFF:
            return Look("jpeg", width, height, why=_cut(length))
        marker = head[1]
        if marker == 0xFF:  # fill bytes may stand before a marker
            at += 1
            continue
        at += 2 + int.from_bytes(head[2:4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in _NO_SIZE and len(head) == 9:
            height, width = (int.from_bytes(head[where : where + 2], "big") for where in (5, 7))
        if marker == 0xDA:
            break
    whole = b"\xff\xd9" in _end(file, length, at)
    if not whole:  # what cameras append may be long
        file.seek(at)
        whole = b"\xff\xd9" in file.read()
    return _picture("jpeg", width, height, length, is_whole=whole)


def _picture(form: str, width: int, height: int, length: int, *, is_whole: bool) -> Look:
    why = None if is_whole else _cut(length)
    if is_whole and not width * height:
        why = "it states no size"
    return Look(form, width, height, why=why)


def _wav(file: BinaryIO, length: int) -> Look:
    at, rate_hz, frame_bytes = 12, 0, 0
    while at + 8 <= length:
        file.seek(at)
        head = file.read(24)
        name, size = head[:4], int.from_bytes(head[4:8], "little")
        if name == b"fmt " and len(head) >= 22:
            rate_hz, frame_bytes = (
                int.from_bytes(head[12:16], "little"),
                int.from_bytes(head[20:22], "little"),
            )
        if name == b"data":
            return _wav_of(size, length - at - 8, rate_hz, frame_bytes)
        at += 8 + size + size % 2
    return Look("wav", rate_hz=rate_hz, why=_cut(length))


def _wav_of(said: int, there: int, rate_hz: int, frame_bytes: int) -> Look:
    if not rate_hz or not frame_bytes:
        return Look("wav", why="it does not say its sample rate")
    seconds = min(said, there) / frame_bytes / rate_hz
    why = None
    if not there or not said:
        why = "it holds no sound"
    elif there < said < NO_LENGTH:
        why = f"it is cut off: {there} of {said} bytes of sound are there"
    return Look("wav", seconds=seconds, rate_hz=rate_hz, why=why)


def _end(file: BinaryIO, length: int, since: int) -> bytes:
    file.seek(max(since, length - _END_BYTES))
    return file.read()


def _cut(length: int) -> str:
    return f"it is cut off after {length} bytes"
