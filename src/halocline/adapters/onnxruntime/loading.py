"""Load a model file: provider, specification, scores, labels and a first run, or one line saying why not."""

import contextlib
import math
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
import onnxruntime as ort

from halocline.adapters.onnxruntime.graph import Graph, read_graph, read_graph_file
from halocline.adapters.onnxruntime.labels import check_count, read_labels
from halocline.adapters.onnxruntime.model import OnnxModel
from halocline.adapters.onnxruntime.providers import Force, in_force, wanted
from halocline.adapters.onnxruntime.scores import Scores, count_classes, read_scores
from halocline.errors import Misconfigured
from halocline.records import Array, Boxes, ModelRef, ModelSpec, Task, TensorSpec

if TYPE_CHECKING:
    from halocline.decide.outputs import Output
    from halocline.inputs.description import Input
    from halocline.wire.model_file import Description

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(string)": "object",
    "tensor(bool)": "bool",
    **{f"tensor({name})": name for name in ("int8", "int16", "int32", "int64")},
    **{f"tensor({name})": name for name in ("uint8", "uint16", "uint32", "uint64")},
}

# Only what nothing else tells us: ONNX Runtime's warnings go to stderr, where they bury our one line.
_ERRORS_ONLY, _FATAL_ONLY = 3, 4

_MAX_REASON_CHARS = 300

_MOST_CHANCE = 1.01  # rounding, in a quantized model too, goes no further beyond 1
_MAX_TRIAL_VALUES = 100_000_000
"""A damaged file may announce an input that no memory holds."""


@runtime_checkable
class ModelProto(Protocol):
    """An `onnx.ModelProto`, or anything else that turns into its bytes."""

    def SerializeToString(self) -> bytes:  # noqa: N802  the name that protobuf gives it
        """The model file's bytes."""


def load(
    source: str | os.PathLike[str] | bytes | ModelProto,
    *,
    name: str | None = None,
    version: str = "",
    labels: Sequence[str] | str | os.PathLike[str] | None = None,
    providers: Sequence[str] | None = None,
    threads: int | None = None,
    scores: str | None = None,
    score_output: str | None = None,
    task: "Task | str | Output | None" = None,
    description: "str | os.PathLike[str] | Description | Input | Literal[False] | None" = None,
    allow_nan: bool = False,
) -> OnnxModel:
    """Load a model and run it once.

    `source` is a path, the file's bytes, or an `onnx.ModelProto`; `description` says what its input means: a
    file, a Description or an input (None: NAME.model.toml beside NAME.onnx, if there; False: none); `labels`
    a list or a file of names (else those of the description, else the model's own "labels" property);
    `providers` execution providers by name (else the best one there is); `threads` the threads of one run
    (None: the runtime's choice). `scores` says what the score output holds ("probabilities", "logits",
    "log_probabilities") and `score_output` which output it is, where the graph does not show it. `task`,
    which goes before the description's, says what a model does that is no classifier, by how its outputs
    are read: `DetectOutput(…)`, `RegressOutput(…)`, `ScoreOutput(…)`; or by its name, where they are read
    by the `confidence` of `Tiered`.

    Raises Misconfigured: HAL-101, HAL-102, HAL-201, HAL-202, HAL-203, HAL-205, HAL-208,
    HAL-209, HAL-330, HAL-331.
    """
    if threads is not None and threads < 1:
        raise Misconfigured(
            "HAL-101", f"threads must be 1 or more, got {threads}. Leave it out for the default"
        )
    model, where = _source(source)
    own, file = _description(model, description)
    described, does, form = _stated(own, task)
    if does is not Task.CLASSIFY and (scores or score_output):
        raise Misconfigured("HAL-102", f"scores= and score_output= are a classifier's; the task is {does}")
    session, force = _open(model, where, providers, threads)
    inputs, outputs, properties = _described(session, where)
    trial = _Trial(session, inputs, outputs)
    trial(0)
    if does is Task.CLASSIFY:
        found = read_scores(_graph(model, where), outputs, trial, kind=scores, output=score_output)
    else:
        found = Scores(None, None, f"its task is {does}")
    ref = ModelRef(name or _name(model, properties), version)
    told = described.labels if described is not None and labels is None else None
    where_told = file if told and file else "labels="
    names, names_where = read_labels(told or labels, properties.get("labels"), where_told)
    if does is Task.CLASSIFY:
        check_count(names, names_where, count_classes(found.output, outputs, trial), str(ref))
    spec = ModelSpec(
        ref=ref,
        inputs=inputs,
        outputs=outputs,
        labels=names,
        score_output=found.output if found.kind else None,
        score_kind=found.kind,
        task=does,
        output=form,
        input=described.input if described is not None else None,
    )
    if spec.input is not None:
        from halocline.adapters.onnxruntime.fit import check_fit  # a bare model needs none

        with _naming(file):
            check_fit(spec)
    with _naming(file if task is None else ""):
        if form is not None:
            _check_form(spec, trial(0))
    return OnnxModel(
        session,
        spec,
        scores=found,
        force=force,
        warmup_s=trial.first_s,
        allow_nan=allow_nan,
        keep=model,
        description=described,
    )


