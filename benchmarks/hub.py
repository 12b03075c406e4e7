"""What devices cost a hub: CPU seconds of its process for each that joins, for each poll, memory while idle.

The hub runs as users start it: SQLite with full durability, TLS 1.3, an audit row for each that joined. Each
joining is a new TCP and TLS connection, each poll a 304 over a kept connection with a client's certificate.
The CPU is the hub process's own, so that neither these clients nor a busy machine count.
"""

import contextlib
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from common import arguments, report
from hubs import Line, Newcomer, Running, enrol, hub, invite, keep_pair, newcomer, ports_of, request, trusting

AT_MOST = {"enrolment.cpu_ms": 5.0}
"""5 ms are 200 a second on one core."""
JOIN = '%"device.join"%'
"""What an audit row of a joining holds."""
SPARE_FILES = 512
"""Of the files that a process may have open, so many are not for connections."""


def main() -> int:
    """Measure one after the other and print."""
    options = arguments(
        __doc__ or "",
        enrolments={"type": int, "default": 500, "help": "devices that join in a round"},
        polls={"type": int, "default": 2000, "help": "polls in a round"},
        rounds={"type": int, "default": 5, "help": "rounds of each"},
        at_once={"type": int, "default": 8, "help": "devices at a time"},
        idle={"type": int, "default": 5000, "help": "idle connections"},
    )
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(options.at_once) as pool:
        folder = Path(temporary)
        state = folder / "hub"
        wanted = _connections(options.idle)
        with hub(state) as started:
            enrolment, pairs = _enrolments(started, state, folder, pool, options)
            polls = _polls(started, state, pairs, pool, options)
            idle = _idle(started, state, pairs, pool, wanted)
    values = {"enrolment": enrolment, "poll": polls, "idle": idle}
    return report("hub", values, options, at_most=AT_MOST)


def _enrolments(
    started: Running, state: Path, folder: Path, pool: ThreadPoolExecutor, options: Any
) -> tuple[dict[str, Any], list[Path]]:
    """The figures, and certificates of as many devices as ask at once."""
    invited = invite(state, started, options.enrolments * (options.rounds + 1))
    port, tls = ports_of(started)[2], trusting(state / "ca.pem")
    pairs: list[Path] = []
    cpu_s, wall_s = [], []
    for at in range(options.rounds + 1):
        new = [newcomer(invited) for _ in range(options.enrolments)]
        spent_s, took_s, replies = _spent(started, partial(pool.map, partial(enrol, port, tls), new))
        if at:  # the first round fills caches
            cpu_s.append(spent_s / len(new))
            wall_s.append(took_s / len(new))
        pairs = _kept(folder, new[: options.at_once], replies)
    joined, audited = _written(state)
    assert joined == audited == options.enrolments * (options.rounds + 1), (joined, audited)
    return _figures(cpu_s, wall_s), pairs


def _kept(folder: Path, new: list[Newcomer], replies: list[Any]) -> list[Path]:
    return [
        keep_pair(folder / f"{at}.pem", one, reply)
        for at, (one, reply) in enumerate(zip(new, replies, strict=False))
    ]


def _polls(
    started: Running, state: Path, pairs: list[Path], pool: ThreadPoolExecutor, options: Any
) -> dict[str, Any]:
    port = ports_of(started)[0]
    with contextlib.ExitStack() as open_now:
        lines = [open_now.enter_context(Line(port, trusting(state / "ca.pem", pair))) for pair in pairs]
        each = max(options.polls // len(lines), 1)
        cpu_s, wall_s = [], []
        for at in range(options.rounds + 1):
            spent_s, took_s, _ = _spent(started, partial(pool.map, partial(_poll, times=each), lines))
            if at:
                cpu_s.append(spent_s / (each * len(lines)))
                wall_s.append(took_s / (each * len(lines)))
    return _figures(cpu_s, wall_s)


def _idle(
    started: Running, state: Path, pairs: list[Path], pool: ThreadPoolExecutor, count: int
) -> dict[str, Any]:
    """Open them, ask once on each, and leave them; at the end each of them answers still."""
    port = ports_of(started)[0]
    contexts = [trusting(state / "ca.pem", pair) for pair in pairs]
    before_rss, before_pss = started.memory_mib()

    def opened(at: int) -> Line:
        line = Line(port, contexts[at % len(contexts)])
        _poll(line)
        return line

    with contextlib.ExitStack() as open_now:
        began_s, began_cpu_s = time.perf_counter(), started.cpu_s()
        lines = [open_now.enter_context(line) for line in pool.map(opened, range(count))]
        took_s, spent_s = time.perf_counter() - began_s, started.cpu_s() - began_cpu_s
        rss, pss = started.memory_mib()
        began_cpu_s, began_s = started.cpu_s(), time.perf_counter()
        time.sleep(min(10.0, count / 100))
        resting = (started.cpu_s() - began_cpu_s) / (time.perf_counter() - began_s)
        list(pool.map(_poll, lines))
    return {
        "connections": count,
        "rss_mib": rss,
        "kib_a_connection": (rss - before_rss) / count * 1024,
        "pss_kib_a_connection": (pss - before_pss) / count * 1024,
        "before_rss_mib": before_rss,
        "opening_cpu_ms": spent_s / count * 1e3,
        "opening_s": took_s,
        "cpu_percent_of_a_core": resting * 100,
    }


def _poll(line: Line, times: int = 1) -> None:
    asked = request("GET", "/v1/twin", b"", 'If-None-Match: "0"')
    for _ in range(times):
        line.ask(asked, 304)


def _spent(started: Running, work: Callable[[], Iterable[Any]]) -> tuple[float, float, list[Any]]:
    """The hub's CPU seconds, seconds by the clock, and what came out."""
    before_s, began_s = started.cpu_s(), time.perf_counter()
    done = list(work())
    return started.cpu_s() - before_s, time.perf_counter() - began_s, done


def _figures(cpu_s: list[float], wall_s: list[float]) -> dict[str, Any]:
    """Of rounds: the median, and how far they lie apart."""
    middle_s = statistics.median(cpu_s)
    return {
        "cpu_ms": middle_s * 1e3,
        "a_second_a_core": 1 / max(middle_s, 1e-9),
        "a_second_by_the_clock": 1 / statistics.median(wall_s),
        "spread": (max(cpu_s) - min(cpu_s)) / max(middle_s, 1e-9),
    }


def _written(state: Path) -> tuple[int, int]:
    """Devices, and audit rows of their joining, in the hub's database."""
    (file,) = state.glob("*.db")
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        devices = database.execute("SELECT count(*) FROM devices").fetchone()[0]
        rows = database.execute("SELECT count(*) FROM audit WHERE entry LIKE ?", (JOIN,)).fetchone()[0]
    return int(devices), int(rows)


def _connections(wanted: int) -> int:
    """As many as the limit on open files lets this process and the hub have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 1 << 20 if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, wanted + 2 * SPARE_FILES), hard))
    count = max(min(wanted, most - SPARE_FILES), 1)
    if count < wanted:
        print(f"{count} connections instead of {wanted}: {most} files may be open", file=sys.stderr)
    return count


if __name__ == "__main__":
    sys.exit(main())
