"""Write the small files that a set is laid out in: pictures, sounds and the table that names them."""

import csv
import struct
import wave
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from halocline.records import Array

_SEED = 0


def write_png(path: Path, pixels: Array) -> None:
    """A grey picture, uint8 `[rows, columns]`, the same bytes everywhere."""
    height, width = pixels.shape
    lines = np.hstack([np.zeros((height, 1), np.uint8), pixels])  # a 0 before each line: no filter
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_part(name, body) for name, body in parts))


def write_wav(path: Path, samples: Array, rate_hz: int) -> None:
    """One channel of 16 bit; float samples are in -1..1."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes())


def write_table(path: Path, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A CSV table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(names)
        table.writerows(rows)


def chosen(count: int, rows: int | None) -> list[int]:
    """The places of so many of them, drawn once and for all, in their order; None takes all."""
    if rows is None or rows >= count:
        return list(range(count))
    return sorted(np.random.default_rng(_SEED).permutation(count)[:rows].tolist())


def _part(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
