"""Train an edge and a cloud model that take raw samples, each by a description of its own, and write them."""

import math
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from halocline.adapters.decoders import decoders
from halocline.decide.outputs import ScoreOutput
from halocline.demo.datasets import graph
from halocline.demo.datasets.model import Trained, train
from halocline.demo.datasets.network import BATCH, Recipe
from halocline.demo.datasets.raw import Raw, RawParts
from halocline.inputs.description import ArrayInput, Input, SeriesInput
from halocline.inputs.prepare import prepare_of
from halocline.inputs.series import windows
from halocline.records import Array, Task
from halocline.wire.model_file import Description, beside, description_text

_DIGITS = 4
"""So many digits of a mean and a spread stand in a description: what is trained on is what people read."""
_LEAST_STEPS = 300
"""A small set is gone through more often than its recipe says, so that the network gets this far."""


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One model of a pair: what it is given, and how it is trained on that.

    With `is_scaled` the mean and the spread of the training tensors become part of the description.
    `is_turned` names the classes the other way round, as another team would have.
    """

    input: Input
    recipe: Recipe
    is_scaled: bool = False
    is_turned: bool = False


class Kit(msgspec.Struct, frozen=True, kw_only=True):
    """A set of raw samples and the two models for it.

    `read` takes the folder of the real set, of which `files` says what it needs; `made` gives small made
    samples of that kind; `write` leaves samples as files. With the task score there are two classes, of which
    the second is the anomaly.
    """

    name: str
    files: Callable[[Path], tuple[str, ...]]
    read: Callable[[Path], RawParts]
    made: Callable[[], RawParts]
    write: Callable[[Raw, tuple[str, ...], Path], Path]
    edge: Side
    cloud: Side
    task: Task = Task.CLASSIFY


def write_models(folder: Path, kit: Kit, parts: RawParts, seed: int) -> None:
    """Train both on the samples that train, and write edge.onnx, cloud.onnx and a description beside each."""
    for name, side in (("edge", kit.edge), ("cloud", kit.cloud)):
        model, description = _made(kit, side, parts, seed)
        path = folder / f"{name}.onnx"
        path.write_bytes(model)
        head = f"What the {name} model of {kit.name} is given, and what it answers."
        beside(path).write_text(description_text(description, head))


def _made(kit: Kit, side: Side, parts: RawParts, seed: int) -> tuple[bytes, Description]:
    told = side.input
    rows, y = _prepared(told, parts.train)
    if side.is_scaled:
        mean, spread = (float(f"{each:.{_DIGITS}g}") for each in (rows.mean(), rows.std()))
        told = msgspec.structs.replace(told, mean=(mean,), std=(spread,))
        rows, _ = _prepared(told, parts.train)
    labels = parts.labels[::-1] if side.is_turned else parts.labels
    y = len(labels) - 1 - y if side.is_turned else y
    scores = kit.task is Task.SCORE
    flat = rows.reshape(len(rows), -1)
    trained = train(flat, y, len(labels), _enough(side.recipe, len(flat)), seed)
    if len(labels) == 2:
        trained = _even(trained, flat, y)
    model = trained.to_onnx(
        flat.shape[1], labels, features=False, row=rows.shape[1:] if rows.ndim > 2 else None, excess=scores
    )
    return model, Description(
        task=kit.task,
        labels=labels,
        input=told,
        score=ScoreOutput(threshold=0.0, scale=1.0, output=graph.EXCESS) if scores else None,
    )


def _prepared(told: Input, raw: Raw) -> tuple[Array, Array]:
    """The tensors of the samples, as the model will be given them, and their classes."""
    prepare = prepare_of(told, decoders())
    if isinstance(told, SeriesInput):
        y = raw.y[told.window - 1 :: told.hop or told.window]
        rows = np.stack([prepare(window) for window in windows(raw.samples, told)])
        return rows, y[: len(rows)]
    if isinstance(told, ArrayInput):
        return prepare(np.asarray(raw.samples)), raw.y
    return np.stack([prepare(sample) for sample in raw.samples]), raw.y


def _enough(recipe: Recipe, rows: int) -> Recipe:
    epochs = math.ceil(_LEAST_STEPS / math.ceil(rows / BATCH))
    return msgspec.structs.replace(recipe, epochs=max(recipe.epochs, epochs))


def _even(trained: Trained, rows: Array, y: Array) -> Trained:
    """The same model, with a bias that makes it say the second class as often as that is so."""
    told = np.clip(trained.scores(rows)[:, 1].astype(np.float64), 1e-6, 1 - 1e-6)
    border = float(np.quantile(np.log(told / (1 - told)), 1 - y.mean()))
    shift = np.array([border / 2, -border / 2], np.float32)
    moved = [
        msgspec.structs.replace(each, biases=(*each.biases[:-1], each.biases[-1] + shift))
        for each in trained.networks
    ]
    return msgspec.structs.replace(trained, networks=tuple(moved))
