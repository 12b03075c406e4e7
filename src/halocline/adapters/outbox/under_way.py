"""Remember what was given to be sent: what arrives although it left the queue was not lost."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from halocline.sync import Loss

_MOST: Final = 1 << 14
"""Of more than that the oldest are forgotten: each then stays counted as what the queue did with it."""


class UnderWay:
    """Records that `take` gave, and of these the ones that left the queue before an answer came."""

    def __init__(self) -> None:
        self._given: dict[int, str] = {}
        self._lost: dict[str, Loss] = {}

    def begin(self, given: Iterable[tuple[int, str]]) -> None:
        """These may be sent now: place and id of each."""
        self._given.update(given)
        _shorten(self._given)

    def lose(self, places: Sequence[int], loss: Loss) -> None:
        """These left the queue, and are counted as lost."""
        for place in places:
            record_id = self._given.pop(place, None)
            if record_id is not None:
                self._lost[record_id] = loss
        _shorten(self._lost)

    def arrived(self, ids: Sequence[str]) -> Iterator[Loss]:
        """How those of the ids were counted that had left the queue."""
        return (self._lost[record_id] for record_id in ids if record_id in self._lost)

    def end(self, places: Sequence[int], ids: Sequence[str]) -> None:
        """An answer to these has come, and was counted."""
        for place in places:
            self._given.pop(place, None)
        for record_id in ids:
            self._lost.pop(record_id, None)


def _shorten(names: dict[int, str] | dict[str, Loss]) -> None:
    while len(names) > _MOST:
        del names[next(iter(names))]  # type: ignore[arg-type]  # a key of the one that it is
