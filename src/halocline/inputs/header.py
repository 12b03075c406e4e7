"""Read what bytes are, and how much picture or sound they announce, from their heads: nothing is decoded."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

Read: TypeAlias = Callable[[int, int], bytes]
"""Gives the bytes from that place on, so many of them or what is there."""

JPEG_SCAN = 0xDA
"""The JPEG marker that opens a scan: what follows it is the picture itself."""
_FILLING = 0xFF
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG markers that open a frame and tell its size (ITU-T T.81, table B.1)."""
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})
"""JPEG markers without a length."""
_NO_LENGTH = 0x7FFF_0000
"""A WAV that announces so many bytes of sound or more came from a pipe, where programs state no length."""


def what(data: bytes) -> str:
    """A name for what the bytes are, as people call it; "" where they are nothing known."""
    for start, magic, name in _MAGIC:
        if data[start : start + len(magic)] == magic:
            return name
    return ""


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Width and height as the header of a JPEG or PNG announces them; None where it does not."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR" and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data.startswith(b"\xff\xd8"):
        return next(
            (size for each in jpeg_segments(_reader(data)) if (size := each.picture_size) is not None), None
        )
    return None


class Segment(NamedTuple):
    """A segment of a JPEG: its marker, where the next one begins, and its own first bytes, 9 at most."""

    marker: int
    after: int
    head: bytes

    @property
    def picture_size(self) -> tuple[int, int] | None:
        """Width and height, where it opens a frame."""
        if self.marker not in _FRAMES or len(self.head) < 9:
            return None
        return int.from_bytes(self.head[7:9], "big"), int.from_bytes(self.head[5:7], "big")


def jpeg_segments(read: Read) -> Iterator[Segment]:
    """The segments of a JPEG that have a length, in their order; they end where something else follows."""
    at = 2
    while len(head := read(at, 9)) >= 4 and head[0] == 0xFF:
        marker = head[1]
        if marker == _FILLING:
            at += 1
        elif marker in _BARE:
            at += 2
        else:
            at += 2 + max(2, int.from_bytes(head[2:4], "big"))
            yield Segment(marker, at, head)


class WavData(NamedTuple):
    """The data chunk of a WAV: where its samples begin, how many bytes are announced, how many there."""

    start: int
    announced: int
    there: int
    riff_end: int
    """Where the whole file ends, by what its RIFF chunk announces."""

    @property
    def is_stream(self) -> bool:
        """Whether its writer knew no length: it says 2 GiB or more, or 0 and no other chunks follow."""
        if self.announced:
            return self.announced >= _NO_LENGTH
        return self.there > 0 and not self.start < self.riff_end <= self.start + self.there


class WavHead(NamedTuple):
    """What a WAV says of its samples; 0 and None for what is not there."""

    rate_hz: int
    frame_bytes: int
    data: WavData | None


def wav_head(read: Read, length: int) -> WavHead:
    """What stands before the samples of a WAV of so many bytes."""
    riff_end = 8 + int.from_bytes(read(4, 4), "little")
    at, rate_hz, frame_bytes = 12, 0, 0
    while len(head := read(at, 24)) >= 8:
        name, size = head[:4], int.from_bytes(head[4:8], "little")
        if name == b"fmt " and len(head) >= 22:
            rate_hz = int.from_bytes(head[12:16], "little")
            frame_bytes = int.from_bytes(head[20:22], "little")
        if name == b"data":
            return WavHead(rate_hz, frame_bytes, WavData(at + 8, size, length - at - 8, riff_end))
        at += 8 + size + size % 2
    return WavHead(rate_hz, frame_bytes, None)


def wav_data(data: bytes) -> WavData | None:
    """What a WAV announces of its samples; None where it has no data chunk."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    return wav_head(_reader(data), len(data)).data


def _reader(data: bytes) -> Read:
    return lambda at, size: data[at : at + size]


_MAGIC = (
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"\x89PNG", "a PNG picture"),
    (8, b"WAVE", "a WAV sound"),
    (8, b"WEBP", "a WebP picture"),
    (0, b"GIF8", "a GIF picture"),
    (0, b"BM", "a BMP picture"),
    (0, b"II*\x00", "a TIFF picture"),
    (0, b"MM\x00*", "a TIFF picture"),
    (4, b"ftypheic", "a HEIC picture"),
    (4, b"ftypavif", "an AVIF picture"),
    (0, b"fLaC", "a FLAC sound"),
    (0, b"OggS", "an Ogg sound"),
    (0, b"ID3", "an MP3 sound"),
    (0, b"\x93NUMPY", "a numpy file"),
    (0, b"PK\x03\x04", "a zip or npz file"),
    (0, b"<", "markup (a web page?)"),
)
