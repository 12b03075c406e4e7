"""What a device may believe of the time, whose clock may show 1970 or a year to come."""

import msgspec

SLACK_S = 300.0
"""So far a told time may lie outside the certificate of who tells it."""


class TrustedTime(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the time; a steady clock never jumps, but its zero is anywhere."""

    passed_s: float = 0.0
    """The latest time that somebody trusted has vouched for, seconds since 1970: it has surely passed."""
    steady_s: float = 0.0
    """What the steady clock showed then, or when this was read from disk, which was later."""
    error_s: float = 0.0
    """How far the machine's clock was ahead of the hub's then."""


def passed(time: TrustedTime, *, steady_s: float) -> float:
    """The time that has surely passed; certificates that ended before are never accepted."""
    return time.passed_s + max(steady_s - time.steady_s, 0.0)


def believed(time: TrustedTime, *, steady_s: float, clock_s: float) -> float:
    """The best guess: the machine's clock less its known error, never before what has surely passed."""
    return max(passed(time, steady_s=steady_s), clock_s - time.error_s)


def told(
    time: TrustedTime,
    told_s: float,
    *,
    certified: tuple[float, float] | None,
    steady_s: float,
    clock_s: float,
) -> TrustedTime:
    """What is known after the hub told its time over a connection with a certificate of these times.

    A time that lies outside them is passed over: the hub's clock is wrong then. What has passed never
    goes back; the machine's clock alone moves nothing.
    """
    if certified is not None and not certified[0] - SLACK_S <= told_s <= certified[1] + SLACK_S:
        return time
    return TrustedTime(
        passed_s=max(passed(time, steady_s=steady_s), told_s), steady_s=steady_s, error_s=clock_s - told_s
    )
