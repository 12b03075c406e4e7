"""Tell the answers to one row in words, and what is to be drawn of them, whatever the task."""

from collections import Counter
from typing import Any, Protocol

from halocline.decide.outputs import ScoreOutput
from halocline.records import Anomaly, Boxes, Interval
from halocline.trial.samples import Drawn, Marks, Scale, label_of
from halocline.tuning.gathered import Gathered
from halocline.tuning.judged import Judged
from halocline.tuning.rows import Truth
from halocline.tuning.said import Said

NONE = "–"  # noqa: RUF001 - a dash
"""Stands for an answer that there is none of."""


class Answers(Protocol):
    """What is said of each row, by its place."""

    def edge(self, row: int) -> str:
        """What the edge says."""

    def cloud(self, row: int) -> str:
        """What the cloud says."""

    def truth(self, row: int) -> str | None:
        """What is true; None where that is not known."""

    def drawn(self, row: int) -> Drawn | None:
        """What is drawn of them; None where words are enough."""


def answers_of(seen: Gathered, judge: Judged, labels: Truth | None) -> Answers:
    """The answers to these rows."""
    if seen.said is None:
        return _Classes(seen, judge, labels)
    return _Values(seen, seen.said, labels)


class _Classes:
    def __init__(self, seen: Gathered, judge: Judged, labels: Truth | None) -> None:
        self._seen, self._judge, self._labels = seen, judge, labels

    def edge(self, row: int) -> str:
        return label_of(self._seen.classes, int(self._judge.index[row]))

    def cloud(self, row: int) -> str:
        return label_of(self._seen.classes, int(self._seen.cloud_index[row]))

    def truth(self, row: int) -> str | None:
        return None if self._labels is None else label_of(self._seen.classes, int(self._labels.index[row]))

    def drawn(self, row: int) -> Drawn | None:
        return None


class _Values:
    def __init__(self, seen: Gathered, said: Said, labels: Truth | None) -> None:
        self._seen, self._said, self._labels = seen, said, labels
        scores = [each.score for each in said.edge if isinstance(each, Anomaly)]
        self._scores = (min(scores), max(scores)) if scores else None

    def edge(self, row: int) -> str:
        return _told(self._said.edge[row])

    def cloud(self, row: int) -> str:
        return _told(self._said.cloud[row])

    def truth(self, row: int) -> str | None:
        if self._labels is None:
            return None
        if self._labels.values is None:
            return label_of(self._seen.classes, int(self._labels.index[row]))
        return _told(self._labels.values[row])

    def drawn(self, row: int) -> Drawn | None:
        pair = self._said.edge[row], self._said.cloud[row]
        form = self._seen.edge.output
        if isinstance(form, ScoreOutput):
            return _of_score(pair[0], form.threshold, self._scores)
        true = None if self._labels is None or self._labels.values is None else self._labels.values[row]
        if any(isinstance(each, Boxes) for each in pair):
            return Marks(edge=_corners(pair[0]), cloud=_corners(pair[1]), truth=_corners(true))
        return _of_intervals(*pair, None if true is None else float(true))


def _told(value: Any) -> str:
    if isinstance(value, Boxes):
        return _listed(value)
    if isinstance(value, Interval):
        return f"{value.value:.4g} ({value.low:.4g} to {value.high:.4g})"
    if isinstance(value, Anomaly):
        return f"{'anomaly' if value.is_anomaly else 'normal'}, {value.score:.4g}"
    return NONE if value is None else f"{value:.4g}"


def _listed(boxes: Boxes) -> str:
    """What was found, the most frequent first."""
    names = boxes.labels or tuple(map(str, boxes.index.tolist()))
    counts = Counter(names).most_common()
    return ", ".join(name if n == 1 else f"{name} ({n})" for name, n in counts) or "nothing"


def _corners(boxes: Boxes | None) -> tuple[tuple[float, float, float, float], ...]:
    if boxes is None:
        return ()
    return tuple((left, top, right, low) for left, top, right, low in boxes.xyxy.round(4).tolist())


def _of_score(value: Any, limit: float, scores: tuple[float, float] | None) -> Scale | None:
    """The edge's score on the scale of all rows; the cloud's may have a scale of its own."""
    if not isinstance(value, Anomaly) or scores is None:
        return None
    spot = (value.score, value.score, value.score)
    return Scale(low=min(scores[0], limit), high=max(scores[1], limit), edge=spot, cloud=None, limit=limit)


def _of_intervals(edge: Any, cloud: Any, truth: float | None) -> Scale | None:
    ranges = [
        (each.low, each.value, each.high) if isinstance(each, Interval) else None for each in (edge, cloud)
    ]
    spots = [spot for each in ranges if each is not None for spot in each]
    if not spots:
        return None
    spots += [] if truth is None else [truth]
    return Scale(low=min(spots), high=max(spots), edge=ranges[0], cloud=ranges[1], truth=truth)
