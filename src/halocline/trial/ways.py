"""Reckon what each way of answering takes: right answers, and calls, bytes and money a device-month."""

import msgspec

from halocline.prices import Prices
from halocline.stats.bounds import Estimate

DAYS = 30
"""A device-month."""


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """What one device takes in 30 days: requests, cloud calls, bytes of request bodies, USD."""

    requests: int
    cloud_calls: float
    bytes_up: float
    usd: float


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One way of answering: how often it is right (95 % intervals), what it takes, and how long.

    `typical_s` is what an answer takes on average, `slowest_s` what one takes that goes up, both with the
    link as modelled; None where no cloud is asked.
    """

    accuracy: Estimate
    balanced_accuracy: Estimate
    month: Month
    typical_s: float
    slowest_s: float | None


def month_of(calls_per_day: int, escalated: float, row_bytes: int, prices: Prices) -> Month:
    """A device-month in which that share of the requests goes up."""
    requests = calls_per_day * DAYS
    calls = requests * escalated
    bytes_up = calls * row_bytes
    return Month(
        requests=requests,
        cloud_calls=calls,
        bytes_up=bytes_up,
        usd=prices.cost_usd(rows=1, link_bytes=0) * calls + bytes_up / 1e6 * prices.link.usd_per_mb,
    )
