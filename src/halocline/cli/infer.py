"""halocline infer: take a first look at what a model, here or at a URL, says of your data."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from halocline.cli.output import Json, finite, print_json, print_table, seconds
from halocline.data.arrays import read_rows
from halocline.errors import HaloclineError, Misconfigured
from halocline.ports import Feed
from halocline.records import Array, ModelSpec


class Row(msgspec.Struct, frozen=True):
    """What the model said of one row, and how long it took; `value` is None where its scores are unknown."""

    row: int
    value: str | int | None
    confidence: float | None
    elapsed_s: float
    outputs: Mapping[str, Array]


def infer(
    model: str,
    /,
    *,
    data: Path,
    rows: int = 10,
    labels: Path | None = None,
    scores: str | None = None,
    score_output: str | None = None,
    threads: int | None = None,
    token: str | None = None,
    ca: Path | None = None,
    cert: Path | None = None,
    timeout_s: float = 10.0,
    json: Json = False,
) -> int:
    """Take a first look at what a model says of your data, row by row: label, confidence, time.

    Examples
    --------
    halocline infer edge.onnx --data x.npy

    Parameters
    ----------
    model
        An ONNX file, or the URL of a model, as in https://HOST:PORT/v2/models/NAME.
    data
        An .npy file, or an .npz file with one array, with x or inputs, or with one array for each input.
    rows
        The most rows to look at; 0 takes all.
    labels
        A file with one class name a line, or a .json list.
    scores
        What the score output holds, where the model does not say it: probabilities, logits or
        log_probabilities.
    score_output
        Which output holds the scores, where there are several.
    threads
        For a file: threads of one run.
    token
        For a URL: the bearer token, as env:NAME or file:PATH.
    ca
        For a URL: the authority to trust instead of the system's, PEM.
    cert
        For a URL: a client certificate with its key, PEM.
    timeout_s
        For a URL: seconds that the server has for each answer.
    json
        Print one JSON object on stdout and nothing else.
    """
    if rows < 0:
        raise Misconfigured("HAL-101", f"--rows must be 0 (all) or more, got {rows}")
    if not timeout_s > 0:
        raise Misconfigured("HAL-101", f"--timeout-s must be above 0, got {timeout_s}")
    given = read_rows(data)
    said = Said(labels, scores, score_output)
    opened = (
        _at_url(model, said, timeout_s, token=token, ca=ca, cert=cert)
        if "://" in model
        else _in_file(Path(model), said, threads)
    )
    with opened as source:
        looked = list(_look(source, given, rows))
        if json:
            print_json({"model": source.spec.ref.name, "rows": [_for_json(row) for row in looked]})
        else:
            _print(looked, source.told())
    return 0


class Said(NamedTuple):
    """What the user says of the model."""

    labels: Path | None
    scores: str | None
    score_output: str | None


class Answer(NamedTuple):
    """What a model says of one row."""

    value: str | int | None
    confidence: float | None
    outputs: Mapping[str, Array]


class Source(NamedTuple):
    """A model as this command needs it: check one sample or many, ask for one row, tell about itself."""

    spec: ModelSpec
    one: Callable[[Array | Feed], dict[str, Array]]
    many: Callable[[Array | Feed], dict[str, Array]]
    ask: Callable[[Feed], Answer]
    told: Callable[[], str]


@contextmanager
def _in_file(path: Path, said: Said, threads: int | None) -> Iterator[Source]:
    from halocline.adapters.onnxruntime import load

    model = load(
        path, labels=said.labels, scores=said.scores, score_output=said.score_output, threads=threads
    )
    names = [each.name for each in model.spec.outputs]

    def ask(feed: Feed) -> Answer:
        if model.scores.kind is None:
            outputs = model.run(feed)
            return Answer(None, None, {name: array[0] for name, array in zip(names, outputs, strict=True)})
        prediction = model.predict(feed)
        return Answer(prediction.value, prediction.confidence, prediction.outputs)

    yield Source(model.spec, model.conform, model.conform_batch, ask, lambda: repr(model))


@contextmanager
def _at_url(
    url: str, said: Said, timeout_s: float, *, token: str | None, ca: Path | None, cert: Path | None
) -> Iterator[Source]:
    from halocline.adapters.http import connect
    from halocline.adapters.onnxruntime.inputs import intake_of
    from halocline.adapters.onnxruntime.labels import read_labels
    from halocline.edge.reading import CloudReader
    from halocline.ports import Failed

    labels, _ = read_labels(said.labels, None)
    with connect(
        url,
        token=token,
        ca=ca,
        cert=cert,
        labels=labels,
        scores=said.scores,
        score_output=said.score_output,
    ) as model:
        spec = model.wait_ready(timeout_s)
        intake = intake_of(spec, allow_nan=True)
        reader = CloudReader(spec, None, None, None)

        def ask(feed: Feed) -> Answer:
            answer = model.infer(feed, timeout_s=timeout_s)
            outputs = {name: array[0] for name, array in answer.outputs.items()}
            read = reader.read(answer, spec, 1)
            if isinstance(read, Failed):
                return Answer(None, None, outputs)
            index = int(read.rows.index[0])
            return Answer(
                spec.labels[index] if spec.labels else index, float(read.rows.confidence[0]), outputs
            )

        yield Source(spec, intake.one, intake.many, ask, lambda: repr(model))


def _look(source: Source, given: Array | Feed, rows: int) -> Iterator[Row]:
    first = source.spec.inputs[0]
    array = given.get(first.name) if isinstance(given, Mapping) else given
    is_one = array is not None and array.ndim < len(first.shape)
    feed = source.one(given) if is_one else source.many(given)
    count = len(next(iter(feed.values())))
    for at in range(min(rows, count) if rows else count):
        one = {name: array[at : at + 1] for name, array in feed.items()}
        began_s = time.perf_counter()
        try:
            answer = source.ask(one)
        except HaloclineError as exc:
            raise type(exc)(exc.code, f"row {at}: {exc.message}") from exc
        yield Row(at, answer.value, answer.confidence, time.perf_counter() - began_s, answer.outputs)


def _for_json(row: Row) -> dict[str, Any]:
    return {
        "row": row.row,
        "value": row.value,
        "confidence": None if row.confidence is None else finite(row.confidence),
        "elapsed_s": row.elapsed_s,
        "outputs": row.outputs,
    }


def _print(looked: list[Row], model: str) -> None:
    from rich.console import Console

    Console(highlight=False, markup=False).print(model)
    if any(row.value is None for row in looked):
        cells = [[str(row.row), _outline(row.outputs), seconds(row.elapsed_s)] for row in looked]
        print_table(("row", "outputs", "time"), cells)
        print("What the scores are is not known, so there is no label: say it with --scores")
        return
    cells = [
        [str(row.row), str(row.value), f"{row.confidence:.3f}", seconds(row.elapsed_s)] for row in looked
    ]
    print_table(("row", "answer", "confidence", "time"), cells)


def _outline(outputs: Mapping[str, Array]) -> str:
    return "; ".join(f"{name}: {_first_values(array)}" for name, array in outputs.items())


def _first_values(array: Array) -> str:
    values = [f"{each:.4g}" if isinstance(each, float) else str(each) for each in array.ravel()[:4].tolist()]
    return ", ".join([*values, "…"] if array.size > 4 else values)
