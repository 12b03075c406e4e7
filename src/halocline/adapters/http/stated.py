"""What a user said of a model elsewhere."""

from typing import TYPE_CHECKING

import msgspec

from halocline.records import ModelSpec, ScoreKind, Task

if TYPE_CHECKING:
    from halocline.decide.outputs import Output
    from halocline.inputs.description import Input


class Stated(msgspec.Struct, frozen=True):
    """What the user said of the model; it goes before what the server says."""

    labels: tuple[str, ...] | None
    score_kind: ScoreKind | None
    score_output: str | None
    input: "Input | None"
    task: "tuple[Task, Output | None] | None"

    def over(self, spec: ModelSpec) -> ModelSpec:
        """What the server says, but for what the user said."""
        task, output = self.task or (spec.task, spec.output)
        return msgspec.structs.replace(
            spec,
            task=task,
            output=output or (spec.output if spec.task is task else None),
            labels=self.labels or spec.labels,
            score_kind=self.score_kind or spec.score_kind,
            score_output=self.score_output or spec.score_output,
            input=self.input or spec.input,
        )
