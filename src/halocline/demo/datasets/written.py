"""Write raw samples as files, laid out as `halocline data get` lays out the public sets."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from halocline.demo.datasets.machine import MINUTES
from halocline.demo.datasets.public.files import write_png, write_table, write_wav
from halocline.demo.datasets.raw import Raw


def as_pictures(raw: Raw, labels: tuple[str, ...], where: Path) -> Path:
    """A folder of class folders of PNG files, of uint8 `[rows, columns]` each, and rows.csv."""
    return _listed(raw, labels, where, "png", write_png)


def as_sounds(raw: Raw, labels: tuple[str, ...], where: Path) -> Path:
    """A folder of class folders of WAV files, of float samples and a rate each, and rows.csv."""
    return _listed(raw, labels, where, "wav", lambda path, sound: write_wav(path, *sound))


def as_table(raw: Raw, labels: tuple[str, ...], where: Path) -> Path:
    """A CSV table of timestamp, value and label, a line each five minutes."""
    path = where.with_suffix(".csv")
    began = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    rows = (
        (
            f"{began + datetime.timedelta(minutes=MINUTES * at):%Y-%m-%d %H:%M:%S}",
            f"{float(value[0]):.9g}",
            labels[near],
        )
        for at, (value, near) in enumerate(zip(raw.samples, raw.y.tolist(), strict=True))
    )
    write_table(path, ("timestamp", "value", "label"), rows)
    return path


def as_arrays(raw: Raw, labels: tuple[str, ...], where: Path) -> Path:
    """An .npz file with x float32 `[rows, …]`, y by name, and the group of each row."""
    path = where.with_suffix(".npz")
    x = np.asarray(raw.samples, dtype=np.float32)
    np.savez(path, x=x, y=np.array(labels)[raw.y], group=np.array(raw.groups))
    return path


def _listed(
    raw: Raw, labels: tuple[str, ...], where: Path, suffix: str, write: Callable[[Path, Any], object]
) -> Path:
    """Each sample as CLASS/NUMBER or CLASS/GROUP_NUMBER, and rows.csv that names them."""
    table = []
    for at, (y, group) in enumerate(zip(raw.y.tolist(), raw.groups, strict=True)):
        home = labels[y].replace("/", "-").replace(" ", "-")
        name = f"{home}/{group}{'_' if group else ''}{at:05}.{suffix}"
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        write(where / name, raw.samples[at])
        table.append((name, labels[y], group) if group else (name, labels[y]))
    write_table(where / "rows.csv", ("file", "label", "group")[: len(table[0])], table)
    return where
