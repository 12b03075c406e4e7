"""Write the temperatures of a machine as a table, with the anomalies that its owners marked."""

import csv
import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from halocline.demo.datasets.public.files import write_table
from halocline.errors import Misconfigured

_SERIES = "realKnownCause/machine_temperature_system_failure.csv"
PUBLISHED = f"data/{_SERIES}"
WINDOWS = "labels/combined_windows.json"
MARKED = _SERIES.replace("/", "__")
TABLE = "machine_temperature.csv"


def write_series(source: Path, to: Path, rows: int | None) -> Iterable[Path]:
    """TO/machine_temperature.csv: timestamp, value and label (normal, anomaly); the first `rows` lines."""
    to.mkdir(parents=True, exist_ok=True)
    read = _marked(source / MARKED) if (source / MARKED).exists() else _published(source)
    write_table(to / TABLE, ("timestamp", "value", "label"), read[:rows])
    yield to / TABLE


def _marked(path: Path) -> list[tuple[str, str, str]]:
    return [(row["timestamp"], row["value"], _label(row["in_anomaly_window"] == "1")) for row in _rows(path)]


def _published(source: Path) -> list[tuple[str, str, str]]:
    path = source / WINDOWS
    try:
        spans = [
            tuple(datetime.fromisoformat(each) for each in span)
            for span in json.loads(path.read_text(encoding="utf-8"))[_SERIES]
        ]
    except (OSError, ValueError, KeyError) as exc:
        raise Misconfigured("HAL-304", f"{path} does not say when {_SERIES} is anomalous ({exc})") from None
    found = []
    for row in _rows(source / PUBLISHED):
        when = datetime.fromisoformat(row["timestamp"])
        found.append((row["timestamp"], row["value"], _label(any(a <= when <= b for a, b in spans))))
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _label(is_anomaly: bool) -> str:
    return "anomaly" if is_anomaly else "normal"
