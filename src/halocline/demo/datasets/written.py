"""Write raw samples as the files that people have: pictures and sounds in class folders, tables, arrays."""

import csv
import datetime
import wave
from pathlib import Path

import numpy as np

from halocline.demo.datasets.machine import MINUTES
from halocline.demo.datasets.raw import Raw
from halocline.extras import need


def as_pictures(raw: Raw, labels: tuple[str, ...], where: Path) -> Path:
    """A folder of class folders of PNG files, of uint8 `[rows, columns]` each."""
    need("images", "PIL", what="pictures as PNG files")
    from PIL import Image

    for at, path in enumerate(_places(raw, labels, where, "png")):
        Image.fromarray(raw.samples[at]).save(path)
    return where


def as_sounds(raw: Raw, labels: tuple[str, ...], where: Path) -> Path:
    """A folder of class folders of WAV files, of int16 and a rate each; a name begins with its speaker."""
    for at, path in enumerate(_places(raw, labels, where, "wav")):
        samples, rate_hz = raw.samples[at]
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, rate_hz, 0, "NONE", ""))
            file.writeframes(samples.astype("<i2").tobytes())
    return where


def as_table(raw: Raw, labels: tuple[str, ...], where: Path) -> Path:
    """A CSV table of timestamp, value and whether an anomaly is near, a line each five minutes."""
    path = where.with_suffix(".csv")
    began = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("timestamp", "value", "in_anomaly_window"))
        for at, (value, near) in enumerate(zip(raw.samples, raw.y.tolist(), strict=True)):
            moment = began + datetime.timedelta(minutes=MINUTES * at)
            table.writerow((f"{moment:%Y-%m-%d %H:%M:%S}", f"{float(value[0]):.9g}", near))
    return path


def as_arrays(raw: Raw, labels: tuple[str, ...], where: Path) -> Path:
    """An .npz file with x float32 `[rows, …]`, y by name, and the group of each row."""
    path = where.with_suffix(".npz")
    x = np.asarray(raw.samples, dtype=np.float32)
    np.savez(path, x=x, y=np.array(labels)[raw.y], group=np.array(raw.groups))
    return path


def _places(raw: Raw, labels: tuple[str, ...], where: Path, suffix: str) -> list[Path]:
    for label in labels:
        (where / label).mkdir(parents=True, exist_ok=True)
    names = (f"{group}-{at:05}" if group else f"{at:05}" for at, group in enumerate(raw.groups))
    return [where / labels[y] / f"{name}.{suffix}" for y, name in zip(raw.y, names, strict=True)]