def _check_form(spec: ModelSpec, made: Mapping[str, Array] | None) -> None:
    """Raise Misconfigured (HAL-330, HAL-331) where the outputs cannot be read as they are described.

    `made` is what the model gave for a made-up row.
    """
    from halocline.decide.tasks import task_reader  # a classifier's start need not load it

    reader = task_reader(spec, spec.labels)
    if made is not None:
        said = reader.read(made, max(spec.inputs[0].shape[0], 1)).values
        most = max((each.scores.max(initial=0.0) for each in said if isinstance(each, Boxes)), default=0.0)
        if most > _MOST_CHANCE:
            raise Misconfigured(
                "HAL-331",
                f"the scores reach {most:.4g}, expected chances from 0 to 1. Where they are logits, say "
                'detect.activation = "sigmoid" (or "softmax")',
            )


def _description(
    model: str | bytes, given: "str | os.PathLike[str] | Description | Input | Literal[False] | None"
) -> "tuple[Description | None, str]":
    """The description given, or the one beside the model's file; and the name of the file it is in, or ""."""
    if given is False:
        return None, ""
    if given is None:
        file = "" if isinstance(model, bytes) else f"{os.path.splitext(model)[0]}.model.toml"
        if not os.path.exists(file):
            return None, ""
        given = file
    from halocline.inputs.description import Input
    from halocline.wire.model_file import Description, read_description  # a bare model needs none

    if isinstance(given, str | os.PathLike):
        return read_description(given), os.fspath(given)
    if isinstance(given, Description):
        return given, ""
    if isinstance(given, Input):
        return Description(input=given), ""
    raise Misconfigured(
        "HAL-208", f"description: expected a path, a Description, an input or False, got {given!r}"
    )


@contextlib.contextmanager
def _naming(file: str) -> Iterator[None]:
    """Errors inside are about what that file says."""
    try:
        yield
    except Misconfigured as exc:
        raise Misconfigured(exc.code, f"{file}: {exc.message}" if file else exc.message) from None


def _stated(
    described: "Description | None", given: "Task | str | Output | None"
) -> "tuple[Description | None, Task, Output | None]":
    """The task that the caller states, else the description; a description that holds what was stated."""
    if described is None and given is None:
        return None, Task.CLASSIFY, None
    from halocline.wire.model_file import Description, task_of, with_task  # a bare model needs none

    if given is not None:
        described = with_task(described or Description(), given)
    assert described is not None
    return described, *task_of(described)


