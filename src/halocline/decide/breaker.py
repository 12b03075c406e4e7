"""Decide whether an upstream that keeps failing is tried at all: a circuit breaker, state in, state out."""

from enum import Enum

import msgspec

from halocline.decide.checks import check_number
from halocline.records import Reason


class State(Enum):
    """Whether calls go through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Event(Enum):
    """What happens to a breaker."""

    TRIPPED = "tripped"
    """Too many failures, or the upstream said "not before"."""
    COOLED = "cooled"
    """The probe interval, or the time the upstream asked for, is over; a call comes."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.CLOSED, Event.SUCCEEDED): State.CLOSED,
    (State.CLOSED, Event.FAILED): State.CLOSED,
    (State.CLOSED, Event.TRIPPED): State.OPEN,
    (State.CLOSED, Event.COOLED): State.CLOSED,
    (State.OPEN, Event.SUCCEEDED): State.OPEN,  # a call from before the breaker opened
    (State.OPEN, Event.FAILED): State.OPEN,
    (State.OPEN, Event.TRIPPED): State.OPEN,
    (State.OPEN, Event.COOLED): State.HALF_OPEN,
    (State.HALF_OPEN, Event.SUCCEEDED): State.CLOSED,
    (State.HALF_OPEN, Event.FAILED): State.OPEN,
    (State.HALF_OPEN, Event.TRIPPED): State.OPEN,
    (State.HALF_OPEN, Event.COOLED): State.HALF_OPEN,  # nothing was heard of the probe: another goes
}


class BreakerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """When a breaker opens and how it tries again.

    It opens after `consecutive_failures`, or when at least `failure_rate` of the last `window` calls
    failed (a full window is needed). While open, nothing is tried for `probe_interval_s` seconds; then
    one call goes through as the probe, and another after each further interval in which nothing was
    heard of it.
    """

    consecutive_failures: int = 5
    failure_rate: float = 0.5
    window: int = 20
    probe_interval_s: float = 1.0

    def __post_init__(self) -> None:
        check_number("breaker.consecutive_failures", self.consecutive_failures, 1, 10**6, whole=True)
        check_number("breaker.failure_rate", self.failure_rate, 0.01, 1)
        check_number("breaker.window", self.window, 1, 1000, whole=True)
        check_number("breaker.probe_interval_s", self.probe_interval_s, 0.01, 3600)


class Breaker(msgspec.Struct, frozen=True):
    """State of one breaker. `recent` holds the last calls, True for a failure, newest last."""

    state: State = State.CLOSED
    consecutive: int = 0
    recent: tuple[bool, ...] = ()
    hold_until_s: float = 0.0
    """No call goes through before, unless closed."""
    refused: bool = False
    """The upstream itself asked not to be called before `hold_until_s`."""


def admit(breaker: Breaker, limits: BreakerLimits, now_s: float) -> tuple[Reason | None, Breaker]:
    """Whether a call may go through now: (None, breaker) if so, else the reason why not."""
    if breaker.state is State.CLOSED:
        return None, breaker
    if now_s < breaker.hold_until_s:
        return (Reason.REFUSED if breaker.refused else Reason.BREAKER_OPEN), breaker
    return None, msgspec.structs.replace(
        breaker,
        state=TRANSITIONS[breaker.state, Event.COOLED],
        hold_until_s=now_s + limits.probe_interval_s,
        refused=False,
    )


def succeeded(breaker: Breaker, limits: BreakerLimits) -> Breaker:
    """The breaker after a call that was answered."""
    state = TRANSITIONS[breaker.state, Event.SUCCEEDED]
    if breaker.state is State.HALF_OPEN:
        return Breaker(state)
    recent = breaker.recent
    if (
        state is breaker.state
        and not breaker.consecutive
        and len(recent) == limits.window
        and True not in recent
    ):
        return breaker  # nothing but successes: the usual case, and nothing to note
    return msgspec.structs.replace(
        breaker, state=state, consecutive=0, recent=(*recent, False)[-limits.window :]
    )


def failed(
    breaker: Breaker, limits: BreakerLimits, now_s: float, retry_after_s: float | None = None
) -> Breaker:
    """The breaker after a call that failed; `retry_after_s` is for how long the upstream asked for rest."""
    recent = (*breaker.recent, True)[-limits.window :]
    consecutive = breaker.consecutive + 1
    tripped = (
        retry_after_s is not None
        or consecutive >= limits.consecutive_failures
        or (len(recent) == limits.window and sum(recent) >= limits.failure_rate * limits.window)
    )
    state = TRANSITIONS[breaker.state, Event.TRIPPED if tripped else Event.FAILED]
    if breaker.state is State.OPEN and retry_after_s is None:
        return breaker  # a call from before the breaker opened says nothing new
    if state is not State.OPEN:
        return msgspec.structs.replace(breaker, consecutive=consecutive, recent=recent)
    held_until_s = breaker.hold_until_s if breaker.refused else 0.0
    rest_s = limits.probe_interval_s if retry_after_s is None else retry_after_s
    return Breaker(
        state,
        consecutive=consecutive,
        hold_until_s=max(held_until_s, now_s + rest_s),
        refused=retry_after_s is not None,
    )
