"""Take rows in parts, whatever they come as."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

PART_ROWS = 64


def parts_of(x: Any, rows: int = PART_ROWS) -> Iterator[Any]:
    """So many rows at a time of an array, arrays by name, or raw samples, which are read in their turn."""
    if isinstance(x, Mapping):
        count = len(next(iter(x.values())))
        for at in range(0, count, rows):
            yield {name: array[at : at + rows] for name, array in x.items()}
        return
    for at in range(0, len(x), rows):
        some = range(at, min(at + rows, len(x)))
        yield x[at : at + rows] if isinstance(x, np.ndarray) else [x[each] for each in some]
