"""Read a detector's outputs as candidates: boxes in fractions of its input, each with its likeliest class."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from halocline.decide.outputs import DetectOutput
from halocline.decide.tasks.named import column_of, not_as_described, output_of
from halocline.errors import Misconfigured
from halocline.inputs.description import ImageInput
from halocline.records import Array, ModelSpec


class Candidates(NamedTuple):
    """Of one picture: boxes float64 `[n, 4]` (left, top, right, bottom), the class of each int64 `[n]`, how
    likely it is and how likely its strongest rival is, float64 `[n]` each.

    Below the score threshold class and rival are 0.
    """

    boxes: Array
    classes: Array
    score: Array
    rival: Array


CandidateReader: TypeAlias = Callable[[Mapping[str, Array], int], Sequence[Candidates]]
"""Outputs by name and the number of pictures to the candidates of each picture."""


def candidate_reader(spec: ModelSpec, output: DetectOutput) -> CandidateReader:
    """The reader of these outputs. Raises Misconfigured (HAL-330, HAL-331)."""
    size = _unit_of(spec, output)
    classes = None if spec.labels is None else len(spec.labels)
    read = _yolo(spec, output, classes) if output.layout == "yolo" else _ssd(spec, output, classes)
    corners = output.corners or ("cxcywh" if output.layout == "yolo" else "xyxy")

    def candidates(outputs: Mapping[str, Array], rows: int) -> list[Candidates]:
        found = read(outputs, rows)
        return [each._replace(boxes=_to_xyxy(each.boxes, corners) / size) for each in found]

    return candidates


def _yolo(spec: ModelSpec, output: DetectOutput, classes: int | None) -> CandidateReader:
    name = output_of(spec, output.output, "detect.output")
    first = 5 if output.objectness else 4
    columns = None if classes is None else first + classes + (output.background is not None)

    def read(outputs: Mapping[str, Array], rows: int) -> list[Candidates]:
        array = _shaped(outputs, name, rows, 3)
        if output.axes == "channels_first":
            array = array.transpose(0, 2, 1)
        if array.shape[2] <= first or columns not in (None, array.shape[2]):
            raise not_as_described(
                f"the output {name!r} has {array.shape[2]} numbers a box, expected "
                f"{f'more than {first}' if columns is None else f'{columns} ({first} and one a class)'}; "
                f"detect.axes is {output.axes!r}, detect.objectness {str(output.objectness).lower()}"
            )
        chances = np.ones(array.shape[:2]) if not output.objectness else array[:, :, 4].astype(np.float64)
        if output.activation != "none" and output.objectness:
            chances = _sigmoid(chances)
        return [
            Candidates(boxes, *_likeliest(scores, output, chance))
            for boxes, scores, chance in zip(
                array[:, :, :4].astype(np.float64), array[:, :, first:], chances, strict=True
            )
        ]

    return read


def _ssd(spec: ModelSpec, output: DetectOutput, classes: int | None) -> CandidateReader:
    boxes_name = output_of(spec, output.boxes_output, "detect.boxes_output")
    scores_name = output_of(spec, output.scores_output, "detect.scores_output")
    classes_name, count_name = output.classes_output, output.count_output
    for key, name in (("classes_output", classes_name), ("count_output", count_name)):
        if name:
            output_of(spec, name, f"detect.{key}")
    columns = None if classes is None else classes + (output.background is not None)

    def read(outputs: Mapping[str, Array], rows: int) -> list[Candidates]:
        boxes = _shaped(outputs, boxes_name, rows, 3).astype(np.float64)
        scores = _shaped(outputs, scores_name, rows, 2 if classes_name else 3)
        if boxes.shape[2] != 4 or boxes.shape[1] != scores.shape[1]:
            raise not_as_described(
                f"{boxes_name!r} {list(boxes.shape)} and {scores_name!r} {list(scores.shape)} must be "
                "[pictures, boxes, 4] and [pictures, boxes, …] of equally many boxes"
            )
        if classes_name:
            numbers = _shaped(outputs, classes_name, rows, 2)
            found = [_said(boxes[at], numbers[at], scores[at], output, classes) for at in range(rows)]
        else:
            if columns not in (None, scores.shape[2]):
                raise not_as_described(
                    f"the output {scores_name!r} has {scores.shape[2]} scores a box, expected {columns}"
                )
            certain = np.ones(scores.shape[1])
            found = [Candidates(boxes[at], *_likeliest(scores[at], output, certain)) for at in range(rows)]
        if not count_name:
            return found
        counts = np.clip(np.nan_to_num(column_of(outputs, count_name, rows)), 0, boxes.shape[1])
        return [
            Candidates(*(array[: count or _is_nan(part.score)] for array in part))
            for part, count in zip(found, counts.astype(np.int64).tolist(), strict=True)
        ]

    return read


def _is_nan(scores: Array) -> int:
    """1 where the first is NaN: a picture without answer, which a count of 0 does not make an empty one."""
    return int(np.isnan(scores[:1]).any())


def _said(
    boxes: Array, numbers: Array, scores: Array, output: DetectOutput, classes: int | None
) -> Candidates:
    """Where the model names the class of each box: rivals are not told."""
    scores = _sigmoid(scores) if output.activation == "sigmoid" else scores.astype(np.float64)
    index = np.rint(numbers.astype(np.float64)).astype(np.int64) - output.first_class
    known = scores > 0  # rows that only fill up the output carry any class
    if known.any() and (index[known].min() < 0 or (classes is not None and index[known].max() >= classes)):
        raise not_as_described(
            f"classes from {index[known].min() + output.first_class} to "
            f"{index[known].max() + output.first_class} came, expected {output.first_class} to "
            f"{output.first_class + (classes or 1) - 1}; see detect.first_class"
        )
    return Candidates(boxes, np.where(known, index, 0), scores, np.zeros(len(scores)))


def _likeliest(scores: Array, output: DetectOutput, chance: Array) -> tuple[Array, Array, Array]:
    """Of scores `[n, columns]`: the likeliest class, how likely it is, and its strongest rival.

    Class and rival are 0 below the score threshold, where nobody asks: most of thousands of boxes are there.
    `chance` float64 `[n]` is that of any object. A box whose scores hold NaN is NaN likely.
    """
    if output.activation == "softmax":
        scores = np.exp(scores - scores.max(axis=1, keepdims=True).astype(np.float64))
        scores /= scores.sum(axis=1, keepdims=True)
    named = scores
    if output.background is not None:
        if output.background >= scores.shape[1]:
            raise not_as_described(
                f"detect.background is column {output.background}, and there are {scores.shape[1]}"
            )
        named = np.delete(scores, output.background, axis=1)
    made = _sigmoid if output.activation == "sigmoid" else _as_they_are
    best = made(named.max(axis=1)) * chance
    index, rival = np.zeros(len(best), np.int64), np.zeros(len(best))
    hot = np.flatnonzero(best >= output.score_threshold)
    some = named[hot].astype(np.float64)
    top = some.argmax(axis=1)
    some[np.arange(len(hot)), top] = -np.inf
    strongest = some.max(axis=1)
    if output.background is not None:
        strongest = np.maximum(strongest, scores[hot, output.background])
    index[hot] = top
    rival[hot] = np.maximum(made(strongest), 0.0) * (
        chance if np.isscalar(chance) else np.asarray(chance)[hot]
    )
    return index, best, rival


def _as_they_are(value: Array) -> Array:
    return value.astype(np.float64)


def _sigmoid(value: Array) -> Array:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * value.astype(np.float64))))  # of any size, without overflow


def _to_xyxy(boxes: Array, corners: str) -> Array:
    if corners == "xyxy":
        return boxes
    if corners == "yxyx":
        return boxes[:, [1, 0, 3, 2]]
    start = boxes[:, :2] if corners == "xywh" else boxes[:, :2] - boxes[:, 2:] / 2
    return np.concatenate([start, start + boxes[:, 2:]], axis=1)


def _shaped(outputs: Mapping[str, Array], name: str, rows: int, axes: int) -> Array:
    if name not in outputs:
        raise not_as_described(f"the output {name!r} is missing; there are {', '.join(outputs)}")
    array = np.asarray(outputs[name])
    if array.ndim != axes or len(array) != rows or array.dtype.kind not in "fiu":
        raise not_as_described(
            f"the output {name!r} is {array.dtype} {list(array.shape)}, expected numbers with {axes} axes "
            f"and {rows} rows"
        )
    return array


def _unit_of(spec: ModelSpec, output: DetectOutput) -> Array:
    """What a box is divided by, float64 `[4]`, to be fractions of the input."""
    units = output.units or ("pixels" if output.layout == "yolo" else "fractions")
    if units != "pixels":
        return np.ones(4)
    width, height = output.width, output.height
    if width is None or height is None:
        width, height = _size_of(spec)
    return np.asarray([width, height, width, height], dtype=np.float64)


def _size_of(spec: ModelSpec) -> tuple[int, int]:
    if isinstance(spec.input, ImageInput):
        return spec.input.width, spec.input.height
    shapes = [each.shape for each in spec.inputs if len(each.shape) == 4]
    if len(shapes) == 1:
        channels_first, channels_last = shapes[0][1] in (1, 3, 4), shapes[0][3] in (1, 3, 4)
        height, width = shapes[0][2:] if channels_first else shapes[0][1:3]
        if channels_first != channels_last and height > 0 and width > 0:
            return width, height
    raise Misconfigured(
        "HAL-330",
        f"{spec.ref}: its boxes are in pixels, and the input's size is not known from its shape. "
        'Say detect.width and detect.height, or units = "fractions"',
    )
