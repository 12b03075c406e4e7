"""Calibrate how sure a detector is on labelled pictures: of its boxes, and that there are no more."""

from collections.abc import Sequence

import msgspec
import numpy as np

from halocline.decide.outputs import DetectOutput
from halocline.decide.tasks.detect import DetectReader, Seen
from halocline.errors import Misconfigured, Rejected
from halocline.ports import Feed, Model
from halocline.records import Array, Boxes, ModelSpec
from halocline.stats.logistic import fit_logistic
from halocline.stats.overlap import SAME, iou, matches

_BATCH = 64
FEWEST = 50
"""Fewer pictures than this fit no curve: the stated rule stays."""


def calibrated(model: Model, inputs: Array | Feed, truth: Sequence[Boxes]) -> DetectOutput:
    """How this detector's outputs are read, with `floor` and `margin` fitted to what is in these pictures.

    They should be pictures that it was not trained on, as mixed as those to come, the empty ones too.
    `truth` has its classes in the order of the model's labels. Raises Misconfigured (HAL-332),
    Rejected (HAL-305, and as `conform_batch` does).
    """
    spec = model.spec
    if not isinstance(spec.output, DetectOutput):
        raise Misconfigured("HAL-332", f"{spec.ref} is no detector; its task is {spec.task}")
    seen = _seen(model, spec, spec.output, inputs)
    if len(seen) != len(truth):
        raise Rejected(
            "HAL-305", f"{len(truth)} pictures have boxes given, of {len(seen)}; give them for each"
        )
    pairs = [(one, there) for one, there in zip(seen, truth, strict=True) if one is not None]
    if len(pairs) < FEWEST:
        return spec.output
    missed = np.asarray([one.missed for one, _ in pairs])
    floor = fit_logistic(missed, np.asarray([_has_missed(one.boxes, there) for one, there in pairs]))
    some = [(one, there) for one, there in pairs if one.least_margin is not None]
    margin = None
    if len(some) >= FEWEST:
        right = np.asarray([bool((matches(one.boxes, there) >= 0).all()) for one, there in some])
        margin = fit_logistic(np.asarray([one.least_margin for one, _ in some], dtype=np.float64), right)
    return msgspec.structs.replace(spec.output, floor=floor, margin=margin)


def _seen(model: Model, spec: ModelSpec, output: DetectOutput, inputs: Array | Feed) -> list[Seen | None]:
    feed = model.conform_batch(inputs)
    reader = DetectReader(spec, output, spec.labels, None)
    names = [each.name for each in spec.outputs]
    count = len(next(iter(feed.values())))
    seen: list[Seen | None] = []
    for start in range(0, count, _BATCH):
        part = {name: array[start : start + _BATCH] for name, array in feed.items()}
        rows = len(next(iter(part.values())))
        seen += reader.see(dict(zip(names, model.run(part), strict=True)), rows)
    return seen


def _has_missed(found: Boxes, true: Boxes) -> bool:
    """Whether something is there that no box lies on, whatever its class."""
    if not len(true):
        return False
    return not len(found) or bool((iou(true.xyxy, found.xyxy).max(axis=1) < SAME).any())
