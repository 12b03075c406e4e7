"""Recognise from a model's graph, and confirm by a trial run, what its scores are. Never a guess.

A Softmax at the end gives probabilities, a LogSoftmax their logarithms. A model made from scikit-learn
has two outputs, the class and one row of probabilities. Anything else is unknown until the user says it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec
import numpy as np

from halocline.adapters.onnxruntime.graph import Graph, Node
from halocline.adapters.onnxruntime.names import near_names
from halocline.errors import Misconfigured
from halocline.records import Array, ScoreKind, TensorSpec

_KEEPS_VALUES = frozenset(
    {
        "Identity",
        "Cast",
        "Reshape",
        "Flatten",
        "Squeeze",
        "Unsqueeze",
        "Dropout",
        "QuantizeLinear",
        "DequantizeLinear",
    }
)
_ENDINGS = {"Softmax": ScoreKind.PROBABILITIES, "LogSoftmax": ScoreKind.LOG_PROBABILITIES}
_REMARKS = {"Sigmoid": ", which gives each number a chance of its own, not one row of class probabilities"}
_MAX_STEPS_BACK = 32

# An 8-bit Softmax over ten classes is off by up to .02 in the sum.
_SUM_TOLERANCE = 0.03

Trial: TypeAlias = Callable[[int], Mapping[str, Array] | None]
"""Runs the model on one made-up row (0: zeros, else seeded noise): its outputs, None where it cannot run."""


class Scores(msgspec.Struct, frozen=True):
    """Which output holds class scores, what they are, and how that is known (or why it is not)."""

    output: str | None
    kind: ScoreKind | None
    how: str


def read_scores(
    graph: Graph | None,
    outputs: Sequence[TensorSpec],
    trial: Trial,
    *,
    kind: str | None,
    output: str | None,
) -> Scores:
    """What the scores are: what the user says (`kind`, `output`), else what the graph shows.

    Raises Misconfigured: HAL-102 for a name that is none, HAL-202 where the user's word cannot be true.
    """
    if output is not None:
        _check_name(output, outputs)
        outputs = [each for each in outputs if each.name == output]
    if kind is not None:
        return _told(_kind(kind), outputs, graph, trial)
    found = _recognised(graph, outputs)
    if found.kind is not None:
        wrong = _contradiction(found, trial)
        return Scores(found.output, None, f"{found.how}, but {wrong}") if wrong else found
    if found.output is None and output is None:
        pair = _label_and_probabilities(outputs, trial)
        return pair or found
    return found


def count_classes(name: str | None, outputs: Sequence[TensorSpec], trial: Trial) -> int | None:
    """How many classes the score output has, as declared or else as a trial run gave it; None: unknown."""
    candidates = [each for each in outputs if each.name == name] if name else _matrices(outputs)
    if len(candidates) != 1:
        return None
    spec = candidates[0]
    if len(spec.shape) == 2 and spec.shape[1] > 0:
        return spec.shape[1]
    rows = _trial_rows(spec.name, trial)
    return rows.shape[1] if rows is not None and rows.ndim == 2 else None


def _told(kind: ScoreKind, outputs: Sequence[TensorSpec], graph: Graph | None, trial: Trial) -> Scores:
    candidates = list(outputs) if len(outputs) == 1 else _matrices(outputs)
    if len(candidates) > 1 and graph is not None:
        ends = [each for each in candidates if _ending(graph, each.name)[0] is kind]
        candidates = ends if len(ends) == 1 else candidates
    if len(candidates) != 1:
        names = ", ".join(each.name for each in candidates or outputs)
        raise Misconfigured(
            "HAL-202",
            f"scores={kind.value!r} was given, but which output holds them is not clear among {names}. "
            f"Say it: score_output=NAME",
        )
    name = candidates[0].name
    rows = _trial_rows(name, trial)
    if rows is not None and _impossible(rows, kind):
        raise Misconfigured(
            "HAL-202",
            f"scores={kind.value!r} cannot be right: on a trial row the output {name!r} holds values "
            f"from {rows.min():.4g} to {rows.max():.4g}. Try scores='logits'",
        )
    return Scores(name, kind, "said by the caller")


def _recognised(graph: Graph | None, outputs: Sequence[TensorSpec]) -> Scores:
    if graph is None:
        return Scores(None, None, "the file's graph is not readable here")
    found = []
    notes = []
    for spec in outputs:
        kind, op = _ending(graph, spec.name)
        if kind is not None and len(spec.shape) == 2:
            found.append(Scores(spec.name, kind, f"{spec.name!r} ends in a {op}"))
        elif op:
            notes.append(f"{spec.name!r} ends in {op}" + _REMARKS.get(op, ""))
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(repr(each.output) for each in found)
        return Scores(None, None, f"{names} all hold scores: name one with score_output")
    return Scores(None, None, "; ".join(notes) or "the graph does not show it")


def _ending(graph: Graph, output: str) -> tuple[ScoreKind | None, str]:
    """The operator that makes an output's values, and what kind of scores it gives."""
    makers: Mapping[str, Node] = {name: node for node in graph.nodes for name in node.outputs if name}
    name = output
    for _ in range(_MAX_STEPS_BACK):
        node = makers.get(name)
        if node is None:
            return None, ""
        if not node.is_standard or node.op not in _KEEPS_VALUES or not node.inputs:
            return (_ENDINGS.get(node.op) if node.is_standard else None), node.op
        name = node.inputs[0]
    return None, ""