def _source(source: str | os.PathLike[str] | bytes | ModelProto) -> tuple[str | bytes, str]:
    """A path or the bytes, and what messages call it."""
    if isinstance(source, str | os.PathLike):
        path = os.path.expanduser(source)
        if not os.path.exists(path):
            raise Misconfigured("HAL-201", f"{path} does not exist (looked in {os.getcwd()}){_near(path)}")
        if not os.path.isfile(path):
            raise Misconfigured("HAL-201", f"{path} is not a file; expected an ONNX model file")
        return path, path
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source), "the model"
    if isinstance(source, ModelProto):
        try:
            return source.SerializeToString(), "the model"
        except ValueError as exc:
            raise Misconfigured(
                "HAL-201", f"the model does not turn into bytes ({_line(exc)}). Save it and give the path"
            ) from None
    raise Misconfigured(
        "HAL-201", f"expected a path, bytes or an onnx.ModelProto, got {type(source).__name__}"
    )


def _open(
    model: str | bytes, where: str, asked: Sequence[str] | None, threads: int | None
) -> tuple[Any, Force]:
    available = ort.get_available_providers()
    tried = wanted(asked, available)
    failed = ""
    for start in range(len(tried)):
        try:
            # enable_fallback=0: without it the runtime changes the provider by itself, and prints.
            session = ort.InferenceSession(
                model,
                _options(threads),
                providers=tried[start:],
                enable_fallback=0,
            )
        except Exception as exc:  # the runtime's errors have no common base
            if start + 1 == len(tried):
                raise _not_loaded(model, where, exc) from exc
            failed = failed or f"{tried[start].removesuffix('ExecutionProvider')} refused: {_reason(exc)}"
            continue
        return session, in_force(asked, tried, session.get_providers(), failed)
    raise Misconfigured(
        "HAL-205", f"ONNX Runtime has no provider that runs here, only {', '.join(available)}"
    )


def _options(threads: int | None) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    # A thread that spins for work eats a core of the device that other programs need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads is not None:
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
    return options


def _graph(model: str | bytes, where: str) -> Graph | None:
    # The runtime also loads its own .ort format, which is no protobuf: the scores are then unknown.
    with contextlib.suppress(Misconfigured):
        return read_graph_file(model) if isinstance(model, str) else read_graph(model, where=where)
    return None


def _described(
    session: Any, where: str
) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...], Mapping[str, str]]:
    """The model's inputs, outputs and properties, as the runtime tells them."""
    try:
        inputs = tuple(_tensor(each, "takes", where) for each in session.get_inputs())
        outputs = tuple(_tensor(each, "gives", where) for each in session.get_outputs())
        properties: Mapping[str, str] = session.get_modelmeta().custom_metadata_map
    except UnicodeDecodeError:  # the runtime lets any bytes pass as a name
        raise Misconfigured(
            "HAL-201", f"{where} holds a name that is not UTF-8; the file is damaged"
        ) from None
    if not inputs or not outputs:
        raise Misconfigured("HAL-201", f"{where} takes no input or gives no output")
    return inputs, outputs, properties


def _tensor(arg: Any, verb: str, where: str) -> TensorSpec:
    dtype = _DTYPES.get(arg.type)
    if dtype is None:
        if "map(" in arg.type:
            raise Misconfigured(
                "HAL-202",
                f"{where} {verb} {arg.name!r} as a dictionary for each row (a ZipMap), not as an array. "
                f'Convert it with convert_sklearn(…, options={{"zipmap": False}})',
            )
        raise Misconfigured(
            "HAL-201", f"{where} {verb} {arg.name!r} of type {arg.type}, which no array can hold"
        )
    shape = tuple(size if isinstance(size, int) and size >= 0 else -1 for size in arg.shape)
    return TensorSpec(arg.name, dtype, shape)


