"""Compose pictures of several small ones on a noisy canvas, and say where each of them lies."""

from collections.abc import Sequence

import msgspec
import numpy as np

from halocline.records import Array, Boxes

SIDE = 112
ITEM = 28
FAINTEST = 0.2
"""Things differ in contrast, from this to 1: some are hard to see."""
NOISE = 0.06
_TIGHT = 0.1
"""Pixels of an item above this belong to it: its box is around them."""
_MOST_OVERLAP = 4
"""Pixels by which the frames of two items may overlap."""
_TRIES = 60


class Items(msgspec.Struct, frozen=True, eq=False):
    """Small pictures float32 `[n, 28, 28]` in 0..1 with the class of each, int64 `[n]`, and its names."""

    pictures: Array
    classes: Array
    labels: tuple[str, ...]


class Scenes(msgspec.Struct, frozen=True, eq=False):
    """Pictures float32 `[n, 112, 112]` and what is in each."""

    pictures: Array
    truth: tuple[Boxes, ...]

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def counts(self) -> Array:
        """How many things are in each, int64 `[n]`."""
        return np.asarray([len(boxes) for boxes in self.truth])


def compose(items: Items, counts: Sequence[int], rng: np.random.Generator) -> Scenes:
    """One scene for each count, with at most so many items: in a full picture one may find no place."""
    made = [_scene(items, count, rng) for count in counts]
    return Scenes(np.stack([picture for picture, _ in made]), tuple(truth for _, truth in made))


def mixed_counts(scenes: int, rng: np.random.Generator) -> list[int]:
    """A third of the scenes empty, a third with one to three items, a third crowded with five to seven."""
    kinds = [(0, 0), (1, 3), (5, 7)]
    return [int(rng.integers(low, high + 1)) for low, high in (kinds[at % 3] for at in range(scenes))]


def _scene(items: Items, count: int, rng: np.random.Generator) -> tuple[Array, Boxes]:
    picture = np.zeros((SIDE, SIDE), np.float32)
    corners: list[tuple[int, int]] = []
    boxes, classes = [], []
    for at in rng.integers(0, len(items.pictures), count).tolist():
        corner = _free_place(corners, rng)
        if corner is None:
            break
        corners.append(corner)
        top, left = corner
        item = items.pictures[at]
        frame = picture[top : top + ITEM, left : left + ITEM]
        np.maximum(frame, item * rng.uniform(FAINTEST, 1.0), out=frame)
        boxes.append(_tight_box(item, top, left))
        classes.append(int(items.classes[at]))
    noisy = picture + rng.normal(0, NOISE, picture.shape)
    return np.clip(noisy, 0, 1).astype(np.float32), Boxes(
        xyxy=np.asarray(boxes, np.float32).reshape(-1, 4) / SIDE,
        index=np.asarray(classes, np.int64),
        scores=np.ones(len(boxes), np.float32),
        labels=tuple(items.labels[each] for each in classes),
    )


def _free_place(taken: list[tuple[int, int]], rng: np.random.Generator) -> tuple[int, int] | None:
    apart = ITEM - _MOST_OVERLAP
    for _ in range(_TRIES):
        top, left = (int(each) for each in rng.integers(0, SIDE - ITEM + 1, 2))
        if all(abs(top - other) >= apart or abs(left - beside) >= apart for other, beside in taken):
            return top, left
    return None


def _tight_box(item: Array, top: int, left: int) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero((item > _TIGHT).any(axis=1)), np.flatnonzero((item > _TIGHT).any(axis=0))
    if not rows.size:
        return left, top, left + ITEM, top + ITEM
    return (
        left + int(columns[0]),
        top + int(rows[0]),
        left + int(columns[-1]) + 1,
        top + int(rows[-1]) + 1,
    )
