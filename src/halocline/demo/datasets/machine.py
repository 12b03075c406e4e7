"""Temperature of a machine over time (NAB): a row each five minutes, and whether it stood near a failure."""

import csv
from pathlib import Path

import numpy as np

from halocline.demo.datasets.files import check_folder
from halocline.demo.datasets.raw import Raw, RawParts
from halocline.errors import Misconfigured
from halocline.records import Array

FILES = ("realKnownCause__machine_temperature_system_failure.csv",)
LABELS = ("normal", "anomaly")
MINUTES = 5
_TRAIN, _TUNE = 9_000, 12_000
"""Rows before the first train, rows up to the second tune; two of the four failures are among the first."""


def read_machine(folder: Path) -> RawParts:
    """The recording in order of time, cut in three. Raises Misconfigured (HAL-304)."""
    check_folder(folder, FILES, "the machine's temperature")
    path = folder / FILES[0]
    try:
        with path.open(newline="") as file:
            rows = [(float(row["value"]), int(row["in_anomaly_window"])) for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as exc:
        raise Misconfigured(
            "HAL-304", f"{path} is not a table of timestamp, value and in_anomaly_window ({exc})"
        ) from None
    value, near = np.array(rows, dtype=np.float64).reshape(-1, 2).T
    return in_time(value, near.astype(np.int64), _TRAIN, _TUNE)


def in_time(value: Array, near: Array, train: int, tune: int) -> RawParts:
    """The rows before `train`, those from there to `tune`, and the rest."""

    def part(rows: slice) -> Raw:
        return Raw(value[rows, None].astype(np.float32), near[rows], [""] * len(near[rows]))

    return RawParts(LABELS, part(slice(0, train)), part(slice(train, tune)), part(slice(tune, None)))
