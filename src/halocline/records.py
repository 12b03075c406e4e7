"""What flows through the loop: requests, predictions, replies, outcomes and corrections."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np

if TYPE_CHECKING:
    from halocline.decide.outputs import Output
    from halocline.inputs.description import Input

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


class Task(StrEnum):
    """What a model does; it decides the shape of `Prediction.value`."""

    CLASSIFY = "classify"
    DETECT = "detect"
    REGRESS = "regress"
    SCORE = "score"


class Tier(StrEnum):
    """Where an answer was computed."""

    EDGE = "edge"
    CLOUD = "cloud"


class Mode(StrEnum):
    """Which tier is asked, in the words users of hybrid inference know."""

    PREFER_EDGE = "prefer_edge"
    """The gate decides (the default)."""
    EDGE_ONLY = "edge_only"
    """The cloud is never called."""
    CLOUD_ONLY = "cloud_only"
    """The edge model is never run: the baseline to start from. No cloud answer in time is an error."""
    PREFER_CLOUD = "prefer_cloud"
    """Every row goes up; the edge answer stands in when the cloud gives none in time."""


class Reason(StrEnum):
    """Why a reply is what it is. The one list that replies, metrics and docs share."""

    CONFIDENT = "confident"
    """The edge model was sure enough."""
    ESCALATED = "escalated"
    """The edge model was not sure enough, or had seen nothing like it, and the cloud answered in time."""
    MODE = "mode"
    """The mode in force asked for this tier, whatever the confidence."""
    PENDING = "pending"
    """`want_async`: this is the edge answer; the cloud's verdict, if any comes, follows as a Correction."""
    BUDGET = "budget"
    """The escalation budget is used up; the edge answer stands."""
    DEADLINE = "deadline"
    """The cloud did not answer before the deadline."""
    REFUSED = "refused"
    """The cloud said no: connection refused, an HTTP error status, or "not before" (429, 503)."""
    UNREACHABLE = "unreachable"
    """No connection could be opened: the name does not resolve, or no route leads there."""
    UNTRUSTED = "untrusted"
    """The other side's certificate is not acceptable, or ours was not accepted."""
    DISCONNECTED = "disconnected"
    """The connection ended before the answer was whole."""
    INVALID_ANSWER = "invalid_answer"
    """An answer came, and it is not one: garbage, wrong shape, type or row count, NaN, too large."""
    BREAKER_OPEN = "breaker_open"
    """The cloud failed repeatedly and is not tried until the next probe."""
    NOT_SENT = "not_sent"
    """The sample could not be made into what the cloud takes: preparing it, or `to_cloud`, failed."""
    LINK_TOO_SLOW = "link_too_slow"
    """On the link as measured, the answer cannot arrive before the deadline; it was not tried."""

    @property
    def degraded(self) -> bool:
        """True where an escalation was wanted and failed, so that a lesser answer stands in."""
        return self in _DEGRADED


_DEGRADED = frozenset(
    {
        Reason.DEADLINE,
        Reason.REFUSED,
        Reason.UNREACHABLE,
        Reason.UNTRUSTED,
        Reason.DISCONNECTED,
        Reason.INVALID_ANSWER,
        Reason.BREAKER_OPEN,
        Reason.NOT_SENT,
        Reason.LINK_TOO_SLOW,
    }
)


class Owner(StrEnum):
    """Who set the threshold that a reply was decided by; an earlier one goes before a later one."""

    REQUEST = "request"
    """The caller, for this request alone."""
    TWIN = "twin"
    """The hub, for this device."""
    DEVICE = "device"
    """The device, from its own checks."""
    RELEASE = "release"
    """The release that brought the model."""
    FILE = "file"
    """A policy file."""
    CODE = "code"
    """The program: arguments, a Policy of its own, or the default."""


class ScoreKind(StrEnum):
    """What the numbers in a classifier's score output are."""

    PROBABILITIES = "probabilities"
    LOGITS = "logits"
    LOG_PROBABILITIES = "log_probabilities"


class ModelRef(msgspec.Struct, frozen=True):
    """A model by name and version, written `name@version`; an unknown version is the empty string."""

    name: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.version}" if self.version else self.name


