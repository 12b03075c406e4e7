"""Read a regressor's outputs: a number with its range, and how sure it is by the range's width."""

from collections.abc import Mapping

import numpy as np

from halocline.decide.gate import NO_CONFIDENCE
from halocline.decide.outputs import RegressOutput
from halocline.decide.tasks.answers import Answers
from halocline.decide.tasks.named import (
    column_of,
    matrix_of,
    not_as_described,
    output_of,
    told_confidence,
)
from halocline.records import Array, Interval, ModelSpec


class RegressReader:
    """Reads one regressor's outputs. Raises Misconfigured (HAL-330, HAL-331)."""

    def __init__(self, spec: ModelSpec, output: RegressOutput) -> None:
        self._output = output
        three = {
            "low_output": output.low_output,
            "value_output": output.value_output,
            "high_output": output.high_output,
        }
        self._names = (
            [output_of(spec, name, f"regress.{key}") for key, name in three.items()]
            if output.value_output
            else [output_of(spec, output.output, "regress.output")]
        )
        self._confidence = output.confidence_output
        if self._confidence:
            output_of(spec, self._confidence, "regress.confidence_output")

    def read(self, outputs: Mapping[str, Array], rows: int) -> Answers:
        """The interval of each row; a row where it holds NaN or infinity has no answer.

        Quantiles that cross are put in order: the value is then the middle one.
        """
        low, value, high = self._numbers(outputs, rows)
        width = high - low
        known = np.isfinite(width) & np.isfinite(value)
        confidence = np.where(known, np.clip(1.0 - width / self._output.full_width, 0.0, 1.0), NO_CONFIDENCE)
        values = [
            Interval(*numbers) if is_known else None
            for is_known, *numbers in zip(
                known.tolist(), value.tolist(), low.tolist(), high.tolist(), strict=True
            )
        ]
        if self._confidence:
            confidence = told_confidence(outputs, self._confidence, values)
        return Answers(values, confidence)

    def _numbers(self, outputs: Mapping[str, Array], rows: int) -> tuple[Array, Array, Array]:
        if self._output.kind == "ensemble":
            members = matrix_of(outputs, self._names[0], rows)
            if members.shape[1] < 2:
                raise not_as_described(
                    f"the output {self._names[0]!r} holds one number a row; a spread needs two or more"
                )
            mean = members.mean(axis=1)
            reach = self._output.spread * members.std(axis=1, ddof=1)
            return mean - reach, mean, mean + reach
        if len(self._names) == 3:
            three = np.stack([column_of(outputs, name, rows) for name in self._names], axis=1)
        else:
            three = matrix_of(outputs, self._names[0], rows)
            if three.shape[1] != 3:
                raise not_as_described(
                    f"the output {self._names[0]!r} holds {three.shape[1]} numbers a row, expected 3: "
                    "low, value, high"
                )
        three = np.sort(three, axis=1)
        return three[:, 0], three[:, 1], three[:, 2]
