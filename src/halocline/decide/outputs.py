"""Say how the outputs of a detector, a regressor or an anomaly scorer are laid out."""

import math
import sys
from collections.abc import Sequence
from numbers import Real
from typing import Literal, TypeAlias

import msgspec

from halocline.decide.checks import check_number
from halocline.errors import Misconfigured
from halocline.records import Task

LAYOUTS = ("yolo", "ssd")
CORNERS = ("cxcywh", "xyxy", "yxyx", "xywh")
UNITS = ("pixels", "fractions", "sent")


class DetectOutput(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How boxes are read: the `[detect]` table. Raises Misconfigured (HAL-101, HAL-102).

    A candidate is one box with its likeliest class; those of `score_threshold` and more, less those that
    overlap a likelier one of their class by more than `iou_threshold`, at most `max_boxes`, are the answer.
    """

    layout: Literal["yolo", "ssd"]
    """`yolo`: one output that holds boxes and class scores; `ssd`: boxes and scores in several outputs."""
    output: str = ""
    """yolo: which output it is; may be left out where there is one."""
    axes: Literal["channels_first", "channels_last"] = "channels_first"
    """yolo: `[N, 4 + classes, boxes]`, or `[N, boxes, 4 + classes]`."""
    objectness: bool = False
    """yolo: the fifth number is the chance of any object, by which those of the classes are multiplied."""
    boxes_output: str = ""
    """ssd: `[N, boxes, 4]`."""
    scores_output: str = ""
    """ssd: `[N, boxes, classes]`, or `[N, boxes]` with `classes_output`."""
    classes_output: str = ""
    """ssd: `[N, boxes]`, the class of each box."""
    count_output: str = ""
    """ssd: `[N]` or `[N, 1]`, how many of the boxes count."""
    first_class: int = 0
    """ssd: the number that `classes_output` gives the first label."""
    background: int | None = None
    """Which score column means that there is nothing; the labels leave it out."""
    corners: Literal["cxcywh", "xyxy", "yxyx", "xywh"] | None = None
    """What the four numbers of a box are: centre and size, two corners (x or y first), corner and size.
    None: cxcywh for yolo, xyxy for ssd."""
    units: Literal["pixels", "fractions", "sent"] | None = None
    """pixels or fractions of the model's input; `sent`: fractions of what was sent, which is the picture
    itself where its file was, and else the tensor. None: pixels for yolo, fractions for ssd."""
    width: int | None = None
    height: int | None = None
    """The input's size in pixels, needed for units of pixels; None: as the input is described or shaped."""
    activation: Literal["none", "sigmoid", "softmax"] = "none"
    """What makes probabilities of the scores, where the graph does not do it."""
    score_threshold: float = 0.25
    iou_threshold: float = 0.45
    across_classes: bool = False
    """Whether a box goes that overlaps a likelier one of another class, too: one thing has one class then."""
    max_boxes: int = 100
    floor: tuple[float, float] | None = None
    """Slope and offset: the chance that something was missed, from the likeliest candidate that is no answer
    (see `decide/tasks/sure.py`). None: the stated rule."""
    margin: tuple[float, float] | None = None
    """Slope and offset: the chance that the boxes are right, from the least margin. None: the margin."""
    confidence_output: str = ""
    """`[N]` or `[N, 1]`: how sure the model says itself that it is; goes before both rules."""

    def __post_init__(self) -> None:
        _choice("detect.layout", self.layout, LAYOUTS)
        _choice("detect.axes", self.axes, ("channels_first", "channels_last"))
        _choice("detect.activation", self.activation, ("none", "sigmoid", "softmax"))
        if self.corners is not None:
            _choice("detect.corners", self.corners, CORNERS)
        if self.units is not None:
            _choice("detect.units", self.units, UNITS)
        check_number("detect.score_threshold", self.score_threshold, 0.001, 1)
        check_number("detect.iou_threshold", self.iou_threshold, 0.01, 1)
        check_number("detect.max_boxes", self.max_boxes, 1, 100_000, whole=True)
        for name in ("width", "height"):
            if getattr(self, name) is not None:
                check_number(f"detect.{name}", getattr(self, name), 1, 1_000_000, whole=True)
        if self.background is not None:
            check_number("detect.background", self.background, 0, 1_000_000, whole=True)
        for name in ("floor", "margin"):
            _pair(f"detect.{name}", getattr(self, name))
        strange = _YOLO_ONLY if self.layout == "ssd" else _SSD_ONLY
        for name, left_out in strange.items():
            if getattr(self, name) != left_out:
                raise Misconfigured("HAL-102", f"detect.{name} has no meaning in the layout {self.layout!r}")

    @property
    def task(self) -> Task:
        """The task of a model that is read so."""
        return Task.DETECT


_YOLO_ONLY = {"output": "", "axes": "channels_first", "objectness": False}
_SSD_ONLY = {
    "boxes_output": "",
    "scores_output": "",
    "classes_output": "",
    "count_output": "",
    "first_class": 0,
}


class RegressOutput(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """How a number and its range are read: the `[regress]` table. Raises Misconfigured (HAL-101, HAL-102).

    Confidence is 1 at a range of width 0, and falls in a straight line to 0 at `full_width`.
    """

    kind: Literal["quantiles", "ensemble"]
    """`quantiles`: low, value and high; `ensemble`: several numbers whose mean and spread they are."""
    full_width: float
    """The width of a range that says nothing, in the unit of the value."""
    output: str = ""
    """`[N, 3]` low, value, high; or `[N, members]`. May be left out where there is one output."""
    low_output: str = ""
    value_output: str = ""
    high_output: str = ""
    """quantiles: three outputs `[N]` or `[N, 1]` in place of one."""
    spread: float = 2.0
    """ensemble: the range reaches so many standard deviations to either side."""
    confidence_output: str = ""
    """`[N]` or `[N, 1]`: how sure the model says itself that it is; goes before the range's width."""

    def __post_init__(self) -> None:
        _choice("regress.kind", self.kind, ("quantiles", "ensemble"))
        _above_0("regress.full_width", self.full_width)
        _above_0("regress.spread", self.spread)
        three = (self.low_output, self.value_output, self.high_output)
        if any(three) and (not all(three) or self.output or self.kind != "quantiles"):
            raise Misconfigured(
                "HAL-102",
                "regress: name output, or with kind='quantiles' low_output, value_output, high_output",
            )

    @property
    def task(self) -> Task:
        """The task of a model that is read so."""
        return Task.REGRESS


class ScoreOutput(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How an anomaly score is read: the `[score]` table. Raises Misconfigured (HAL-101, HAL-102).

    Confidence is the chance that the verdict is right, 1 / (1 + exp(-distance / scale)), where the distance
    is that of the score to the threshold: one half at the threshold.
    """

    threshold: float
    """A score of so much, or beyond, is an anomaly."""
    scale: float
    """The distance from the threshold at which the verdict is right with chance 0.73; calibrated as a
    classifier's temperature is."""
    output: str = ""
    """`[N]` or `[N, 1]`. May be left out where there is one output."""
    anomaly: Literal["above", "below"] = "above"
    """On which side of the threshold the anomalies are."""
    verdict_output: str = ""
    """`[N]` or `[N, 1]`: whether it is an anomaly, as the model says itself; goes before the threshold."""
    confidence_output: str = ""
    """`[N]` or `[N, 1]`: how sure the model says itself that it is; goes before the distance."""

    def __post_init__(self) -> None:
        _choice("score.anomaly", self.anomaly, ("above", "below"))
        check_number("score.threshold", self.threshold, -sys.float_info.max, sys.float_info.max)
        _above_0("score.scale", self.scale)

    @property
    def task(self) -> Task:
        """The task of a model that is read so."""
        return Task.SCORE


Output: TypeAlias = DetectOutput | RegressOutput | ScoreOutput

OUTPUTS: dict[Task, type[DetectOutput] | type[RegressOutput] | type[ScoreOutput]] = {
    Task.DETECT: DetectOutput,
    Task.REGRESS: RegressOutput,
    Task.SCORE: ScoreOutput,
}
"""Which table describes the outputs of a task; a classifier needs none. The table is named like the task."""


def read_task(given: "Task | str | Output | None") -> tuple[Task, Output | None]:
    """The task that a caller states, by its name or by how its outputs are read.

    None is classify, for which class scores are looked for. Raises Misconfigured (HAL-102).
    """
    if given is None:
        return Task.CLASSIFY, None
    if isinstance(given, DetectOutput | RegressOutput | ScoreOutput):
        return given.task, given
    if given in list(Task):
        return Task(given), None
    raise Misconfigured(
        "HAL-102",
        f"task must be one of {', '.join(Task)}, or how its outputs are read, such as DetectOutput(…), "
        f"got {given!r}",
    )


def _choice(name: str, value: object, known: Sequence[str]) -> None:
    if value not in known:
        raise Misconfigured("HAL-102", f"{name} must be one of {', '.join(known)}, got {value!r}")


def _above_0(name: str, value: object) -> None:
    if not (isinstance(value, Real) and 0 < float(value) < math.inf):
        raise Misconfigured("HAL-101", f"{name} must be a number above 0, got {value!r}")


def _pair(name: str, value: object) -> None:
    if value is None:
        return
    numbers = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []
    if len(numbers) != 2 or not all(isinstance(each, Real) and math.isfinite(each) for each in numbers):
        raise Misconfigured("HAL-101", f"{name} must be two numbers, slope and offset, got {value!r}")
