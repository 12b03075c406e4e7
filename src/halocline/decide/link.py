"""Decide whether an escalation can arrive in time on the link as measured."""

import math

import msgspec

WEIGHT = 1 / 8
"""Weight of a new measurement in the running means (RFC 6298, section 2, alpha)."""
DEVIATION_WEIGHT = 1 / 4
"""Weight of a new deviation (RFC 6298, section 2, beta)."""
FEWEST_MEASUREMENTS = 3
SAME_SIZE = 1e-6
"""Sizes whose variance is a smaller part of their mean square are one size: rounding, not a spread."""
RETRY_S = 2.0
"""While the verdict is "too slow", one call in this time goes through, or no recovery would be noticed."""


class Link(msgspec.Struct, frozen=True):
    """Running means over answered calls: seconds as a straight line over payload bytes, and its deviation.

    Means of bytes, seconds, bytes squared and bytes times seconds, exponentially weighted, are all
    that a least-squares line needs.
    """

    measurements: int = 0
    bytes: float = 0.0
    seconds: float = 0.0
    bytes_squared: float = 0.0
    bytes_seconds: float = 0.0
    deviation_s: float = 0.0
    tried_s: float = 0.0


def measured(link: Link, payload_bytes: int, elapsed_s: float, now_s: float) -> Link:
    """The link after a call of `payload_bytes` was answered in `elapsed_s`, early or late."""
    n = link.measurements
    w = max(WEIGHT, 1 / (n + 1))
    off = abs(elapsed_s - expected_s(link, payload_bytes)) if n else elapsed_s / 2
    return Link(
        measurements=n + 1,
        bytes=link.bytes + w * (payload_bytes - link.bytes),
        seconds=link.seconds + w * (elapsed_s - link.seconds),
        bytes_squared=link.bytes_squared + w * (payload_bytes**2 - link.bytes_squared),
        bytes_seconds=link.bytes_seconds + w * (payload_bytes * elapsed_s - link.bytes_seconds),
        deviation_s=link.deviation_s + (DEVIATION_WEIGHT if n else 1.0) * (off - link.deviation_s),
        tried_s=now_s,
    )


def expected_s(link: Link, payload_bytes: int) -> float:
    """Seconds that a call of this size takes on average; the slope counts only where sizes differed."""
    variance = link.bytes_squared - link.bytes**2
    if variance <= SAME_SIZE * max(link.bytes_squared, 1.0):
        return link.seconds
    slope = max((link.bytes_seconds - link.bytes * link.seconds) / variance, 0.0)
    return max(link.seconds + slope * (payload_bytes - link.bytes), 0.0)


def too_slow(link: Link, payload_bytes: int, time_left_s: float, now_s: float) -> tuple[bool, Link]:
    """Whether the call cannot arrive: even two deviations faster than expected would be too late.

    The second value is the link after the question: one call in RETRY_S seconds is let through.
    """
    if link.measurements < FEWEST_MEASUREMENTS or now_s - link.tried_s >= RETRY_S:
        return False, msgspec.structs.replace(link, tried_s=now_s) if link.measurements else link
    soonest_s = expected_s(link, payload_bytes) - 2 * link.deviation_s * _doubt(link, payload_bytes)
    return soonest_s > time_left_s, link


def _doubt(link: Link, payload_bytes: int) -> float:
    """How many times less sure a line is at this size than amid the sizes it was fitted to."""
    variance = link.bytes_squared - link.bytes**2
    if variance <= SAME_SIZE * max(link.bytes_squared, 1.0):
        return 1.0
    # The prediction interval of a least-squares line; the running means remember 1 / WEIGHT calls.
    return math.sqrt(1 + WEIGHT * (payload_bytes - link.bytes) ** 2 / variance)
