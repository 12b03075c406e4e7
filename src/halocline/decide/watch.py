"""Decide whether a promise still stands, from checks of the answers and from who gave them."""

from enum import StrEnum

import msgspec

from halocline.decide.latest import Latest
from halocline.decide.promise import Promise
from halocline.records import ModelRef, Owner, Reason
from halocline.stats.sequences import LossSequence, evidence_broken, observe, passed, running_loss

ALPHA = 0.05
"""The bounds of the running loss hold at every moment with probability 1 - ALPHA: so often, at most, a
promise that is kept is called broken, however long it is watched."""


class PromiseState(StrEnum):
    """How a promise stands."""

    HELD = "held"
    """Checks are coming in, and they do not speak against it."""
    VOID = "void"
    """It broke, or what it rests on has changed. Service goes on."""
    SUSPENDED = "suspended"
    """More of the latest rows than the promised loss could not go up (link down, deadline, budget): it holds
    for the others only. It ends by itself some thousand rows after rows go up again."""
    ABOVE_MEAN = "above_mean"
    """This device loses more than the mean of new groups, which the promise is about and one cannot break."""
    UNWATCHED = "unwatched"
    """There is a promise, and nobody looks whether it is kept."""
    NONE = "none"
    """There is no promise."""


class PromiseHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How the promise in force stands, and the loss seen by checks: share of rows, with its bounds.

    `whose` is "policy", "fleet" (a promise made for new devices, not yet for this one) or "device" (it
    certified its own). `loss`, `low` and `high` are None as long as nothing was checked. The loss is
    against the cloud: *answered at the edge, and the cloud says otherwise*, which is an upper bound of
    what is lost, since the cloud is not always right. Of the latest `rows` rows, `not_covered` were to go up
    and could not: the promise does not cover them, nor does `loss`.
    `share` is the share of the latest `share_rows` rows that wanted up, None where the policy holds none.
    """

    state: PromiseState
    reason: str
    whose: str
    max_loss: float | None
    loss: float | None
    low: float | None
    high: float | None
    checks: int
    rows: int = 0
    not_covered: int = 0
    share: float | None = None
    share_rows: int = 0


def could_not_go_up(reason: Reason) -> bool:
    """Whether this is why a row that was to go up has the edge's answer, which no promise covers."""
    return reason.degraded or reason is Reason.BUDGET


class Promised(msgspec.Struct, frozen=True, kw_only=True):
    """With what a promise was made: the cloud model (name@version), and how often the tiers differed then.

    `disagreement` is the most, by the data tuned on, that the cloud differs from the edge's answers as a
    share of all rows; None where losses were counted by the cloud's word, so that the promise is the limit.
    `same_bytes` tells whether the cloud model has the digest tuned with, None where that is not known;
    `overruled` why the policy does not decide at all; `changed` that it is not the one that was tuned.
    """

    cloud: str
    same_bytes: bool | None = None
    overruled: str = ""
    disagreement: float | None = None
    changed: bool = False


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen since the promise came into force.

    `cloud_known` tells whether any cloud model has shown itself, `foreign` the first that is not the one
    promised for; `lowered` counts rows decided by a lower threshold of the request's own.
    """

    losses: LossSequence
    cloud_known: bool = False
    foreign: str = ""
    lowered: int = 0


def checked(watch: Watch, rows: int, *, lost: bool, probability: float) -> Watch:
    """The watch after a row was drawn with this probability, `rows` rows after the one drawn before.

    A row that went up counts as drawn without a loss. A check that came to nothing is left out together
    with the rows before it, so that an outage does not look like a time without losses.
    """
    losses = observe(passed(watch.losses, rows - 1), float(lost), probability)
    return msgspec.structs.replace(watch, losses=losses)


def lowered(watch: Watch, rows: int) -> Watch:
    """The watch after so many rows were decided by a lower threshold of the request's own."""
    return msgspec.structs.replace(watch, lowered=watch.lowered + rows)


def answered_by(watch: Watch, promised: Promised, cloud: ModelRef) -> Watch:
    """The watch after this cloud model showed itself.

    A cloud that was another one once stays on record: which answers came from it is not known.
    """
    same = promised.same_bytes
    if same is None:
        same = bool(cloud.version) and str(cloud) == promised.cloud
    foreign = str(cloud) if promised.same_bytes is None else f"{cloud} (of other bytes)"
    return msgspec.structs.replace(
        watch, cloud_known=True, foreign=watch.foreign or ("" if same else foreign)
    )


def limit_of(promise: Promise, promised: Promised) -> float:
    """The share of rows in which the cloud may differ from the edge's answers while the promise is kept."""
    return max(promise.max_loss or 0.0, promised.disagreement or 0.0)


def is_broken(promise: Promise, watch: Watch, promised: Promised) -> bool:
    """Whether the checks show, at ALPHA, more loss than the promise allows."""
    if promise.max_loss is None:
        return False
    return evidence_broken(watch.losses, limit_of(promise, promised)) >= 2 / ALPHA


