"""Measure how long a raw sample takes to become a tensor: reading, decoding, resizing."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from halocline.inputs.description import ArrayInput
from halocline.ports import Model
from halocline.records import Array
from halocline.tuning.gathered import Latency

TIMED = 30


def preparing(edge: Model, x: Any, places: Array) -> Latency | None:
    """What the edge's preparation takes for a row; None where rows come as ready tensors."""
    told = edge.spec.input
    if isinstance(x, Mapping) or told is None or (isinstance(told, ArrayInput) and told.is_idle):
        return None
    took_s = []
    for at in places[:TIMED]:
        began_s = time.perf_counter()
        edge.conform(x[int(at)])
        took_s.append(time.perf_counter() - began_s)
    p50, p99 = np.percentile(took_s, [50, 99])
    return Latency(float(p50), float(p99), len(took_s))
