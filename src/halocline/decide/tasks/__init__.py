"""Read what models say whose task is not classification: detectors, regressors, anomaly scorers."""

from halocline.decide.outputs import OUTPUTS, DetectOutput, RegressOutput, ScoreOutput
from halocline.decide.tasks.answers import TaskReader
from halocline.decide.tasks.detect import DetectReader
from halocline.decide.tasks.regress import RegressReader
from halocline.decide.tasks.score import ScoreReader
from halocline.errors import Misconfigured
from halocline.records import Array, ModelSpec


def task_reader(
    spec: ModelSpec, labels: tuple[str, ...] | None = None, order: Array | None = None
) -> TaskReader:
    """The reader of this model's outputs, which names classes by `labels`, put in this order.

    `order` is the index among `labels` of each of the model's classes; None: they are the same.
    Raises Misconfigured (HAL-330, HAL-331).
    """
    if isinstance(spec.output, DetectOutput):
        return DetectReader(spec, spec.output, labels, order)
    if isinstance(spec.output, RegressOutput):
        return RegressReader(spec, spec.output)
    if isinstance(spec.output, ScoreOutput):
        return ScoreReader(spec, spec.output)
    needed = OUTPUTS[spec.task].__name__
    raise Misconfigured(
        "HAL-330",
        f"{spec.ref} is said to {spec.task}, and not how its outputs are read. Give the table [{spec.task}] "
        f"of its description, or task={needed}(…); or confidence= for outputs that you read yourself",
    )
