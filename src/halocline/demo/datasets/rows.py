"""Rows of a real data set, and which of them train, tune and test."""

import msgspec

from halocline.records import Array


class Rows(msgspec.Struct, frozen=True, eq=False):
    """Inputs float32 `[n, features]`, classes int64 `[n]`, and whom each row is of, int64 `[n]`.

    `groups` are patients, speakers; where rows are independent, each row is a group of its own. Rows lie in
    the order in which they came.
    """

    x: Array
    y: Array
    groups: Array

    def __len__(self) -> int:
        return len(self.y)

    def where(self, chosen: Array) -> "Rows":
        """The rows of that mask or of those numbers."""
        return Rows(self.x[chosen], self.y[chosen], self.groups[chosen])


class Parts(msgspec.Struct, frozen=True, eq=False):
    """What trains the models, what the threshold is chosen on, and what is opened once, at the end.

    Where `tune` is None the threshold comes from `train` by cross-validation over its groups.
    """

    train: Rows
    tune: Rows | None
    test: Rows