class _Trial:
    """Runs the session on one made-up row: zeros for seed 0, else noise. Each seed runs once."""

    def __init__(self, session: Any, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
        self.first_s: float | None = None
        self._session = session
        self._inputs = inputs
        self._names = [each.name for each in outputs]
        self._done: dict[int, Mapping[str, Array] | None] = {}

    def __call__(self, seed: int) -> Mapping[str, Array] | None:
        if seed not in self._done:
            self._done[seed] = self._run(seed)
        return self._done[seed]

    def _run(self, seed: int) -> Mapping[str, Array] | None:
        if sum(math.prod(max(size, 1) for size in each.shape) for each in self._inputs) > _MAX_TRIAL_VALUES:
            return None
        rng = np.random.default_rng(seed) if seed else None
        feed = {each.name: _made_up(each, rng) for each in self._inputs}
        quiet = ort.RunOptions()
        quiet.log_severity_level = _FATAL_ONLY
        start_s = time.perf_counter()
        try:
            results = self._session.run(self._names, feed, quiet)
        except Exception:  # a free size of 1 may be too small for the model, zeros may divide: no trial then
            return None
        if self.first_s is None:
            self.first_s = time.perf_counter() - start_s
        return dict(zip(self._names, results, strict=True))


def _made_up(spec: TensorSpec, rng: "np.random.Generator | None") -> Array:
    shape = tuple(max(size, 1) for size in spec.shape)
    if spec.dtype == "object":
        return np.full(shape, "", dtype=object)
    if rng is not None and spec.dtype.startswith("float"):
        return rng.standard_normal(shape).astype(spec.dtype)
    return np.zeros(shape, spec.dtype)


def _name(model: str | bytes, properties: Mapping[str, str]) -> str:
    if isinstance(model, str):
        return os.path.splitext(os.path.basename(model))[0]
    return properties.get("name") or "model"


def _not_loaded(model: str | bytes, where: str, exc: Exception) -> Misconfigured:
    head = _head(model)
    for start, magic, what in _LOOKS_LIKE:
        if head[start : start + len(magic)] == magic:
            return Misconfigured("HAL-201", f"{where} is {what}, expected an ONNX model")
    reason = _reason(exc)
    if "protobuf" in reason.lower():
        try:
            _ = read_graph_file(model) if isinstance(model, str) else read_graph(model, where=where)
        except Misconfigured as better:
            return better
    return Misconfigured("HAL-201", f"{where} does not load: {reason}")


_LOOKS_LIKE = (
    (0, b"PK\x03\x04", "a zip file (a PyTorch checkpoint or a Keras model?); export it to ONNX first"),
    (0, b"\x89HDF", "an HDF5 file (a Keras model?); convert it with tf2onnx first"),
    (4, b"TFL3", "a TFLite model; convert it with tf2onnx first"),
    (0, b"\x80\x04\x95", "a Python pickle; convert it with skl2onnx first"),
    (0, b"version https://git-lfs", "a Git LFS pointer; fetch the file itself with `git lfs pull`"),
    (0, b"<!DOCTYPE", "a web page; the download did not reach the file"),
    (0, b"<html", "a web page; the download did not reach the file"),
)


def _head(model: str | bytes) -> bytes:
    if isinstance(model, bytes):
        return model[:32]
    with contextlib.suppress(OSError), open(model, "rb") as file:
        return file.read(32)
    return b""


def _near(path: str) -> str:
    """What else lies in that folder, where it helps."""
    with contextlib.suppress(OSError):
        others = sorted(each for each in os.listdir(os.path.dirname(path) or ".") if each.endswith(".onnx"))[
            :5
        ]
        if others:
            return f"; that folder has {', '.join(others)}"
    return ""


_PREFIX = r"^\[ONNXRuntimeError\] : \d+ : \w+ : "
_LOAD_FROM = r"Load model from .*? failed:"
# "/src/core/graph/model.cc:256 onnxruntime::Model::Model(onnx::ModelProto&&, …) " before what matters
_CPP_PLACE = r"\S+\.(?:cc|cpp|h|hpp|cu|cuh):\d+ [^()]*\((?:[^()]|\([^()]*\))*\)(?: const)? ?"


def _reason(exc: Exception) -> str:
    """What the runtime said, without its prefixes and the places in its own source, on one line."""
    text = str(exc)
    for pattern in (_PREFIX, _LOAD_FROM, _CPP_PLACE):
        text = re.sub(pattern, "", text)
    return _line(text)


def _line(text: object) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= _MAX_REASON_CHARS else line[: _MAX_REASON_CHARS - 1] + "…"