def _label_and_probabilities(outputs: Sequence[TensorSpec], trial: Trial) -> Scores | None:
    """scikit-learn's two outputs, the class and its probabilities, the second confirmed by trial rows."""
    matrices = _matrices(outputs)
    labels = [each for each in outputs if each.dtype in {"int64", "object"} and len(each.shape) == 1]
    if len(outputs) != 2 or len(matrices) != 1 or len(labels) != 1:
        return None
    name = matrices[0].name
    for seed in (0, 1):
        rows = _trial_rows(name, trial, seed)
        if rows is None or not _sums_to_one(rows):
            return None
    how = f"{labels[0].name!r} is the class, and the rows of {name!r} sum to 1"
    return Scores(name, ScoreKind.PROBABILITIES, how)


def _matrices(outputs: Sequence[TensorSpec]) -> list[TensorSpec]:
    return [
        each
        for each in outputs
        if each.dtype.startswith("float") and len(each.shape) == 2 and each.shape[1] != 1
    ]


def _contradiction(found: Scores, trial: Trial) -> str:
    rows = _trial_rows(found.output or "", trial)
    if rows is None or np.isnan(rows).any():
        return ""
    values = np.exp(rows) if found.kind is ScoreKind.LOG_PROBABILITIES else rows
    return "" if _sums_to_one(values) else "its rows do not sum to 1"


def _trial_rows(name: str, trial: Trial, seed: int = 0) -> Array | None:
    outputs = trial(seed)
    return None if outputs is None else outputs[name]


def _sums_to_one(rows: Array) -> bool:
    return bool(
        rows.ndim == 2
        and rows.shape[1] > 1
        and (rows >= -1e-6).all()
        and (np.abs(rows.sum(axis=1, dtype=np.float64) - 1) < _SUM_TOLERANCE).all()
    )


def _impossible(rows: Array, kind: ScoreKind) -> bool:
    if kind is ScoreKind.PROBABILITIES:
        return bool((rows < -1e-6).any() or (rows > 1 + _SUM_TOLERANCE).any())
    return kind is ScoreKind.LOG_PROBABILITIES and bool((rows > _SUM_TOLERANCE).any())


def _kind(name: str) -> ScoreKind:
    try:
        return ScoreKind(name)
    except ValueError:
        names = [each.value for each in ScoreKind]
        near = near_names(name, names)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise Misconfigured("HAL-102", f"scores={name!r} is none of {', '.join(names)}.{hint}") from None


def _check_name(output: str, outputs: Sequence[TensorSpec]) -> None:
    names = [each.name for each in outputs]
    if output not in names:
        near = near_names(output, names, 0.4)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise Misconfigured("HAL-102", f"score_output={output!r} is none of {', '.join(names)}.{hint}")
