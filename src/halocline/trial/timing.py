"""Keep how long a cloud took, so that looking at the same cloud again makes no call."""

import contextlib
import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from halocline.folders import cache_folder
from halocline.tuning.gather import Cache
from halocline.tuning.gathered import Latency


class Timing(msgspec.Struct, frozen=True):
    """How long one row took, and when that was measured, in seconds since the epoch."""

    latency: Latency
    measured_s: float


def kept_timing(identity: str | None, cache: Cache, measure: Callable[[], Latency]) -> Timing:
    """What was measured of this cloud before, else what is measured now, and kept if it has an identity."""
    if identity is None or cache is False:
        return Timing(measure(), time.time())
    folder = cache_folder() if cache is None or cache is True else Path(cache).expanduser()
    file = folder / "timings" / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.json"
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(file.read_bytes(), type=Timing)
    timing = Timing(measure(), time.time())
    with contextlib.suppress(OSError):  # measured again next time, and nothing worse
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = file.with_suffix(f".{time.time_ns()}")
        part.write_bytes(msgspec.json.encode(timing))
        part.replace(file)
    return timing
