"""Hold what two tiers say of rows that are not classified, and keep a row of the cloud's outputs as bytes."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from halocline.records import Array


class Said(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The answers of both tiers, one a row, the edge's None where it has none; its confidence `[rows]`."""

    edge: Sequence[Any]
    cloud: Sequence[Any]
    confidence: Array

    def of(self, places: Array) -> "Said":
        """Those of some rows: their places, or which of all."""
        return Said(
            edge=some(self.edge, places), cloud=some(self.cloud, places), confidence=self.confidence[places]
        )


def some(values: Sequence[Any], places: Array) -> list[Any]:
    """The values at these places int `[n]`, or those of which `places` bool `[all]` says so."""
    return [values[at] for at in np.arange(len(values))[places].tolist()]


def packed(outputs: Mapping[str, Array], row: int) -> Array:
    """One row of outputs by name as bytes, uint8 `[n]`."""
    told = [
        (name, array.dtype.str, array.shape[1:], np.ascontiguousarray(array[row]).tobytes())
        for name, array in outputs.items()
    ]
    return np.frombuffer(msgspec.msgpack.encode(told), dtype=np.uint8)


def unpacked(row: Array) -> dict[str, Array]:
    """The outputs `[1, …]` by name of one row that was packed."""
    told = msgspec.msgpack.decode(row.tobytes(), type=list[tuple[str, str, tuple[int, ...], bytes]])
    return {
        name: np.frombuffer(values, dtype=np.dtype(dtype)).reshape(1, *shape)
        for name, dtype, shape, values in told
    }
