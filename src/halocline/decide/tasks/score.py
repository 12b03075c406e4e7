"""Read an anomaly scorer's output: the verdict by the threshold, and how sure it is by the distance to it."""

from collections.abc import Mapping

import numpy as np

from halocline.decide.gate import NO_CONFIDENCE
from halocline.decide.outputs import ScoreOutput
from halocline.decide.tasks.answers import Answers
from halocline.decide.tasks.named import column_of, output_of, told_confidence
from halocline.records import Anomaly, Array, ModelSpec


class ScoreReader:
    """Reads one scorer's output. Raises Misconfigured (HAL-330, HAL-331)."""

    def __init__(self, spec: ModelSpec, output: ScoreOutput) -> None:
        self._output = output
        self._name = output_of(spec, output.output, "score.output")
        for key in ("verdict_output", "confidence_output"):
            if getattr(output, key):
                output_of(spec, getattr(output, key), f"score.{key}")

    def read(self, outputs: Mapping[str, Array], rows: int) -> Answers:
        """The verdict on each row; a row with NaN has none."""
        scores = column_of(outputs, self._name, rows)
        beyond = scores - self._output.threshold
        verdict = beyond >= 0 if self._output.anomaly == "above" else beyond <= 0
        if self._output.verdict_output:
            verdict = column_of(outputs, self._output.verdict_output, rows) > 0.5
        known = ~np.isnan(scores)
        right = 0.5 * (1.0 + np.tanh(0.5 * np.abs(beyond) / self._output.scale))
        values = [
            Anomaly(score, is_anomaly) if is_known else None
            for score, is_anomaly, is_known in zip(
                scores.tolist(), verdict.tolist(), known.tolist(), strict=True
            )
        ]
        if self._output.confidence_output:
            return Answers(values, told_confidence(outputs, self._output.confidence_output, values))
        return Answers(values, np.where(known, right, NO_CONFIDENCE))
