"""Read a detector's outputs: the boxes of each picture, and how sure they are."""

from collections.abc import Mapping

import msgspec
import numpy as np

from halocline.decide.gate import NO_CONFIDENCE
from halocline.decide.outputs import DetectOutput
from halocline.decide.tasks.answers import Answers
from halocline.decide.tasks.candidates import Candidates, candidate_reader
from halocline.decide.tasks.named import output_of, told_confidence
from halocline.decide.tasks.suppress import suppress
from halocline.decide.tasks.sure import likeliest_missed, sureness
from halocline.records import Array, Boxes, ModelSpec


class Seen(msgspec.Struct, frozen=True):
    """One picture as a detector sees it: the boxes, and what their sureness is made of (see `sureness`)."""

    boxes: Boxes
    least_margin: float | None
    missed: float


class DetectReader:
    """Reads one detector's outputs in the edge's labels. Raises Misconfigured (HAL-330, HAL-331).

    `order` is the edge's class index of each class of this model, None where they are the same.
    """

    def __init__(
        self, spec: ModelSpec, output: DetectOutput, labels: tuple[str, ...] | None, order: Array | None
    ) -> None:
        self._output = output
        self._labels = labels
        self._order = order
        self._candidates = candidate_reader(spec, output)
        self._confidence = output.confidence_output
        if self._confidence:
            output_of(spec, self._confidence, "detect.confidence_output")

    def read(self, outputs: Mapping[str, Array], rows: int) -> Answers:
        """The boxes of each picture, and one confidence a picture; None where its scores hold NaN."""
        seen = self.see(outputs, rows)
        values = [None if each is None else each.boxes for each in seen]
        if self._confidence:
            return Answers(values, told_confidence(outputs, self._confidence, values))
        confidence = [
            NO_CONFIDENCE if each is None else sureness(each.least_margin, each.missed, self._output)
            for each in seen
        ]
        return Answers(values, np.asarray(confidence))

    def see(self, outputs: Mapping[str, Array], rows: int) -> list[Seen | None]:
        """Each picture with what its sureness is made of."""
        return [self._see(each) for each in self._candidates(outputs, rows)]

    def _see(self, candidates: Candidates) -> Seen | None:
        boxes, index, scores, rivals = candidates
        if np.isnan(scores).any():
            return None
        boxes = np.clip(boxes, 0.0, 1.0).astype(np.float32)
        real = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)  # false also where a corner is NaN
        boxes, index, scores, rivals = boxes[real], index[real], scores[real], rivals[real]
        output = self._output
        likely = np.flatnonzero(scores >= output.score_threshold)
        kind = np.zeros_like(index) if output.across_classes else index
        kept = likely[
            suppress(boxes[likely], kind[likely], scores[likely], output.iou_threshold, output.max_boxes + 1)
        ]
        if len(kept) > output.max_boxes:  # there is more than may be told
            kept, missed = kept[: output.max_boxes], output.score_threshold
        else:
            missed = likeliest_missed(boxes, scores, kept, output)
        margin = float((scores[kept] - rivals[kept]).min()) if len(kept) else None
        return Seen(self._boxes(boxes[kept], index[kept], scores[kept]), margin, missed)

    def _boxes(self, xyxy: Array, index: Array, scores: Array) -> Boxes:
        if self._order is not None:
            index = self._order[index]
        return Boxes(
            xyxy=xyxy.astype(np.float32),
            index=index.astype(np.int64),
            scores=scores.astype(np.float32),
            labels=None if self._labels is None else tuple(self._labels[at] for at in index.tolist()),
        )
