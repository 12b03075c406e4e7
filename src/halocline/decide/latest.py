"""Count how many of the latest rows something is true of; what was long ago is forgotten."""

import msgspec

WINDOW_ROWS = 10_000
"""The share is that of about so many rows, the latest: half as many at least, more in large batches."""


class Latest(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows it is true of: in the present half of the window and in the one before."""

    rows: int = 0
    true: int = 0
    rows_before: int = 0
    true_before: int = 0

    @property
    def window_rows(self) -> int:
        """How many rows the share is of."""
        return self.rows + self.rows_before

    @property
    def window_true(self) -> int:
        """Of how many of these it is true."""
        return self.true + self.true_before

    @property
    def share(self) -> float | None:
        """The share of the rows that it is true of; None where no row was seen."""
        return self.window_true / self.window_rows if self.window_rows else None


def counted(latest: Latest, rows: int, true: int) -> Latest:
    """After so many more rows, `true` of which it is true of."""
    if latest.rows >= WINDOW_ROWS // 2:
        return Latest(rows=rows, true=true, rows_before=latest.rows, true_before=latest.true)
    return Latest(
        rows=latest.rows + rows,
        true=latest.true + true,
        rows_before=latest.rows_before,
        true_before=latest.true_before,
    )
