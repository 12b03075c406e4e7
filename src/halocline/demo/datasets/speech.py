"""Spoken digits (FSDD): log-mel pictures of recordings, computed in numpy.

The folder holds index.csv (speaker, digit, take, start and length in samples) and one SPEAKER.flac for each
speaker, 8 kHz, all recordings one after the other.
"""

import csv
from pathlib import Path

import msgspec
import numpy as np

from halocline.demo.datasets.files import check_folder
from halocline.demo.datasets.rows import Parts, Rows
from halocline.errors import Misconfigured
from halocline.extras import need
from halocline.records import Array

FILES = ("index.csv",)
LABELS = tuple("0123456789")
RATE_HZ = 8_000
WINDOW, HOP, FFT = 256, 80, 512
"""Frames of 32 ms, one each 10 ms."""
BANDS, FRAMES = 24, 24
"""A recording becomes so many mel bands by so many moments, whatever its length."""
FEATURES = BANDS * FRAMES + 1

_SILENCE, _FLOOR = 1e-3, 1e-5
"""Below these shares of the loudest moment and band nothing is heard."""

TEST_TAKES = frozenset(range(5))
TUNE_TAKES = frozenset(range(5, 10))


class Take(msgspec.Struct, frozen=True):
    """One recording of one digit: its place, in samples, among those of its speaker."""

    speaker: str
    digit: int
    take: int
    start: int
    length: int


def speech_files(folder: Path) -> tuple[str, ...]:
    """The files that the set consists of, by its index. Raises Misconfigured (HAL-304)."""
    check_folder(folder, FILES, "the spoken digits")
    names = tuple(f"{speaker}.flac" for speaker in _speakers(index_of(folder)))
    check_folder(folder, names, "the spoken digits")
    return (*FILES, *names)


def read_speech_by_take(folder: Path) -> Parts:
    """Takes 0-4 of every speaker test, as its authors say; 5-9 tune. Raises HAL-103, HAL-304."""
    takes, rows = _read(folder)
    number = np.array([take.take for take in takes])
    test, tune = np.isin(number, list(TEST_TAKES)), np.isin(number, list(TUNE_TAKES))
    return Parts(train=rows.where(~test & ~tune), tune=rows.where(tune), test=rows.where(test))


def read_speech_by_speaker(folder: Path, held_out: int) -> Parts:
    """One speaker, by number in the alphabet, tests, the next one tunes, the others train."""
    _, rows = _read(folder)
    count = int(rows.groups.max()) + 1
    if count < 3:
        raise Misconfigured("HAL-304", f"{folder} has {count} speakers; a split by speaker needs three")
    test, tune = rows.groups == held_out % count, rows.groups == (held_out + 1) % count
    return Parts(train=rows.where(~test & ~tune), tune=rows.where(tune), test=rows.where(test))


def log_mel(sound: Array) -> Array:
    """Float32 `[577]` of one recording: its mel bands over time and its length, without silence."""
    padded = np.pad(sound.astype(np.float32), (0, max(0, WINDOW - len(sound))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * np.hanning(WINDOW)
    bands = (np.abs(np.fft.rfft(frames, FFT, axis=1)) ** 2) @ _BANK.T
    spoken = np.flatnonzero(bands.sum(axis=1) > _SILENCE * bands.sum(axis=1).max())
    if spoken.size:
        bands = bands[spoken[0] : spoken[-1] + 1]
    picture = np.log(bands + _FLOOR * bands.max() + 1e-12)
    moments = np.linspace(0, len(picture) - 1, FRAMES)
    seen = np.stack([np.interp(moments, np.arange(len(picture)), band) for band in picture.T])
    seen = (seen - seen.mean()) / (seen.std() + 1e-6)  # loudness and microphone are not what was said
    return np.append(seen.ravel(), np.log(len(picture) * HOP / RATE_HZ + 0.05)).astype(np.float32)


def recordings(folder: Path) -> tuple[list[Take], list[Array]]:
    """Every take, and float32 at 8 kHz what was said. Raises Misconfigured (HAL-103, HAL-304)."""
    need("sound", "soundfile", what="the spoken digits")
    speech_files(folder)
    takes = index_of(folder)
    speakers = _speakers(takes)
    sounds = {speaker: decode(folder / f"{speaker}.flac") for speaker in speakers}
    for take in takes:
        if not 0 <= take.start <= take.start + take.length <= len(sounds[take.speaker]) or not take.length:
            raise Misconfigured(
                "HAL-304",
                f"{folder / 'index.csv'} has samples {take.start} to {take.start + take.length} of "
                f"{take.speaker}.flac, which holds {len(sounds[take.speaker])}. Do they belong together?",
            )
    return takes, [sounds[take.speaker][take.start : take.start + take.length] for take in takes]


def _read(folder: Path) -> tuple[list[Take], Rows]:
    takes, sounds = recordings(folder)
    speakers = _speakers(takes)
    x = np.stack([log_mel(sound) for sound in sounds])
    y = np.array([take.digit for take in takes], np.int64)
    return takes, Rows(x, y, np.array([speakers.index(take.speaker) for take in takes], np.int64))


def index_of(folder: Path) -> list[Take]:
    """The recordings by take, digit and speaker. Raises Misconfigured (HAL-304)."""
    path = folder / "index.csv"
    try:
        with path.open(newline="") as file:
            takes = [msgspec.convert(row, Take, strict=False) for row in csv.DictReader(file)]
    except (OSError, ValueError, csv.Error) as exc:
        raise Misconfigured(
            "HAL-304", f"{path} is not a table of speaker, digit, take, start and length ({exc})"
        ) from None
    if not takes:
        raise Misconfigured("HAL-304", f"{path} names no recording")
    # The order of the files is by name; what is heard comes by take, all speakers in turn.
    return sorted(takes, key=lambda take: (take.take, take.digit, take.speaker))


def _speakers(takes: list[Take]) -> list[str]:
    return sorted({take.speaker for take in takes})


def decode(path: Path) -> Array:
    """All that one speaker says, float32 `[samples]`. Raises Misconfigured (HAL-304)."""
    import soundfile

    try:
        sound, rate_hz = soundfile.read(path, dtype="float32")
    except soundfile.SoundFileError as exc:
        raise Misconfigured("HAL-304", f"{path} is not a FLAC file ({exc}). Copy it again") from None
    if rate_hz != RATE_HZ or sound.ndim != 1:
        raise Misconfigured(
            "HAL-304", f"{path} must be mono at {RATE_HZ} Hz, is {sound.shape} at {rate_hz} Hz"
        )
    return np.asarray(sound)


def _mel_bank() -> Array:
    """Triangles `[bands, bins]`, evenly spaced on the mel scale (O'Shaughnessy 1987)."""
    top = 2595 * np.log10(1 + RATE_HZ / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, BANDS + 2) / 2595) - 1)
    bins = np.linspace(0, RATE_HZ / 2, FFT // 2 + 1)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rising, falling))


_BANK = _mel_bank()
