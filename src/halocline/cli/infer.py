"""halocline infer: take a first look at what a model, here or at a URL, says of your data."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
from cyclopts import Parameter

from halocline.cli.output import Json, finite, print_json, print_table, seconds
from halocline.errors import HaloclineError, Misconfigured, Rejected
from halocline.ports import Feed
from halocline.records import Anomaly, Array, Boxes, Interval, ModelSpec

if TYPE_CHECKING:
    from halocline.data import BadRow, Dataset

_NAMED = 10
"""So many rows that were left out are told to people; --json names all."""


class Row(msgspec.Struct, frozen=True):
    """What the model said of one row, and how long it took; `value` is None where its scores are unknown."""

    row: int
    name: str
    value: Any
    confidence: float | None
    elapsed_s: float
    outputs: Mapping[str, Array]


def infer(
    model: str,
    /,
    *,
    data: Path,
    rows: int = 10,
    strict: Annotated[bool, Parameter(negative="", show_default=False)] = False,
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
        Rows as .npy or .npz (one array, x or inputs, or one array for each input), or a folder of pictures
        or sounds, a CSV table, COCO or Parquet.
    rows
        The most rows to look at; 0 takes all.
    strict
        Fail where one row cannot be used, instead of naming it at the end.
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
    from halocline.cli.told_tuned import print_list
    from halocline.data import read
    from halocline.data.windows import series_for

    if rows < 0:
        raise Misconfigured("HAL-101", f"--rows must be 0 (all) or more, got {rows}")
    if not timeout_s > 0:
        raise Misconfigured("HAL-101", f"--timeout-s must be above 0, got {timeout_s}")
    said = Said(labels, scores, score_output)
    opened = (
        _at_url(model, said, timeout_s, token=token, ca=ca, cert=cert)
        if "://" in model
        else _in_file(Path(model), said, threads)
    )
    with opened as source:
        given = read(data, strict=strict, series=series_for(source.spec.input))
        bad = list(given.bad)
        looked = list(_look(source, given, rows, bad, strict=strict))
        if json:
            named = {"model": source.spec.ref.name, "rows": [_for_json(row) for row in looked]}
            print_json({**named, "bad": bad})
        else:
            _print(looked, source.told())
            print_list("Left out:", [f"{row.name}: {row.why}" for row in bad[:_NAMED]])
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
    one: Callable[[Any], Feed]
    many: Callable[[Any], Feed]
    ask: Callable[[Feed], Answer]
    told: Callable[[], str]

    @property
    def is_described(self) -> bool:
        """Whether the model says what its input means, and so takes raw samples."""
        return self.spec.input is not None


@contextmanager
def _in_file(path: Path, said: Said, threads: int | None) -> Iterator[Source]:
    from halocline.adapters.onnxruntime import load

    model = load(
        path, labels=said.labels, scores=said.scores, score_output=said.score_output, threads=threads
    )
    names = [each.name for each in model.spec.outputs]

    def ask(feed: Feed) -> Answer:
        if model.scores.kind is None and model.spec.output is None:
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
            if read.rows.values is not None:
                return Answer(read.rows.values[0], float(read.rows.confidence[0]), outputs)
            index = int(read.rows.index[0])
            return Answer(
                spec.labels[index] if spec.labels else index, float(read.rows.confidence[0]), outputs
            )

        def one(sample: Any) -> Feed:
            if spec.input is None or isinstance(sample, Mapping):
                return intake.one(sample)
            return model.prepare([sample])

        yield Source(spec, one, intake.many, ask, lambda: repr(model))


def _look(source: Source, given: "Dataset", rows: int, bad: "list[BadRow]", *, strict: bool) -> Iterator[Row]:
    """What the model says of each row; a row that cannot be made ready joins the bad ones.

    Raises Rejected where none can be, or with `strict` one cannot.
    """
    from halocline.data import BadRow

    count, fed = _fed(source, given)
    failed: Rejected | None = None
    any_came = False
    for at in range(min(rows, count) if rows else count):
        name = given.names[at] if at < len(given.names) else f"row {at}"
        try:
            one = fed(at)
        except (Rejected, OSError, ValueError) as exc:
            why, code = (exc.message, exc.code) if isinstance(exc, Rejected) else (str(exc), "HAL-304")
            bad.append(BadRow(name, why.partition(f"{name}: ")[2] or why))
            failed = failed or Rejected(code, why if name in why else f"{name}: {why}")
            if strict:
                break
            continue
        any_came = True
        began_s = time.perf_counter()
        try:
            answer = source.ask(one)
        except HaloclineError as exc:
            raise type(exc)(exc.code, f"{name}: {exc.message}") from exc
        is_raw = source.is_described and not isinstance(given.samples, Mapping)
        if isinstance(answer.value, Boxes) and is_raw:
            answer = answer._replace(value=_in_picture(answer.value, given.samples[at], source.spec))
        yield Row(at, name, answer.value, answer.confidence, time.perf_counter() - began_s, answer.outputs)
    if failed is not None and (strict or not any_came):
        raise failed


def _in_picture(boxes: Boxes, sample: Any, spec: ModelSpec) -> Any:
    """The boxes in fractions of the picture, where the tensor that the model saw is not all of it."""
    from halocline.adapters.decoders import decoders
    from halocline.edge.placing import in_picture
    from halocline.inputs.description import ImageInput
    from halocline.inputs.prepare import placement_of

    if not isinstance(spec.input, ImageInput):
        return boxes
    return in_picture(boxes, sample, spec.input, lambda raw, told: placement_of(raw, told, decoders()))


def _fed(source: Source, given: "Dataset") -> tuple[int, Callable[[int], Feed]]:
    """How many rows there are, and what gives the feed of each."""
    from halocline.tuning.intake import stacked

    samples, spec = given.samples, source.spec
    if isinstance(samples, Mapping):
        array = samples.get(spec.inputs[0].name)
    elif source.is_described:
        return len(samples), lambda at: source.one(samples[at])
    elif isinstance(samples, Sequence):
        return len(samples), lambda at: source.many(stacked([samples[at]], source.spec))
    else:
        array = samples
    is_one = array is not None and array.ndim < len(spec.inputs[0].shape)
    try:
        feed = source.one(samples) if is_one else source.many(samples)
    except Rejected as exc:
        if exc.code != "HAL-303" or is_one or array is None or len(array) < 2:
            raise
        return len(array), lambda at: source.many(_row(samples, at))  # NaN, in some of the rows
    return len(next(iter(feed.values()))), lambda at: {name: each[at : at + 1] for name, each in feed.items()}


def _row(samples: Any, at: int) -> Any:
    """One row of arrays, with its batch axis."""
    if isinstance(samples, Mapping):
        return {name: array[at : at + 1] for name, array in samples.items()}
    return samples[at : at + 1]


def _for_json(row: Row) -> dict[str, Any]:
    return {
        "row": row.row,
        "name": row.name,
        "value": row.value,
        "confidence": None if row.confidence is None else finite(row.confidence),
        "elapsed_s": row.elapsed_s,
        "outputs": row.outputs,
    }


def _print(looked: list[Row], model: str) -> None:
    from rich.console import Console

    Console(highlight=False, markup=False).print(model)
    if any(row.value is None for row in looked):
        cells = [[row.name, _outline(row.outputs), seconds(row.elapsed_s)] for row in looked]
        print_table(("row", "outputs", "time"), cells)
        print("What the scores are is not known, so there is no label: say it with --scores")
        return
    cells = [[row.name, _told(row.value), f"{row.confidence:.3f}", seconds(row.elapsed_s)] for row in looked]
    print_table(("row", "answer", "confidence", "time"), cells)


def _told(value: Any) -> str:
    """An answer on one line, whatever its task."""
    if isinstance(value, Boxes):
        names = value.labels or tuple(map(str, value.index.tolist()))
        found = (f"{name} {score:.2f}" for name, score in zip(names, value.scores.tolist(), strict=True))
        return ", ".join(found) or "nothing"
    if isinstance(value, Interval):
        return f"{value.value:.4g} ({value.low:.4g} to {value.high:.4g})"
    if isinstance(value, Anomaly):
        return f"{'anomaly' if value.is_anomaly else 'normal'}, score {value.score:.4g}"
    return str(value)


def _outline(outputs: Mapping[str, Array]) -> str:
    return "; ".join(f"{name}: {_first_values(array)}" for name, array in outputs.items())


def _first_values(array: Array) -> str:
    values = [f"{each:.4g}" if isinstance(each, float) else str(each) for each in array.ravel()[:4].tolist()]
    return ", ".join([*values, "…"] if array.size > 4 else values)
