"""Read what bytes are, and how much picture or sound they announce, from their heads: nothing is decoded."""

from typing import NamedTuple

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
        return _jpeg_size(data)
    return None


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


def wav_data(data: bytes) -> WavData | None:
    """What a WAV announces of its samples; None where it has no data chunk."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    riff_end = 8 + int.from_bytes(data[4:8], "little")
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"data":
            return WavData(at + 8, size, len(data) - at - 8, riff_end)
        at += 8 + size + size % 2
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAMES:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        if marker == 0xFF:  # filled up
            at += 1
        elif marker in _BARE:
            at += 2
        else:
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    return None


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
