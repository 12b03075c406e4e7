"""Decide whether an address may ask again: a bucket of requests for each, filled at a steady rate."""

import ipaddress
import math
from collections import OrderedDict
from typing import Final

MAX_ADDRESSES: Final = 10_000
"""The most that are remembered; the one that asked longest ago is forgotten first."""


class Rates:
    """Counts requests by address, IPv6 by its /64; not for use by several threads at once."""

    def __init__(self, *, per_s: float, burst: int, max_addresses: int = MAX_ADDRESSES) -> None:
        self._per_s = per_s
        self._burst = burst
        self._max_addresses = max_addresses
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, address: str, now_s: float) -> int:
        """0 where the request is taken and counted; else the whole seconds after which one is."""
        key = _network(address)
        left, at_s = self._buckets.pop(key, (float(self._burst), now_s))
        left = min(self._burst, left + max(0.0, now_s - at_s) * self._per_s)
        is_taken = left >= 1
        self._buckets[key] = (left - 1 if is_taken else left, now_s)
        if len(self._buckets) > self._max_addresses:
            self._buckets.popitem(last=False)
        return 0 if is_taken else max(1, math.ceil((1 - left) / self._per_s))


def _network(address: str) -> str:
    """What one caller can change at will is left out: the lower half of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        if mapped is not None:
            return str(mapped)
        return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
    return address
