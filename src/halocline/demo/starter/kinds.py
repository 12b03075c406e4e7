"""Fill a folder for each kind of starter: rows in the form that people have, and models that take them."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

import halocline as hc
from halocline.adapters.decoders import decoders
from halocline.data import read
from halocline.data.windows import series_for
from halocline.demo.starter.drawn import WINDOW, Rows, pictures, readings, recordings
from halocline.demo.starter.models import trained
from halocline.inputs.prepare import prepare_of
from halocline.records import Array
from halocline.trial.png import png_of
from halocline.wire import agent_file
from halocline.wire.model_file import read_description

TRAINED_ON = 2000


class Starter(msgspec.Struct, frozen=True, kw_only=True):
    """One kind: its classes, how rows are made and written, and how large the networks are.

    `rows` rows are written as `data`, which neither model was trained on; the policy loses `max_loss`
    at most.
    """

    labels: tuple[str, ...]
    make: Callable[[int, np.random.Generator], Rows]
    write: Callable[[Path, Rows, tuple[str, ...]], None]
    data: str
    rows: int
    edge: tuple[int, ...]
    cloud: tuple[int, ...]
    max_loss: float


def fill(folder: Path, starter: Starter, seed: int) -> None:
    """Write the rows, both models, a policy and an agent's settings; the models' descriptions are there."""
    rng = np.random.default_rng(seed)
    known, rows = starter.make(TRAINED_ON, rng), starter.make(starter.rows, rng)
    for name, hidden in (("edge", starter.edge), ("cloud", starter.cloud)):
        tensor = _prepared(folder / f"{name}.model.toml", known.x)
        (folder / f"{name}.onnx").write_bytes(trained(tensor, known.y, starter.labels, hidden, seed))
    starter.write(folder, rows, starter.labels)
    edge, cloud = hc.load(folder / "edge.onnx"), hc.load(folder / "cloud.onnx")
    # From the files, as `halocline tune` reads them: run there, it finds the same policy.
    data = read(folder / starter.data, series=series_for(edge.spec.input))
    tuned = hc.tune(
        edge, cloud, data.samples, data.labels, data.groups, max_loss=starter.max_loss, cache=False
    )
    tuned.save(folder / "policy.toml")
    told = agent_file.starter(cloud="cloud.onnx", policy="policy.toml")
    (folder / "edge.toml").write_text(told, encoding="utf-8")


def _prepared(description: Path, raw: Array) -> Array:
    """The rows of the tensor that a model with that description takes."""
    told = read_description(description).input
    assert told is not None  # every template has one
    prepare = prepare_of(told, decoders())
    return np.stack([prepare(row) for row in raw])


def _write_arrays(folder: Path, rows: Rows, labels: tuple[str, ...]) -> None:
    np.savez(folder / "rows.npz", x=rows.x, y=np.asarray(labels)[rows.y])


def _write_pictures(folder: Path, rows: Rows, labels: tuple[str, ...]) -> None:
    for at, (pixels, index) in enumerate(zip(rows.x, rows.y, strict=True)):
        file = folder / "pictures" / labels[index] / f"{at:03}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png_of(pixels))


def _write_table(folder: Path, rows: Rows, labels: tuple[str, ...]) -> None:
    with open(folder / "readings.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["timestamp", "vibration", "temperature", "label", "group"])
        for at, window in enumerate(rows.x):
            beside: tuple[Any, ...] = (labels[rows.y[at]], f"machine {rows.group[at]:02}")
            for step, (vibration, temperature) in enumerate(window):
                table.writerow([at * WINDOW + step, f"{vibration:.3f}", f"{temperature:.2f}", *beside])


STARTERS = {
    "classifier": Starter(
        labels=("good", "worn", "broken"),
        make=readings,
        write=_write_arrays,
        data="rows.npz",
        rows=600,
        edge=(),
        cloud=(32,),
        max_loss=0.05,
    ),
    "camera": Starter(
        labels=("disc", "square", "triangle"),
        make=pictures,
        write=_write_pictures,
        data="pictures",
        rows=480,
        edge=(),
        cloud=(48,),
        max_loss=0.05,
    ),
    "sensor": Starter(
        labels=("steady", "rattling", "overheating"),
        make=recordings,
        write=_write_table,
        data="readings.csv",
        rows=240,
        edge=(4,),
        cloud=(32,),
        max_loss=0.1,
    ),
}
