"""Say what a tiered model has done, and how its cloud and its promise do."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from halocline.decide.watch import Promised, PromiseHealth, Watch, promise_health
from halocline.edge.corrections import Corrections
from halocline.edge.escalation import Escalation
from halocline.edge.judge import Judge
from halocline.records import Mode, ModelRef, ModelSpec
from halocline.stats.sequences import LossSequence

if TYPE_CHECKING:
    from halocline.decide.personal import PolicyUpdate
    from halocline.edge.following import Following


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What a tiered model has done and how its cloud does; asking costs no call.

    `threshold` is the one in force, which `threshold_owner` set; `cloud` is the cloud model, None while
    it is not known; `failure` says why the last escalation failed, None where the last one was answered;
    `link_s` is what an escalation takes at present. `promise` tells how the policy's promise stands;
    `spot_checks` counts those sent, and those dropped because the cloud was not to be asked.
    `policy_updates` are the changes that a device made to its own threshold, or proposes, the latest last.
    """

    mode: Mode
    threshold: float
    threshold_owner: str
    replies: Mapping[str, int]
    corrections: int
    corrections_dropped: int
    sink_errors: int
    breaker: str
    cloud: ModelRef | None
    failure: str | None
    link_s: float | None
    promise: PromiseHealth
    spot_checks: Mapping[str, int]
    policy_updates: "tuple[PolicyUpdate, ...]" = ()


def health_of(
    mode: Mode,
    judge: Judge,
    following: "Following | None",
    corrections: Corrections,
    up: Escalation,
    cloud: ModelSpec | None,
    *,
    replies: Mapping[str, int],
    sink_errors: int,
) -> Health:
    """The health of a tiered model made of these parts."""
    link, failure = up.link, up.last_failure
    checks = None if following is None else following.checks
    if following is None:
        promise = promise_health(None, Watch(losses=LossSequence()), Promised(cloud=""), owner=judge.owner)
    else:
        if cloud is not None:
            following.watching.cloud_is(cloud.ref)
        promise = following.watching.health()
    return Health(
        mode=mode,
        threshold=judge.threshold,
        threshold_owner=judge.owner.value,
        replies=replies,
        corrections=corrections.count,
        corrections_dropped=corrections.dropped,
        sink_errors=sink_errors,
        breaker=up.breaker_state.value,
        cloud=None if cloud is None else cloud.ref,
        failure=None if failure is None else f"{failure.reason}: {failure.detail}",
        link_s=link.seconds if link.measurements else None,
        promise=promise,
        spot_checks={} if checks is None else {"sent": checks.sent, "dropped": checks.dropped},
        policy_updates=() if following is None else following.watching.updates,
    )
