"""When a device renews its certificate, looks for changes, and tries again."""

FROM_SHARE = 0.5
SPREAD_SHARE = 0.1
"""Renewals of devices that joined together are spread over this share of the certificate's life."""
POLL_SPREAD = 0.1
FIRST_RETRY_S = 1.0


def renews_at(not_before_s: float, not_after_s: float, *, share: float) -> float:
    """The time from which a certificate is renewed: half of its life and a little, by a `share` in [0, 1)."""
    return not_before_s + (not_after_s - not_before_s) * (FROM_SHARE + SPREAD_SHARE * share)


def poll_wait(poll_s: float, *, share: float) -> float:
    """Seconds until the next look: `poll_s`, ten per cent more or less by a `share` in [0, 1)."""
    return poll_s * (1 - POLL_SPREAD + 2 * POLL_SPREAD * share)


def retry_wait(failures: int, *, longest_s: float, share: float) -> float:
    """Seconds after the n-th failure in a row: exponential with full jitter, at most `longest_s`.

    Full jitter, so that a fleet whose hub comes back does not come all at once.
    """
    most_s = min(FIRST_RETRY_S * 2.0 ** min(failures, 30), longest_s)
    return max(share * most_s, FIRST_RETRY_S / 4)
