"""Tell two devices with one identity by their starts: one that was followed by another comes again."""

import threading
from collections import OrderedDict
from typing import Final

MAX_DEVICES: Final = 100_000
"""The most that are remembered; the one that was heard of longest ago is forgotten first."""
_KEPT: Final = 8
"""So many earlier starts of a device are remembered."""


class Starts:
    """Which start of each device asked last, by this process's memory. Thread-safe."""

    def __init__(self, max_devices: int = MAX_DEVICES) -> None:
        self._max_devices = max_devices
        self._seen: OrderedDict[str, list[str]] = OrderedDict()
        self._lock = threading.Lock()

    def comes_again(self, device_id: str, start: str) -> bool:
        """Note a request of this start; whether another one asked since this one did: they take turns."""
        with self._lock:
            known = self._seen.setdefault(device_id, [])
            self._seen.move_to_end(device_id)
            if len(self._seen) > self._max_devices:
                self._seen.popitem(last=False)
            if known and known[-1] == start:
                return False
            is_known = start in known
            if is_known:
                known.remove(start)
            known.append(start)
            del known[:-_KEPT]
            return is_known
