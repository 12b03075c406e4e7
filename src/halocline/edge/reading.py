"""Read a model's raw outputs as class indices, confidences and probabilities."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec
import numpy as np

from halocline.decide.gate import NO_CLASS, NO_CONFIDENCE, Policy, confidence_of
from halocline.decide.labels import match_labels, to_edge_order
from halocline.decide.one_row import RowProbabilities, RowReader, row_probabilities, row_reader
from halocline.decide.scores import probabilities, why_invalid
from halocline.errors import Misconfigured
from halocline.ports import Answered, Failed
from halocline.records import Array, ModelRef, ModelSpec, Reason, ScoreKind

ConfidenceFn: TypeAlias = Callable[[Mapping[str, Array]], Array]
"""Outputs by name, each `[rows, …]`, to one confidence in [0, 1] a row, `[rows]`.

It reads the edge's outputs; of the cloud's only those without class scores.
"""


class Rows(msgspec.Struct, frozen=True):
    """A batch as read: index int64 `[rows]`, confidence float64 `[rows]`, probabilities `[rows, classes]`.

    `index` is NO_CLASS, and `probs` None, where the model has no class scores; a row whose scores hold
    NaN has NO_CLASS and NO_CONFIDENCE.
    """

    index: Array
    confidence: Array
    probs: Array | None
    outputs: Mapping[str, Array]


class CloudRows(msgspec.Struct, frozen=True):
    """What the cloud said of the rows it was asked, in the edge's class order."""

    rows: Rows
    model: ModelRef
    elapsed_s: float


class EdgeReader:
    """Reads the edge model's outputs under one policy.

    Raises Misconfigured: HAL-202 (no telling what the scores are), HAL-102 (no such class).
    """

    def __init__(self, spec: ModelSpec, policy: Policy, confidence: ConfidenceFn | None) -> None:
        self._names = [output.name for output in spec.outputs]
        self._policy = policy
        self._confidence = confidence
        self._kind: ScoreKind | None = spec.score_kind if spec.score_output is not None else None
        if self._kind is None and confidence is None:
            raise Misconfigured(
                "HAL-202",
                f"{spec.ref}: its graph does not show whether "
                f"{spec.score_output or 'the output'} holds logits or probabilities. "
                'Try load(…, scores="logits") or scores="probabilities"',
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
        self._edge_classifies = edge.score_kind is not None and edge.score_output is not None
        self._matched: tuple[ModelSpec | None, Array | None] | None = None
        self._told = False

    def match(self, cloud: ModelSpec | None) -> Array | None:
        """The class mapping for this cloud model. Raises Misconfigured (HAL-204) on a mismatch.

        There is none as long as the cloud model is not known.
        """
        matched = self._matched
        if matched is None or matched[0] is not cloud:
            mapping = (
                None if cloud is None else match_labels(self._edge.labels, cloud.labels, self._label_map)
            )
            self._matched = matched = (cloud, mapping)
        return matched[1]

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