def promise_health(
    promise: Promise | None,
    watch: Watch,
    promised: Promised,
    *,
    owner: Owner,
    share: float | None = None,
    whose: str = "policy",
    kept: Latest | None = None,
    seen: Latest | None = None,
) -> PromiseHealth:
    """How the promise stands.

    `share` is the share of rows that the policy in force holds, if it does, and `seen` what the latest rows
    wanted then; `kept` counts those of the latest rows that could not go up.
    """
    state, reason = _state(promise, watch, owner, promised, share, seen)
    if promise is not None and promise.max_loss is not None and kept is not None and kept.window_true:
        state, reason = _state_with_rows_left_out(state, reason, promise.max_loss, kept)
    losses = watch.losses
    loss = running_loss(losses, ALPHA) if losses.checks else None
    return PromiseHealth(
        state=state,
        reason=reason,
        whose=whose,
        max_loss=None if promise is None else promise.max_loss,
        loss=None if loss is None else loss.value,
        low=None if loss is None else loss.low,
        high=None if loss is None else loss.high,
        checks=losses.checks,
        rows=0 if kept is None else kept.window_rows,
        not_covered=0 if kept is None else kept.window_true,
        share=None if seen is None else seen.share,
        share_rows=0 if seen is None else seen.window_rows,
    )


def _state_with_rows_left_out(
    state: PromiseState, reason: str, max_loss: float, kept: Latest
) -> tuple[PromiseState, str]:
    if state not in (PromiseState.HELD, PromiseState.UNWATCHED):
        return state, reason
    told = (
        f"{kept.window_true} of the latest {kept.window_rows} rows could not go up, and the promise does not "
        "cover those"
    )
    if kept.window_true > max_loss * kept.window_rows:
        return PromiseState.SUSPENDED, f"{told}; {reason}"
    return state, f"{reason}; {told}"


def _state(
    promise: Promise | None,
    watch: Watch,
    owner: Owner,
    promised: Promised,
    share: float | None,
    seen: Latest | None,
) -> tuple[PromiseState, str]:
    if promise is None:
        return PromiseState.NONE, f"the threshold was set by the {owner}, not tuned: it promises nothing"
    if promise.scope == "none":
        return PromiseState.VOID if promised.changed else PromiseState.NONE, promise.reason
    if promised.overruled:
        return PromiseState.VOID, promised.overruled
    if watch.lowered:
        return PromiseState.VOID, (
            f"{watch.lowered} rows were decided by a lower threshold of the request's own"
        )
    if promise.max_loss is None:
        return _state_of_share(promise, share, seen)
    if watch.foreign:
        return PromiseState.VOID, _told_foreign(watch.foreign, promised.cloud)
    broken = is_broken(promise, watch, promised)
    if broken and promise.scope == "groups":
        return PromiseState.ABOVE_MEAN, (
            f"this device loses more than the fleet's mean: {watch.losses.checks} checks show that the cloud "
            f"differs from more than {limit_of(promise, promised):.2%} of its answers; the promise is about "
            "the mean of new groups, and one device does not break it"
        )
    if broken:
        return PromiseState.VOID, (
            f"{watch.losses.checks} checks show that the cloud differs from more than "
            f"{limit_of(promise, promised):.2%} of the answers; tune again on data like these"
        )
    if not watch.cloud_known:
        return PromiseState.UNWATCHED, "the cloud has not answered yet, so its version is not known"
    if not watch.losses.checks:
        return PromiseState.UNWATCHED, f"no answer has been checked yet; {promise.reason}"
    return PromiseState.HELD, promise.reason


def _state_of_share(promise: Promise, share: float | None, seen: Latest | None) -> tuple[PromiseState, str]:
    if share is None:
        return PromiseState.UNWATCHED, f"the threshold is fixed, so the share may move; {promise.reason}"
    if seen is None or seen.share is None:
        return PromiseState.UNWATCHED, f"no row has been seen yet; {promise.reason}"
    from halocline.decide.track import SLACK_ROWS  # only where a share is held

    told = f"{seen.share:.2%} of the latest {seen.window_rows} rows wanted up"
    if abs(seen.share - share) * seen.window_rows > SLACK_ROWS:
        return PromiseState.VOID, (
            f"{told}, and not {share:.2%}: too many have no answer, or a threshold of their class decides"
        )
    return PromiseState.HELD, f"the threshold follows the confidences seen: {told}; {promise.reason}"


def _told_foreign(foreign: str, cloud: str) -> str:
    tuned = cloud or "another cloud model"
    if "@" not in foreign and "(" not in foreign:
        return f"{foreign} does not tell its version, so it may not be the {tuned} that was tuned with"
    return f"{foreign} answers, and the promise was made with {tuned}; tune again with it"
