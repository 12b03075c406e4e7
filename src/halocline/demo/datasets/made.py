"""Small made samples of each kind, for those who have no data set at hand: always the same."""

import numpy as np

from halocline.demo.datasets import ecg
from halocline.demo.datasets.machine import in_time
from halocline.demo.datasets.raw import Raw, RawParts
from halocline.records import Array

SIDE = 28
RATE_HZ = 8_000
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def photos() -> RawParts:
    """Handwritten digits, 8 x 8 pixels scaled up to uint8 `[28, 28]`."""
    from sklearn.datasets import load_digits

    from halocline.inputs.resize import resize

    digits = load_digits()
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    pictures = [resize(each, SIDE, SIDE, "bicubic") for each in pixels]
    return _parted(NAMES, Raw(pictures, digits.target.astype(np.int64), [""] * len(pictures)), 2, 5)


def tones() -> RawParts:
    """Each digit a tone of its own in noise, a little higher from speaker to speaker, at 8 kHz."""
    rng = np.random.default_rng(0)
    sounds, digits, speakers = [], [], []
    for _ in range(25):
        for at, speaker in enumerate(("ada", "ben", "cleo")):
            for digit in range(10):
                length = int(rng.integers(2_500, 5_000))
                turns = 2 * np.pi * np.arange(length) / RATE_HZ
                pitch_hz = 300 + 60 * digit + 15 * at + rng.normal(0, 12)
                # What tells neighbours apart lies high: a model that hears only the low half mixes them up.
                tone = np.sin(pitch_hz * turns) + 0.5 * np.sin((2_200 + 150 * digit) * turns)
                wave = 0.2 * tone * np.hanning(length) + rng.normal(0, 0.05, length)
                sounds.append((np.rint(np.clip(wave, -1, 1) * 32_767) / 32_768, RATE_HZ))  # as 16 bit hold it
                digits.append(digit)
                speakers.append(speaker)
    return _parted(tuple("0123456789"), Raw(sounds, np.array(digits), speakers), 3, 5)


def temperatures() -> RawParts:
    """A machine's temperature each five minutes: a daily wave, and now and then cooling down to a failure."""
    rng = np.random.default_rng(0)
    rows, lasts = 6_000, 250
    drift = np.zeros(rows)
    for at in range(1, rows):
        drift[at] = 0.9 * drift[at - 1] + rng.normal(0, 0.7)
    value = 90 + 4 * np.sin(2 * np.pi * np.arange(rows) / 288) + drift + rng.normal(0, 8, rows)
    near = np.zeros(rows, dtype=np.int64)
    for start in (700, 1_700, 3_400, 4_300, 5_200):
        near[start : start + lasts] = 1
        value[start : start + lasts] -= 16 * np.sin(np.pi * np.arange(lasts) / lasts)
    return in_time(value, near, 2_500, 4_000)


def beats() -> RawParts:
    """Beats of twelve people: their class gives them a shape and a rhythm, the person a size."""
    rng = np.random.default_rng(0)
    rows, people = 200, 12
    time = np.linspace(-1, 1, ecg.SAMPLES)
    shapes = np.stack([np.exp(-((time * (6 - each)) ** 2)) * (1 - 2 * (each % 2)) for each in range(5)])
    samples, classes = [], []
    for _ in range(people):
        y = rng.choice(5, rows, p=[0.7, 0.1, 0.12, 0.05, 0.03])
        size = rng.uniform(150, 300) * rng.uniform(0.8, 1.2, (rows, 1))
        wave = shapes[y] * size + rng.normal(0, 45, (rows, ecg.SAMPLES))
        early_s = np.array([0.0, 0.1, 0.15, 0.0, 0.0])[y]
        rr_s = 0.8 - early_s[:, None] * [1, -1, 0] + rng.normal(0, 0.07, (rows, 3))
        samples.append(ecg.features(wave, rr_s))
        classes.append(y)
    groups = [f"{person}" for person in range(people) for _ in range(rows)]
    raw = Raw(np.concatenate(samples), np.concatenate(classes).astype(np.int64), groups)
    cuts = np.split(np.arange(len(raw)), [6 * rows, 8 * rows])
    return RawParts(ecg.LABELS, *(raw.where(part) for part in cuts))


def _parted(labels: tuple[str, ...], raw: Raw, tunes: int, of: int) -> RawParts:
    """The first part of the samples trains; of what follows every other tunes and tests."""
    cut = len(raw) * tunes // of
    rest: Array = np.arange(cut, len(raw))
    return RawParts(labels, raw.where(np.arange(cut)), raw.where(rest[::2]), raw.where(rest[1::2]))
