"""Read a model's raw outputs as class indices, confidences and probabilities."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np

from halocline.decide.gate import NO_CLASS, NO_CONFIDENCE, Policy, Score, confidence_of
from halocline.decide.labels import match_labels, to_edge_order
from halocline.decide.one_row import RowProbabilities, RowReader, row_probabilities, row_reader
from halocline.decide.scores import probabilities, why_invalid
from halocline.errors import Misconfigured
from halocline.ports import Answered, Failed
from halocline.records import Array, ModelRef, ModelSpec, Reason, ScoreKind, Task

if TYPE_CHECKING:
    from halocline.decide.tasks.answers import TaskReader
    from halocline.inputs.description import Input

ConfidenceFn: TypeAlias = Callable[[Mapping[str, Array]], Array]
"""Outputs by name, each `[rows, …]`, to one confidence in [0, 1] a row, `[rows]`.

It reads the edge's outputs; of the cloud's only those without class scores.
"""


class Rows(msgspec.Struct, frozen=True):
    """A batch as read: index int64 `[rows]`, confidence float64 `[rows]`, probabilities `[rows, classes]`.

    `index` is NO_CLASS, and `probs` None, where the model has no class scores; a row whose scores hold
    NaN has NO_CLASS and NO_CONFIDENCE. `values` are the answers of a task other than classification,
    None for a row without one.
    """

    index: Array
    confidence: Array
    probs: Array | None
    outputs: Mapping[str, Array]
    values: Sequence[Any] | None = None


class CloudRows(msgspec.Struct, frozen=True):
    """What the cloud said of the rows it was asked, in the edge's class order."""

    rows: Rows
    model: ModelRef
    elapsed_s: float
    input: "Input | None" = None
    """What is known of the tensor that the cloud was given, where its task is not classification."""
    of_sent: bool = False
    """Whether boxes are fractions of the picture where its file was sent."""


class EdgeReader:
    """Reads the edge model's outputs under one policy.

    Raises Misconfigured: HAL-202 (no telling what the scores are), HAL-102 (no such class, or a setting
    that only a classifier has), HAL-330, HAL-331 (no telling how another task's outputs are read).
    """

    def __init__(self, spec: ModelSpec, policy: Policy, confidence: ConfidenceFn | None) -> None:
        self._names = [output.name for output in spec.outputs]
        self._policy = policy
        self._confidence = confidence
        self.task: TaskReader | None = None
        """Reads the outputs of a task other than classification; None where `confidence` alone does."""
        if spec.task is not Task.CLASSIFY:
            _check_no_classifier(spec, policy)
            if spec.output is not None or confidence is None:
                from halocline.decide.tasks import task_reader  # a classifier need not load it

                self.task = task_reader(spec, spec.labels)
        self._kind: ScoreKind | None = spec.score_kind if spec.score_output is not None else None
        if self._kind is None and confidence is None and self.task is None:
            raise Misconfigured(
                "HAL-202",
                f"{spec.ref}: its graph does not show whether "
                f"{spec.score_output or 'the output'} holds logits or probabilities. "
                'Try load(…, scores="logits") or scores="probabilities"; or what else it does: '
                "load(…, task=DetectOutput(…)), RegressOutput(…) or ScoreOutput(…)",
            )
        self.score_at = self._names.index(spec.score_output) if spec.score_output in self._names else 0
        self.classes = _class_count(spec)
        for index in policy.class_thresholds:
            if index < 0 or (self.classes is not None and index >= self.classes):
                raise Misconfigured(
                    "HAL-102",
                    f"class_thresholds[{index}]: {spec.ref} has {self.classes or 'no such'} classes",
                )
        self.read_row: RowReader | None = None
        if confidence is None and self._kind is not None:
            self.read_row = row_reader(self._kind, policy, self.classes or 0)
        self.row_probabilities: RowProbabilities | None = None
        """One row of the score output to its class probabilities; None where it holds them as they stand."""
        if self._kind is not None and not self.gives_probabilities:
            self.row_probabilities = row_probabilities(self._kind, policy.temperature, self.classes or 0)

    @property
    def gives_probabilities(self) -> bool:
        """Whether the score output holds what a reply calls `scores`, as it stands."""
        return self._kind is ScoreKind.PROBABILITIES and self._policy.temperature == 1.0

    def probabilities(self, raw: Array) -> Array:
        """Class probabilities `[rows, classes]` of the score output."""
        assert self._kind is not None
        return probabilities(raw, self._kind, self._policy.temperature)

    def read(self, outputs: Sequence[Array]) -> Rows:
        """A whole batch."""
        named = dict(zip(self._names, outputs, strict=True))
        if self.task is not None:
            return _read_task(self.task, named, len(outputs[0]), self._confidence)
        probs = None if self._kind is None else self.probabilities(outputs[self.score_at])
        if probs is not None:
            index, confidence = confidence_of(probs, self._policy.score)
        else:
            index = np.full(len(outputs[0]), NO_CLASS)
            confidence = np.zeros(len(outputs[0]))
        if self._confidence is not None:
            confidence = _own_confidence(self._confidence, named, len(index))
        return Rows(index, confidence, probs, named)


