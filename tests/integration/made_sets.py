"""Small made data in the layouts of the real sets, written by the tests that read them."""

import csv
import lzma
from pathlib import Path

import numpy as np
import soundfile

from halocline.demo.datasets import ecg, fashion, speech

BEATS_A_RECORD = 40
TAKES = 14
SPEAKERS = ("ada", "ben", "cleo")
PICTURES = 600


def write_ecg(folder: Path, *, seed: int = 0) -> Path:
    """Every record of both halves, with beats that their class gives a shape and a rhythm."""
    rng = np.random.default_rng(seed)
    records = np.repeat([*ecg.DS1, *ecg.DS2, 102], BEATS_A_RECORD)
    label = rng.choice(5, len(records), p=[0.6, 0.1, 0.2, 0.05, 0.05]).astype(np.uint8)
    time = np.linspace(-1, 1, ecg.SAMPLES)
    shape = np.stack(
        [np.exp(-((time * (6 - each)) ** 2)) * (1 if each % 2 == 0 else -1) for each in range(5)]
    )
    beats = shape[label] * rng.uniform(200, 300, len(records))[:, None] + rng.normal(
        0, 20, (len(records), 128)
    )
    rr = np.full((len(records), 3), 0.8) - 0.2 * (label == 1)[:, None] * [1, 0, 0]
    folder.mkdir(parents=True, exist_ok=True)
    with lzma.open(folder / "beats.npy.xz", "wb", preset=0) as file:
        np.save(file, beats.astype(np.int16))
    sample = np.tile(np.arange(BEATS_A_RECORD) * 288, len(records) // BEATS_A_RECORD)
    np.savez(
        folder / "meta.npz",
        label=label,
        record=records.astype(np.int16),
        rr=(rr + rng.normal(0, 0.01, rr.shape)).astype(np.float32),
        sample=sample.astype(np.int32) + rng.integers(0, 99, len(sample), dtype=np.int32),
    )
    return folder


def write_speech(folder: Path, *, seed: int = 0) -> Path:
    """Every digit a tone of its own, a little higher from speaker to speaker."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for at, speaker in enumerate(SPEAKERS):
        sounds, start = [], 0
        for digit in range(10):
            for take in range(TAKES):
                length = int(rng.integers(1500, 3000))
                seconds = np.arange(length) / speech.RATE_HZ
                tone = np.sin(2 * np.pi * (300 + 250 * digit + 20 * at) * seconds) * np.hanning(length)
                sounds.append(0.3 * tone + rng.normal(0, 0.003, length))
                rows.append((speaker, digit, take, start, length, "test" if take < 5 else "train"))
                start += length
        soundfile.write(folder / f"{speaker}.flac", np.concatenate(sounds), speech.RATE_HZ, subtype="PCM_16")
    with (folder / "index.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("speaker", "digit", "take", "start", "length", "split"))
        table.writerows(rows)
    return folder


def write_fashion(folder: Path, *, seed: int = 0) -> Path:
    """Every class a bright band at a height of its own."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for part, rows in (("train", PICTURES), ("test", PICTURES // 2)):
        labels = rng.integers(0, 10, rows).astype(np.uint8)
        pictures = rng.integers(0, 90, (rows, fashion.SIDE, fashion.SIDE))
        for picture, label in zip(pictures, labels, strict=True):
            picture[2 * label + 3 : 2 * label + 7] += 120
        with lzma.open(folder / f"{part}_images.npy.xz", "wb", preset=0) as file:
            np.save(file, pictures.astype(np.uint8))
        np.save(folder / f"{part}_labels.npy", labels)
    return folder


WRITERS = {"ecg": write_ecg, "speech": write_speech, "fashion-mnist": write_fashion}
