"""What durability costs: records put by many threads at once beside one write and fsync; and a long queue.

The outbox is the public one, sealed to a hub's key, with its shipped schema; records have 1 KiB, mixed
priorities and values, and each `put` returns when its record is durable. Beside it, in turns on the same
disk, one thread writes 32 KiB and syncs. The long queue that is opened was left by a process that died.
"""

import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final

from common import SEED, arguments, report
from halocline import Outbox
from halocline.adapters.sealing import new_pair

RECORD_BYTES: Final = 1024
PUTTERS: Final = 32
AT_MOST = {"b32.times": 1 / 0.3, "recovery.open_s": 2.0, "recovery.cold_open_s": 2.0}
"""`times` is what a batch takes over one write and fsync: 3.33 times is 0.3 of the rate."""
CONTROL_TOLERANCE: Final = 0.5
"""Of the bare write against itself: a disk that is shared is restless, and the ratios go by rounds."""
_FILL_AT_ONCE: Final = 256


def main() -> int:
    """Measure and print."""
    options = arguments(
        __doc__ or "",
        rounds={"type": int, "default": 15, "help": "rounds of each"},
        batches={"type": int, "default": 40, "help": "batches of 32 KiB in a round"},
        gigabytes={"type": float, "default": 1.0, "help": "the size of the queue that is opened"},
        folder={
            "type": Path,
            "default": None,
            "help": "on the disk to measure; the temporary folder by default",
        },
    )
    _, public = new_pair()
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary)
        alone, together, valid = _appends(folder, public, options.rounds, options.batches)
        recovery = _recovery(folder, public, int(options.gigabytes * 1e9))
    values = {"b32": together, "b1": alone, "recovery": recovery}
    return report("outbox", values, options, at_most=AT_MOST, valid=valid)


def _appends(
    folder: Path, public: bytes, rounds: int, batches: int
) -> tuple[dict[str, Any], dict[str, Any], bool]:
    """One putter beside a write of 1 KiB, 32 beside a write of 32 KiB, and whether that can be believed."""
    with Outbox(folder / "outbox", hub_key=public, cap_bytes=8 << 30) as outbox:
        calls: dict[str, Callable[[], object]] = {
            "raw 32": lambda: _raw(folder / "raw32", PUTTERS * RECORD_BYTES, batches),
            "ours 32": lambda: _put(outbox, PUTTERS, batches),
            "raw 32 again": lambda: _raw(folder / "raw32", PUTTERS * RECORD_BYTES, batches),
            "raw 1": lambda: _raw(folder / "raw1", RECORD_BYTES, batches),
            "ours 1": lambda: _put(outbox, 1, batches),
        }
        seconds: dict[str, list[float]] = {name: [] for name in calls}
        for at in range(rounds + 1):
            names = list(calls) if at % 2 else list(reversed(calls))
            for name in names:
                began_s = time.perf_counter()
                calls[name]()
                if at:  # the first round makes files and threads
                    seconds[name].append(time.perf_counter() - began_s)
        ledger = outbox.ledger()
        assert ledger.closes
        assert ledger.queued == (rounds + 1) * batches * (PUTTERS + 1)
        control = median(map(_over, seconds["raw 32 again"], seconds["raw 32"]))
        return (
            _figures(seconds["ours 1"], seconds["raw 1"], batches),
            {**_figures(seconds["ours 32"], seconds["raw 32"], batches * PUTTERS), "control": control},
            abs(control - 1) <= CONTROL_TOLERANCE,
        )


def _figures(ours_s: list[float], raw_s: list[float], records: int) -> dict[str, Any]:
    times = median(map(_over, ours_s, raw_s))
    return {
        "ratio": 1 / times,
        "times": times,
        "records_s": records / median(ours_s),
        "raw_records_s": records / median(raw_s),
    }


def _over(ours_s: float, raw_s: float) -> float:
    return ours_s / raw_s


def _raw(path: Path, size_bytes: int, count: int) -> None:
    """Append and sync, as one would without anything."""
    data = os.urandom(size_bytes)
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    for _ in range(count):
        os.write(file, data)
        os.fsync(file)
    os.close(file)


def _put(outbox: Outbox, putters: int, each: int) -> None:
    """So many threads put so many each."""

    def work(seed: int) -> None:
        rng = random.Random(SEED + seed)
        payload = rng.randbytes(RECORD_BYTES)
        for _ in range(each):
            outbox.put(payload, kind="sample", priority=rng.randrange(4), value=rng.random())

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(putters)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _recovery(folder: Path, public: bytes, size_bytes: int) -> dict[str, Any]:
    """A process fills a queue and dies; what the next start takes, with the file in memory and without."""
    left = folder / "left"
    free_bytes = shutil.disk_usage(folder).free
    size_bytes = min(size_bytes, free_bytes // 3)
    child = os.fork()
    if not child:
        _fill(left, public, size_bytes)
        os._exit(0)  # nothing is closed, nothing written back
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    stored_bytes = sum(path.stat().st_size for path in left.iterdir() if path.name != "outbox.spare")
    open_s, _ = _opened(left, public)
    for path in left.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    cold_s, queued = _opened(left, public)
    return {
        "stored_gb": stored_bytes / 1e9,
        "records": queued,
        "bytes_a_record": stored_bytes / queued,
        "open_s": open_s,
        "cold_open_s": cold_s,
    }


def _opened(folder: Path, public: bytes) -> tuple[float, int]:
    """Open, and take a batch: the seconds, and how many records wait."""
    began_s = time.perf_counter()
    with Outbox(folder, hub_key=public, cap_bytes=64 << 30) as outbox:
        assert outbox.take()
        took_s = time.perf_counter() - began_s
        assert outbox.ledger().closes
        return took_s, outbox.ledger().queued


def _fill(folder: Path, public: bytes, size_bytes: int) -> None:
    """Put records without waiting for the disk, past the public door: only their number matters here."""
    outbox = Outbox(folder, hub_key=public, cap_bytes=64 << 30)
    outbox._queue.store._database.execute("PRAGMA synchronous = OFF")
    rng = random.Random(SEED)
    payload = rng.randbytes(RECORD_BYTES)
    while outbox.ledger().queued_bytes < size_bytes:
        entries = [
            outbox._maker.entry(payload, "sample", rng.randrange(4), rng.random(), None, "", b"", None)
            for _ in range(_FILL_AT_ONCE)
        ]
        outbox._queue.append(entries, None)


if __name__ == "__main__":
    sys.exit(main())
