"""Ask two tiers of a task about every row, and say of each who was right."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

import numpy as np

from halocline.decide.evidence import Evidence
from halocline.decide.gate import NO_CLASS, NO_CONFIDENCE
from halocline.decide.tasks.same import is_same
from halocline.edge.arguments import edge_of, upstream_of
from halocline.edge.tiered import Tiered
from halocline.errors import Misconfigured
from halocline.ports import Function, Model, Upstream
from halocline.records import Array, Mode, Task
from halocline.tuning.gather import RemoteCloud
from halocline.tuning.parts import PART_ROWS, count_of, parts_of
from halocline.tuning.rows import read_groups
from halocline.tuning.truth import judge_of, truth_of


class How(TypedDict, total=False):
    """How the tiers are asked, and what is right: the arguments of `task_evidence` that have a name."""

    tolerance: float | None
    to_cloud: Callable[[Array], Array] | None
    label_map: Mapping[str, str] | None
    timeout_s: float
    batch_rows: int


def task_evidence(
    edge: Model,
    cloud: Upstream | Model | Function,
    x: Any,
    y: Sequence[Any] | Array | None = None,
    groups: Any = None,
    *,
    tolerance: float | None = None,
    to_cloud: Callable[[Array], Array] | None = None,
    label_map: Mapping[str, str] | None = None,
    timeout_s: float = 30.0,
    batch_rows: int = PART_ROWS,
) -> Evidence:
    """Who was right about each row; without `y` the cloud's answers are the truth.

    `x` are raw samples or arrays, as `Tiered.infer_batch` takes them, and `y` what is true of each. A
    detector (`y`: Boxes) is right where every thing has a box at an overlap of one half, with the right
    class, and nothing else has one; a regressor (numbers) within `tolerance` of the truth; a scorer
    (whether it is an anomaly) with the right verdict. The truth is checked before the cloud is asked.

    Raises Misconfigured (HAL-101, HAL-102, HAL-332), Rejected (HAL-305, and as `infer_batch` does),
    Transient (HAL-401) where the cloud gives no answer.
    """
    spec = edge_of(edge).spec
    if spec.task is Task.CLASSIFY:
        raise Misconfigured("HAL-332", f"{spec.ref} classifies: hc.tune(…) and hc.evaluate(…) are for that")
    if batch_rows < 1:
        raise Misconfigured("HAL-101", f"batch_rows must be 1 or more, got {batch_rows}")
    rows = count_of(x)
    group = read_groups(groups, rows)
    truth = None if y is None else truth_of(spec, y, rows)
    is_right = is_same if truth is None else judge_of(spec, tolerance)
    said = _ask(edge, cloud, x, batch_rows, timeout_s, to_cloud=to_cloud, label_map=label_map)
    wanted = said.cloud if truth is None else truth
    right = [
        np.asarray([is_right(value, true) for value, true in zip(values, wanted, strict=True)], dtype=bool)
        for values in (said.edge, said.cloud)
    ]
    return Evidence(
        confidence=np.asarray(said.confidence),
        edge_index=np.full(rows, NO_CLASS),
        edge_correct=right[0],
        cloud_correct=None if truth is None else right[1],
        group=group,
    )


class _Said(NamedTuple):
    edge: list[Any]
    confidence: list[float]
    cloud: list[Any]


def _ask(
    edge: Model,
    cloud: Upstream | Model | Function,
    x: Any,
    batch_rows: int,
    timeout_s: float,
    *,
    to_cloud: Callable[[Array], Array] | None,
    label_map: Mapping[str, str] | None,
) -> _Said:
    """What each tier alone says of every row."""
    if isinstance(cloud, RemoteCloud):
        cloud.wait_ready(timeout_s)
    upstream = upstream_of(cloud)
    said = _Said([], [], [])
    try:
        # Not closed: the cloud that was given goes on, and these hold nothing else open.
        here, there = (
            Tiered(edge, upstream, mode=mode, deadline_s=timeout_s, to_cloud=to_cloud, label_map=label_map)
            for mode in (Mode.EDGE_ONLY, Mode.CLOUD_ONLY)
        )
        for part in parts_of(x, batch_rows):
            for reply in here.infer_batch(part):
                said.edge.append(reply.value)
                said.confidence.append(NO_CONFIDENCE if reply.value is None else reply.confidence)
            said.cloud.extend(reply.value for reply in there.infer_batch(part))
    finally:
        if upstream is not cloud:
            upstream.close()
    return said
