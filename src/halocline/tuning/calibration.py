"""Calibrate how sure a model of a task is, on rows whose truth is known: the description that says it."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from halocline.decide.outputs import DetectOutput, Output, ScoreOutput
from halocline.decide.tasks import task_reader
from halocline.decide.tasks.detect import DetectReader, Seen
from halocline.edge.placing import in_picture
from halocline.edge.sending import going_of, samples_of
from halocline.errors import Misconfigured
from halocline.inputs.description import ImageInput
from halocline.ports import Feed, Model
from halocline.records import Anomaly, Array, Boxes, ModelSpec, ScoreKind
from halocline.stats.calibrate import fit_temperature
from halocline.stats.logistic import fit_logistic
from halocline.stats.overlap import SAME, iou, matches
from halocline.tuning.parts import count_of, parts_of
from halocline.tuning.truth import truth_of

FEWEST = 50
"""Fewer rows than this fit no curve: what is stated stays."""


def calibrated(model: Model, x: Any, y: Sequence[Any] | Array) -> Output:
    """How this model's outputs are read, with what says how sure they are fitted to these rows.

    They should be rows that it was not trained on, as mixed as those to come: of pictures, the empty ones
    too. A detector (`y`: Boxes, in fractions of the picture) gets `floor` and `margin`, a scorer (whether
    each row is an anomaly) its `scale`; of a regressor, `full_width` is yours to state. Raises
    Misconfigured (HAL-332), Rejected (HAL-305, and as `conform_batch` does).
    """
    spec = model.spec
    if isinstance(spec.output, DetectOutput):
        truth = truth_of(spec, y, count_of(x))
        pairs = _told(_pictures(model, spec, spec.output, x), truth)
        return spec.output if len(pairs) < FEWEST else _detector(spec.output, pairs)
    if isinstance(spec.output, ScoreOutput):
        truth = truth_of(spec, y, count_of(x))
        return _scorer(spec.output, _told(_verdicts(model, spec, x), truth))
    raise Misconfigured("HAL-332", f"{spec.ref} neither detects nor scores; its task is {spec.task}")


class _Pair(NamedTuple):
    said: Any
    true: Any


def _told(said: Sequence[Any], true: Sequence[Any]) -> list[_Pair]:
    return [_Pair(*both) for both in zip(said, true, strict=True) if both[0] is not None]


def _detector(output: DetectOutput, pairs: list[_Pair]) -> DetectOutput:
    missed = np.asarray([seen.missed for seen, _ in pairs])
    floor = fit_logistic(missed, np.asarray([_has_missed(seen.boxes, true) for seen, true in pairs]))
    some = [(seen, true) for seen, true in pairs if seen.least_margin is not None]
    margin = None
    if len(some) >= FEWEST:
        right = np.asarray([bool((matches(seen.boxes, true) >= 0).all()) for seen, true in some])
        margin = fit_logistic(np.asarray([seen.least_margin for seen, _ in some], dtype=np.float64), right)
    return msgspec.structs.replace(output, floor=floor, margin=margin)


def _scorer(output: ScoreOutput, pairs: list[_Pair]) -> ScoreOutput:
    """The scale as the temperature of a classifier of two, whose logits are 0 and what is beyond."""
    if len(pairs) < FEWEST:
        return output
    beyond = np.asarray([said.score - output.threshold for said, _ in pairs])
    logits = np.stack([np.zeros_like(beyond), beyond if output.anomaly == "above" else -beyond], axis=1)
    # In units of the spread: temperatures are searched in a range that fits numbers about 1.
    unit = float(np.abs(beyond).mean()) or 1.0
    truth = np.asarray([bool(true) for _, true in pairs]).astype(np.int64)
    return msgspec.structs.replace(
        output, scale=unit * fit_temperature(logits / unit, ScoreKind.LOGITS, truth)
    )


def _outputs(model: Model, spec: ModelSpec, x: Any) -> Iterator[tuple[Any, Feed, dict[str, Array]]]:
    """Part by part: the rows as they were given, the feed made of them, and the model's outputs."""
    names = [each.name for each in spec.outputs]
    for part in parts_of(x):
        feed = model.conform_batch(part)
        yield part, feed, dict(zip(names, map(np.asarray, model.run(feed)), strict=True))


def _pictures(model: Model, spec: ModelSpec, output: DetectOutput, x: Any) -> list[Seen | None]:
    reader = DetectReader(spec, output, spec.labels, None)
    place = getattr(model, "placement", None)
    found: list[Seen | None] = []
    for part, feed, outputs in _outputs(model, spec, x):
        seen = reader.see(outputs, len(next(iter(feed.values()))))
        samples = samples_of(going_of(part, feed, spec), spec)
        told = spec.input
        if samples is not None and place is not None and isinstance(told, ImageInput):
            seen = [
                each
                if each is None
                else msgspec.structs.replace(each, boxes=in_picture(each.boxes, sample, told, place))
                for each, sample in zip(seen, samples, strict=True)
            ]
        found += seen
    return found


def _verdicts(model: Model, spec: ModelSpec, x: Any) -> list[Anomaly | None]:
    reader = task_reader(spec)
    found: list[Anomaly | None] = []
    for _, feed, outputs in _outputs(model, spec, x):
        found += reader.read(outputs, len(next(iter(feed.values())))).values
    return found


def _has_missed(found: Boxes, true: Boxes) -> bool:
    """Whether something is there that no box lies on, whatever its class."""
    if not len(true):
        return False
    return not len(found) or bool((iou(true.xyxy, found.xyxy).max(axis=1) < SAME).any())
