"""Samples as a camera, a microphone or a sensor gives them, and which of them train, tune and test."""

from collections.abc import Sequence
from typing import Any

import msgspec

from halocline.records import Array


class Raw(msgspec.Struct, frozen=True, eq=False):
    """Samples, their classes int64, and whom each is of ("" where that is nobody).

    A recording is a sample a row: floats `[rows, columns]`, cut into windows where a model takes such.
    """

    samples: Sequence[Any] | Array
    y: Array
    groups: Sequence[str]

    def __len__(self) -> int:
        return len(self.y)

    def where(self, chosen: Array) -> "Raw":
        """The samples of these numbers."""
        return Raw([self.samples[at] for at in chosen], self.y[chosen], [self.groups[at] for at in chosen])


class RawParts(msgspec.Struct, frozen=True, eq=False):
    """What trains the models, what a policy is tuned on, and what neither has seen."""

    labels: tuple[str, ...]
    train: Raw
    tune: Raw
    test: Raw