class CloudReader:
    """Reads the cloud model's answers into the edge's class order."""

    def __init__(
        self,
        edge: ModelSpec,
        classes: int | None,
        label_map: Mapping[str, str] | None,
        confidence: ConfidenceFn | None,
    ) -> None:
        self._edge = edge
        self._classes = classes
        self._label_map = label_map
        self._confidence = confidence
        self._is_task = edge.task is not Task.CLASSIFY and (edge.output is not None or confidence is None)
        self._task: TaskReader | None = None
        self._edge_classifies = edge.score_kind is not None and edge.score_output is not None
        self._matched: tuple[ModelSpec | None, Array | None] | None = None
        self._told = False

    def match(self, cloud: ModelSpec | None) -> Array | None:
        """The class mapping for this cloud model. Raises Misconfigured (HAL-204, HAL-330, …) on a mismatch.

        There is none as long as the cloud model is not known.
        """
        matched = self._matched
        if matched is None or matched[0] is not cloud:
            self._check_task(cloud)
            mapping = (
                None if cloud is None else match_labels(self._edge.labels, cloud.labels, self._label_map)
            )
            if self._is_task and cloud is not None:
                self._task = self._task_reader(cloud, mapping)
            self._matched = matched = (cloud, mapping)
        return matched[1]

    def _check_task(self, cloud: ModelSpec | None) -> None:
        """Raise Misconfigured (HAL-332) where the cloud is known, and not known to do what the edge does."""
        if cloud is None or _is_function(cloud) or cloud.task is self._edge.task:
            return
        if self._is_task or self._edge_classifies:
            raise Misconfigured(
                "HAL-332",
                f"the edge's task is {self._edge.task}, and {cloud.ref} is taken to {cloud.task}. "
                "State it where that is wrong: connect(…, task=…), load(…, task=…)",
            )

    def _task_reader(self, cloud: ModelSpec, mapping: Array | None) -> "TaskReader":
        from halocline.decide.tasks import task_reader

        edge = self._edge
        cloud = msgspec.structs.replace(cloud, labels=cloud.labels or edge.labels)
        if _is_function(cloud):
            cloud = msgspec.structs.replace(edge, ref=cloud.ref, labels=cloud.labels)
        return task_reader(cloud, edge.labels or cloud.labels, mapping)

    def read(self, answer: Answered, cloud: ModelSpec | None, rows: int) -> CloudRows | Failed:
        """The answer as rows, or why it is none."""
        try:
            return self._read(answer, cloud, rows)
        except Misconfigured as exc:  # the labels, known only since the cloud was reached
            problem = exc.message
            if not self._told:  # once: it would be said of every answer
                import logging

                logging.getLogger("halocline").error("no answer of the cloud can be used: %s", exc)
                self._told = True
        except (
            Exception
        ) as exc:  # outputs of any kind, and a user's function: whatever it is, it is no answer
            problem = str(exc) if type(exc) is ValueError else f"{type(exc).__name__}: {exc}"
        return Failed(reason=Reason.INVALID_ANSWER, detail=problem, elapsed_s=answer.elapsed_s)

    def _read(self, answer: Answered, cloud: ModelSpec | None, rows: int) -> CloudRows:
        mapping = self.match(cloud)
        for name, array in answer.outputs.items():
            if array.ndim == 0 or len(array) != rows:
                raise ValueError(
                    f"the output {name!r} has the shape {list(array.shape)}, expected {rows} rows"
                )
        if self._is_task:
            told = self._edge.input if cloud is None or cloud.input is None else cloud.input
            said = self._task_rows(answer.outputs, cloud, rows)
            of_sent = cloud is not None and getattr(cloud.output, "units", None) == "sent"
            return CloudRows(said, answer.model, answer.elapsed_s, told, of_sent)
        raw = self._scores(answer.outputs, cloud)
        if raw is None:
            index, probs = np.full(rows, NO_CLASS), None
            confidence = self._confidence_without_scores(answer.outputs, rows)
        else:
            kind = (cloud.score_kind if cloud else None) or ScoreKind.PROBABILITIES
            expected = self._classes if mapping is None else len(mapping)
            problem = why_invalid(raw, kind)
            if problem is None and expected not in (None, raw.shape[1]):
                problem = f"{raw.shape[1]} classes came, expected {expected}"
            if problem is not None:
                raise ValueError(problem)
            probs = to_edge_order(probabilities(raw, kind), mapping, self._classes or raw.shape[1])
            index, confidence = _largest(probs)
        return CloudRows(Rows(index, confidence, probs, answer.outputs), answer.model, answer.elapsed_s)

    def _task_rows(self, outputs: Mapping[str, Array], cloud: ModelSpec | None, rows: int) -> Rows:
        if self._task is None or cloud is None:
            raise ValueError("the cloud has not said what its model gives")
        if _is_function(cloud) and len(outputs) == len(self._edge.outputs) == 1:  # it may name none
            outputs = {self._edge.outputs[0].name: next(iter(outputs.values()))}
        read = _read_task(self._task, outputs, rows, None)
        if read.values is None or any(value is None for value in read.values):
            raise ValueError("the outputs hold NaN")
        return read

    def _scores(self, outputs: Mapping[str, Array], cloud: ModelSpec | None) -> Array | None:
        """The output with the class scores; None where the tiers do not classify, as far as is known."""
        if not self._edge_classifies and (cloud is None or cloud.score_kind is None):
            return None
        return _score_output(outputs, cloud)

    def _confidence_without_scores(self, outputs: Mapping[str, Array], rows: int) -> Array:
        assert self._confidence is not None  # or EdgeReader would have refused an edge that does not classify
        try:
            return _own_confidence(self._confidence, outputs, rows)
        except Exception as exc:
            raise ValueError(
                f"confidence= raised {type(exc).__name__}: {exc} on the cloud's outputs {list(outputs)}"
            ) from exc


