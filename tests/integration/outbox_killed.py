"""An outbox whose process dies by kill -9 at named points: outbox_killed.py FOLDER LOG PUBLIC_KEY SECRET.

Each line of the input names a point, `STEP.PHASE`, or says `any time SECONDS`; for each, a process is forked
that opens the outbox in FOLDER and lives until it dies there. The steps are those that write; the phases of
a step's change are `begun` (nothing written), `written` (all written, not committed), and `committed` (not
told yet). What is about to be done and what was done goes to LOG, which no kill takes back.
"""

import contextlib
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from halocline import Outbox
from halocline.adapters.outbox.queue import Queue
from halocline.adapters.outbox.store import Store
from halocline.errors import Transient

PUTTERS = 4
CAP_BYTES = 60_000
_step = threading.local()


class Log:
    """Lines that are in the file when `say` returns."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

    def say(self, *words: str) -> None:
        os.write(self._file, (" ".join(words) + "\n").encode())


def named(step: str, plain: Callable[..., Any]) -> Callable[..., Any]:
    """The same method; what it changes is known to be of that step."""

    def wrapped(*args: Any, **options: Any) -> Any:
        _step.name = step if step != "remove" else "acknowledge" if args[2] is None else "refuse"
        try:
            return plain(*args, **options)
        finally:
            _step.name = ""

    return wrapped


def dying(point: str) -> None:
    """Put the point into the code."""
    plain, plain_write = Store.changing, Store._write
    left = [random.randrange(1, 4)]

    def dies_at(phase: str, steps: set[str]) -> None:
        if any(f"{step}.{phase}" == point for step in steps):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    @contextlib.contextmanager
    def changing(store: Store) -> Iterator[Any]:
        _step.all = {getattr(_step, "name", "")}
        dies_at("begun", _step.all)
        with plain(store) as counters:
            yield counters
        dies_at("committed", _step.all)

    def write(store: Store, counters: Any) -> None:
        plain_write(store, counters)
        before = store.counters
        _step.all |= {"expire"} if counters.expired > before.expired else set()
        _step.all |= (
            {"evict"} if counters.evicted.get("over_cap", 0) > before.evicted.get("over_cap", 0) else set()
        )
        dies_at("written", _step.all)

    Store.changing, Store._write = changing, write  # type: ignore[assignment,method-assign]
    for step, method in (("put", "append"), ("remove", "remove"), ("take", "take")):
        setattr(Queue, method, named(step, getattr(Queue, method)))


def live(folder: Path, log: Log, public_key: bytes, secret: bytes) -> None:
    """Put, send and refuse, for ever."""
    outbox = Outbox(folder, hub_key=public_key, cap_bytes=CAP_BYTES)
    for name in range(PUTTERS):
        threading.Thread(target=put, args=(outbox, log, secret, name), daemon=True).start()
    rng = random.Random(outbox.boot)
    while True:
        pieces = outbox.take(4)
        names = [piece.record.id for piece in pieces]
        if names and rng.random() < 0.3:
            log.say("refusing", names[-1])
            outbox.refuse(names.pop(), "poison")
        log.say("sending", *names)
        outbox.acknowledge(names)
        log.say("sent", *names)
        time.sleep(0.003)


def put(outbox: Outbox, log: Log, secret: bytes, name: int) -> None:
    rng = random.Random(outbox.boot * 100 + name)
    for at in range(1_000_000):
        record_id = f"{outbox.boot}-{name}-{at}"
        log.say("putting", record_id)
        ttl_s = 0.01 if rng.random() < 0.1 else None
        with contextlib.suppress(Transient):
            outbox.put(secret * 20, kind="sample", id=record_id, priority=rng.randrange(4), ttl_s=ttl_s)
            log.say("put", record_id)


def main() -> None:
    """Fork, die, say so; once for each line."""
    folder, log = Path(sys.argv[1]), Log(Path(sys.argv[2]))
    public_key, secret = bytes.fromhex(sys.argv[3]), sys.argv[4].encode()
    for line in sys.stdin:
        point, _, after_s = line.strip().partition(" time ")
        size_bytes = Path(sys.argv[2]).stat().st_size
        child = os.fork()
        if child == 0:
            if not after_s:
                dying(point)
            live(folder, log, public_key, secret)
        if after_s:
            while Path(sys.argv[2]).stat().st_size == size_bytes:
                time.sleep(0.001)
            time.sleep(float(after_s))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
