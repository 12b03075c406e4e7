"""Decide whether a sample shows what was sent from the same source a moment ago."""

from collections import OrderedDict

from halocline.decide.rules import Thin
from halocline.decide.sketch import distance
from halocline.records import Array

MOST_SOURCES = 64
"""Of more, the one from which nothing was sent for longest is forgotten."""
REMEMBERED = 16
"""Sketches of each source: a camera that turns shows several scenes in turn."""


class Scenes:
    """The sketches of what was sent of late, by source; at most 4 MiB of them."""

    def __init__(self, thin: Thin) -> None:
        self._thin = thin
        self._sent: OrderedDict[str | None, list[tuple[float, Array]]] = OrderedDict()

    def is_repeat(self, source: str | None, sketch: Array, now_s: float) -> bool:
        """Whether something so alike was sent from there."""
        since_s = now_s - self._thin.for_s
        return any(
            sent_s > since_s and distance(sketch, other) < self._thin.distance
            for sent_s, other in self._sent.get(source, ())
        )

    def remember(self, source: str | None, sketch: Array, now_s: float) -> None:
        """This was sent."""
        sent = self._sent.setdefault(source, [])
        sent.append((now_s, sketch))
        del sent[:-REMEMBERED]
        self._sent.move_to_end(source)
        if len(self._sent) > MOST_SOURCES:
            self._sent.popitem(last=False)
