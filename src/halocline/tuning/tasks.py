"""Choose the threshold of a pair that detects, regresses or scores, and measure what a policy does there."""

from collections.abc import Sequence
from typing import Any, Unpack

import msgspec
import numpy as np

from halocline.decide.evidence import Evidence
from halocline.decide.gate import Policy
from halocline.decide.promise import Promise
from halocline.decide.targets import Target
from halocline.decide.tune import Choice
from halocline.decide.tune import tune as choose
from halocline.ports import Function, Model, Upstream
from halocline.records import Array
from halocline.stats.bounds import Estimate
from halocline.tuning.tally import CLOUD, EDGE, LOST, TIERED, UP, Tally
from halocline.tuning.task_evidence import How, task_evidence


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


class TaskFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The share of rows that is right at the edge alone, in the cloud alone and with both.

    `escalated` is the share that goes up, `lost` that which the edge answers wrongly where the cloud is
    right; intervals are 95 %.
    """

    rows: int
    edge: Estimate
    cloud: Estimate
    tiered: Estimate
    escalated: Estimate
    lost: Estimate


def tune_task(
    edge: Model,
    cloud: Upstream | Model | Function,
    x: Any,
    y: Sequence[Any] | Array | None = None,
    groups: Any = None,
    *,
    target: Target,
    **how: Unpack[How],
) -> TunedTask:
    """Choose the threshold on rows that neither model was trained on; the loss is edge wrong, cloud right.

    `target` is a MaxLoss, an Escalate or Prices; what is right, and `how` the tiers are asked, is told by
    `task_evidence`, whose arguments these are. Nothing is cached. Raises as that does, and Rejected
    (HAL-601).
    """
    evidence = task_evidence(edge, cloud, x, y, groups, **how)
    chosen = choose(evidence, target)
    policy = Policy(threshold=chosen.threshold, share=chosen.promise.share)
    return TunedTask(policy=policy, choice=chosen, evidence=evidence)


def evaluate_task(
    edge: Model,
    cloud: Upstream | Model | Function,
    policy: Policy,
    x: Any,
    y: Sequence[Any] | Array | None = None,
    groups: Any = None,
    **how: Unpack[How],
) -> TaskFigures:
    """What the policy's threshold does on rows that neither training nor tuning has seen.

    The arguments are those of `task_evidence`; a share that the policy holds, and a budget, are not
    replayed. Raises as that does.
    """
    evidence = task_evidence(edge, cloud, x, y, groups, **how)
    up = evidence.confidence < policy.threshold
    of_no_class = np.zeros(evidence.rows, np.int64)
    tally = Tally(of_no_class, evidence.edge_correct, evidence.cloud_right, up, evidence.group)
    return TaskFigures(
        rows=evidence.rows,
        edge=tally.share(EDGE),
        cloud=tally.share(CLOUD),
        tiered=tally.share(TIERED),
        escalated=tally.share(UP),
        lost=tally.share(LOST),
    )