def _largest(probs: Array) -> tuple[Array, Array]:
    """The likeliest class of each row and its probability."""
    if len(probs) == 1:  # an escalated sample: a Python list is quicker on a short row
        values: list[float] = probs[0].tolist()
        top = max(values)
        return np.array([values.index(top)]), np.array([top])
    index = probs.argmax(axis=1)
    return index, probs[np.arange(len(probs)), index]


def _is_function(cloud: ModelSpec) -> bool:
    """Whether nothing is told of the outputs: what a function gives is taken to be what the edge gives."""
    return not cloud.outputs and cloud.output is None


def _read_task(
    task: "TaskReader", outputs: Mapping[str, Array], rows: int, confidence: ConfidenceFn | None
) -> Rows:
    said = task.read(outputs, rows)
    sure = said.confidence if confidence is None else _own_confidence(confidence, outputs, rows)
    return Rows(np.full(rows, NO_CLASS), sure, None, outputs, said.values)


def _check_no_classifier(spec: ModelSpec, policy: Policy) -> None:
    """Raise Misconfigured (HAL-102) for settings that would have no effect."""
    if policy.class_thresholds or policy.temperature != 1.0 or policy.score is not Score.MAX_SOFTMAX:
        raise Misconfigured(
            "HAL-102",
            f"class_thresholds, temperature and score read class scores; leave them out, for {spec.ref} is "
            f"said to {spec.task}",
        )


def _own_confidence(function: ConfidenceFn, outputs: Mapping[str, Array], rows: int) -> Array:
    given = np.asarray(function(outputs), dtype=np.float64)
    if given.shape != (rows,):
        raise Misconfigured(
            "HAL-101",
            f"confidence= must give one number a row, shape [{rows}], got {list(given.shape)}",
        )
    return np.where(np.isnan(given), NO_CONFIDENCE, np.clip(given, 0.0, 1.0))


def _class_count(spec: ModelSpec) -> int | None:
    if spec.labels is not None:
        return len(spec.labels)
    for output in spec.outputs:
        if output.name == spec.score_output and len(output.shape) == 2 and output.shape[1] > 0:
            return output.shape[1]
    return None


def _score_output(outputs: Mapping[str, Array], cloud: ModelSpec | None) -> Array:
    if cloud is not None and cloud.score_output is not None:
        if cloud.score_output not in outputs:
            raise ValueError(f"the output {cloud.score_output!r} is missing; there are {list(outputs)}")
        return outputs[cloud.score_output]
    scores = [array for array in outputs.values() if array.ndim == 2 and array.dtype.kind in "fiu"]
    if len(scores) == 1:
        return scores[0]
    raise ValueError(
        f"no telling which of the outputs {list(outputs)} holds the class scores; "
        'try connect(…, score_output="NAME")'
    )
