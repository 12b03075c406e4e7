"""What reading the outputs of a task gives."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from halocline.records import Array


class Answers(NamedTuple):
    """One value a row, None where the outputs hold NaN, and one confidence in [0, 1], float64 `[rows]`."""

    values: Sequence[Any]
    confidence: Array


class TaskReader(Protocol):
    """Reads the outputs of a model whose task is not classification."""

    def read(self, outputs: Mapping[str, Array], rows: int) -> Answers:
        """What outputs `[rows, …]` by name say. Raises Misconfigured (HAL-331)."""
