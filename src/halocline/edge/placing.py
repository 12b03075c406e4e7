"""Turn boxes in fractions of a model's tensor into fractions of the pictures that were given."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeGuard

import msgspec
import numpy as np

from halocline.edge.reading import Rows
from halocline.inputs.description import ImageInput, Input
from halocline.inputs.placement import Placement
from halocline.records import Boxes

Place: TypeAlias = Callable[[Any, ImageInput], Placement]
"""Where a raw picture comes to lie in the tensor of that description."""


def in_pictures(rows: Rows, told: Input | None, samples: Sequence[Any] | None, place: Place | None) -> Rows:
    """The rows with their boxes as fractions of the samples; ready tensors are pictures themselves.

    Where the picture fills the tensor (fit = "stretch") the fractions are the same already.
    """
    if rows.values is None or not is_fitted(told) or samples is None or place is None:
        return rows
    values = [in_picture(*pair, told, place) for pair in zip(rows.values, samples, strict=True)]
    return msgspec.structs.replace(rows, values=values)


def is_fitted(told: Input | None) -> TypeGuard[ImageInput]:
    """Whether fractions of the tensor are others than those of the picture."""
    return isinstance(told, ImageInput) and told.fit != "stretch"


def in_picture(value: Any, sample: Any, told: ImageInput, place: Place) -> Any:
    """One answer, whose boxes are in fractions of the tensor, in those of the sample."""
    return _moved(value, place(sample, told)) if isinstance(value, Boxes) and len(value) else value


def _moved(boxes: Boxes, placement: Placement) -> Boxes:
    """Cut at the picture's edge; a box in what was added around the picture has no area left, and goes."""
    xyxy = np.clip(placement.to_picture(boxes.xyxy), 0, 1).astype(np.float32)
    kept = (xyxy[:, 2:] > xyxy[:, :2]).all(axis=1)
    labels = np.asarray(boxes.labels or (), dtype=object)
    return Boxes(
        xyxy=xyxy[kept],
        index=boxes.index[kept],
        scores=boxes.scores[kept],
        labels=None if boxes.labels is None else tuple(labels[kept].tolist()),
    )
