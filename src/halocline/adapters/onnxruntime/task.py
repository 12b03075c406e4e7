"""Say of a batch what a model says whose task is not classification."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from halocline.decide.gate import NO_CLASS
from halocline.decide.tasks import task_reader
from halocline.edge.placing import in_pictures
from halocline.edge.reading import Rows
from halocline.edge.sending import Going, samples_of
from halocline.records import Array, ModelSpec, Prediction

if TYPE_CHECKING:
    from halocline.inputs.description import ImageInput
    from halocline.inputs.placement import Placement


def task_predictions(
    spec: ModelSpec,
    outputs: Sequence[Array],
    going: Going,
    place: "Callable[[Any, ImageInput], Placement]",
) -> list[Prediction]:
    """One prediction a row of these outputs, boxes in fractions of the pictures that were given.

    Raises Misconfigured (HAL-330, HAL-331) where the outputs cannot be read.
    """
    named = dict(zip([each.name for each in spec.outputs], outputs, strict=True))
    count = len(outputs[0])
    said = task_reader(spec, spec.labels).read(named, count)
    rows = Rows(np.full(count, NO_CLASS), said.confidence, None, named, said.values)
    values = in_pictures(rows, spec.input, samples_of(going, spec), place).values or ()
    return [
        Prediction(
            value=value,
            confidence=max(float(said.confidence[row]), 0.0),
            model=spec.ref,
            task=spec.task,
            outputs={name: output[row] for name, output in named.items()},
        )
        for row, value in enumerate(values)
    ]
