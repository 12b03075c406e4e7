"""Choose the threshold of a pair that detects, regresses or scores, on rows whose truth is known or not."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from halocline.decide.evidence import Evidence
from halocline.decide.gate import NO_CLASS, NO_CONFIDENCE, Policy
from halocline.decide.promise import Promise
from halocline.decide.targets import Target
from halocline.decide.tasks.same import is_same
from halocline.decide.tune import Choice
from halocline.decide.tune import tune as choose
from halocline.edge.arguments import edge_of, upstream_of
from halocline.edge.tiered import Tiered
from halocline.errors import Misconfigured
from halocline.ports import Function, Model, Upstream
from halocline.records import Array, Mode, Task
from halocline.tuning.gather import RemoteCloud
from halocline.tuning.parts import PART_ROWS, parts_of
from halocline.tuning.rows import check_length, read_groups
from halocline.tuning.truth import judge_of


class TunedTask(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A policy for two tiers of a task, what it promises, and what it was chosen among."""

    policy: Policy
    choice: Choice
    evidence: Evidence

    @property
    def promise(self) -> Promise:
        """What is promised, and what it rests on; or why nothing is."""
        return self.choice.promise

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes the rows a weak ground."""
        return self.choice.warnings


class _Said(NamedTuple):
    edge: list[Any]
    confidence: list[float]
    cloud: list[Any]


def tune_task(
    edge: Model,
    cloud: Upstream | Model | Function,
    x: Any,
    y: Sequence[Any] | Array | None = None,
    groups: Any = None,
    *,
    target: Target,
    tolerance: float | None = None,
    to_cloud: Callable[[Array], Array] | None = None,
    label_map: Mapping[str, str] | None = None,
    timeout_s: float = 30.0,
    batch_rows: int = PART_ROWS,
) -> TunedTask:
    """Choose the threshold on rows that neither model was trained on; the loss is edge wrong, cloud right.

    `x` are raw samples or arrays, as `Tiered.infer_batch` takes them, and `y` what is true of each. A
    detector (`y`: Boxes) is right where every thing has a box at an overlap of one half, with the right
    class, and nothing else has one; a regressor (numbers) within `tolerance` of the truth; a scorer
    (whether it is an anomaly) with the right verdict. Without `y` the cloud's answers are the truth.
    `target` is a MaxLoss, an Escalate or Prices; the rest is as in `tune`, and nothing is cached.

    Raises Misconfigured (HAL-101, HAL-102, HAL-332), Rejected (HAL-305, HAL-601, and as `infer_batch`
    does), Transient (HAL-401) where the cloud gives no answer.
    """
    spec = edge_of(edge).spec
    if spec.task is Task.CLASSIFY:
        raise Misconfigured("HAL-332", f"{spec.ref} classifies; tune it with hc.tune(…)")
    if batch_rows < 1:
        raise Misconfigured("HAL-101", f"batch_rows must be 1 or more, got {batch_rows}")
    is_right = None if y is None else judge_of(spec, tolerance)
    said = _ask(edge, cloud, x, batch_rows, timeout_s, to_cloud=to_cloud, label_map=label_map)
    rows = len(said.edge)
    if is_right is None or y is None:
        edge_right = [is_same(here, there) for here, there in zip(said.edge, said.cloud, strict=True)]
        cloud_right = None
    else:
        check_length("y", len(y), rows)
        edge_right = [is_right(value, true) for value, true in zip(said.edge, y, strict=True)]
        cloud_right = np.asarray([is_right(value, true) for value, true in zip(said.cloud, y, strict=True)])
    evidence = Evidence(
        confidence=np.asarray(said.confidence),
        edge_index=np.full(rows, NO_CLASS),
        edge_correct=np.asarray(edge_right, dtype=bool),
        cloud_correct=cloud_right,
        group=read_groups(groups, rows),
    )
    chosen = choose(evidence, target)
    policy = Policy(threshold=chosen.threshold, share=chosen.promise.share)
    return TunedTask(policy=policy, choice=chosen, evidence=evidence)


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