class TensorSpec(msgspec.Struct, frozen=True):
    """Name, numpy dtype and shape of one model input or output; -1 is any size.

    `dtype` is a numpy dtype name (`float32`, `int64`, `bool`, …) or `object` for strings.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


def fits(shape: Sequence[int], expected: Sequence[int]) -> bool:
    """Whether an array of that shape is one that is expected, where -1 is any size."""
    return len(shape) == len(expected) and all(b in (-1, a) for a, b in zip(shape, expected, strict=True))


class ModelSpec(msgspec.Struct, frozen=True):
    """What a model takes and gives, and how its scores are to be read.

    The first axis of every input and output is the batch. `score_kind` is None where neither the
    model nor the user has said what the numbers are; `score_output` names the output that holds one
    row of class scores `[batch, classes]`. `digest` is `sha256:…` of the model's file where somebody has
    worked it out, else empty (see `OnnxModel.digest`). `input` says what the one input means, where that
    was described: how a raw sample becomes its tensor; `output` how the outputs of a task other than
    classification are read, where that was said.
    """

    ref: ModelRef
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    labels: tuple[str, ...] | None = None
    score_output: str | None = None
    score_kind: ScoreKind | None = None
    task: Task = Task.CLASSIFY
    digest: str = ""
    input: "Input | None" = None
    output: "Output | None" = None


class Boxes(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What was found in one picture: the value of a detector's answer. No boxes is an answer too.

    `xyxy` float32 `[n, 4]`: left, top, right, bottom, in fractions 0..1 of the picture. `index` int64 `[n]`
    is the class of each box, `scores` float32 `[n]` how likely it is, `labels` its name; None without names.
    """

    xyxy: Array
    index: Array
    scores: Array
    labels: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.xyxy)


class Interval(msgspec.Struct, frozen=True):
    """A number and the range that the model gives for it: the value of a regressor's answer."""

    value: float
    low: float
    high: float


class Anomaly(msgspec.Struct, frozen=True):
    """An anomaly score, and the verdict by the model's threshold: the value of a scorer's answer."""

    score: float
    is_anomaly: bool


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One sample to be answered.

    `captured_s` is wall-clock seconds since the epoch (for people; order is never read from it),
    `source` the sensor it came from, `group` the patient, machine or shop it belongs to. `id` is a
    UUIDv7, made here when not given.
    """

    inputs: Array
    id: str | None = None
    captured_s: float | None = None
    source: str | None = None
    group: str | None = None


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """What one model says of one sample.

    `value` has the task's shape: the label (or class index without labels) of a classifier, `Boxes`,
    `Interval` or `Anomaly`. `scores` are class probabilities `[classes]`, where the task has them;
    `outputs` are the model's own outputs for this row, by name, the batch axis removed.
    """

    value: Any
    confidence: float
    model: ModelRef
    task: Task = Task.CLASSIFY
    index: int | None = None
    label: str | None = None
    scores: Array | None = None
    outputs: Mapping[str, Array] = {}


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The one answer to one request: what, how sure, from which tier, why, and how long it took.

    `edge_s`, `gate_s` and `cloud_s` are seconds spent in each part; None where that part did not run.
    The fields of the answer have the meaning they have in `Prediction`, and come from the model of
    `tier`. `degraded` means that an escalation was wanted and failed (see `Reason`). `policy` says who
    set the threshold that decided; `novelty` is how far the sample lies from what the edge model was
    trained on (see `Novelty`), None where the policy does not ask.
    """

    id: str
    value: Any
    confidence: float
    tier: Tier
    reason: Reason
    degraded: bool
    index: int | None
    label: str | None
    scores: Array | None
    outputs: Mapping[str, Array]
    edge_s: float | None
    gate_s: float | None
    cloud_s: float | None
    edge_model: ModelRef | None
    cloud_model: ModelRef | None
    task: Task = Task.CLASSIFY
    policy: Owner = Owner.CODE
    novelty: float | None = None


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """The cloud's verdict on a request that was already answered at the edge; `id` is the reply's.

    `changed` tells whether it differs from what the caller was told. `cloud_s` is seconds from the
    escalation to the verdict. `probability` is that with which a confident answer was drawn for a spot
    check, None where the answer was no such check.
    """

    id: str
    prediction: Prediction
    replied: Any
    changed: bool
    cloud_s: float
    probability: float | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded of one answered request: no payload, only what was decided and why."""

    id: str
    tier: Tier
    reason: Reason
    degraded: bool
    confidence: float
    index: int | None
    label: str | None
    edge_s: float | None
    gate_s: float | None
    cloud_s: float | None
    edge_model: ModelRef | None
    cloud_model: ModelRef | None
    captured_s: float | None = None
    source: str | None = None
    group: str | None = None
    policy: Owner = Owner.CODE
    novelty: float | None = None
