"""What a request costs the server: its CPU seconds over a raw run of the same model, and over MLServer's.

The server runs as users start it (metrics and limits on, one thread for the model) in its own process,
the load comes from another one, the CPU seconds from the server's own accounting.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import IO, Any

import msgspec
import psutil

from common import CONTROL_TOLERANCE, arguments, raw_session, report
from halocline.assemble import ServeOptions
from halocline.wire import oip
from models import TINY_SHAPE, make_tiny, sample

LIMITS = {"c8.cpu_ratio": 2.5, "c32.cpu_ratio": 2.0, "mlserver_ratio": 0.2}
CONCURRENCY = (8, 32)
_START = (
    "import sys, msgspec; from halocline.assemble import ServeOptions, serve; "
    "sys.exit(serve(msgspec.json.decode(sys.argv[1], type=ServeOptions)))"
)


def main() -> int:
    """Measure in interleaved rounds and print."""
    options = arguments(
        __doc__ or "",
        rounds={"type": int, "default": 15, "help": "rounds"},
        round_s={"type": float, "default": 1.0, "help": "seconds of load in a round"},
    )
    with tempfile.TemporaryDirectory() as folder:
        model = make_tiny(Path(folder))
        session, feed = raw_session(model), {"x": sample(TINY_SHAPE)[None]}
        run = partial(session.run, None, feed)
        with our_server(model) as (port, process), load(port, Path(folder) / "request") as ask:
            figures = measure(run, ask, process, options.rounds, options.round_s)
    raw_s = median(figures["raw"])
    control = median(a / b for a, b in zip(figures["raw again"], figures["raw"], strict=True))
    values: dict[str, Any] = {"raw_us": raw_s * 1e6, "control": control}
    for concurrency in CONCURRENCY:
        name = f"c{concurrency}"
        values[name] = {
            "cpu_ratio": median(a / b for a, b in zip(figures[name], figures["raw"], strict=True)),
            "cpu_us": median(figures[name]) * 1e6,
            "requests_per_s": median(figures[name + " rate"]),
        }
    return report("serve", values, options, at_most=LIMITS, valid=abs(control - 1) <= CONTROL_TOLERANCE)


@contextlib.contextmanager
def our_server(model: Path) -> Iterator[tuple[int, psutil.Process]]:
    """Our server on a free port: the port, and the process."""
    given = ServeOptions(models=(f"tiny={model}",), port=0, threads=1, json=True)
    command = [sys.executable, "-c", _START, msgspec.json.encode(given).decode()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            started = json.loads(server.stdout.readline())
            yield int(started["url"].rpartition(":")[2]), psutil.Process(server.pid)
        finally:
            server.terminate()


class Load:
    """The load generator, in its own process."""

    def __init__(self, pipe_in: IO[str], pipe_out: IO[str]) -> None:
        self._in, self._out = pipe_in, pipe_out

    def __call__(self, concurrency: int, seconds: float) -> tuple[int, float]:
        """Requests answered in so many seconds, and the seconds exactly."""
        self._in.write(f"{concurrency} {seconds}\n")
        self._in.flush()
        done = json.loads(self._out.readline())
        return done["requests"], done["seconds"]


@contextlib.contextmanager
def load(port: int, request_file: Path) -> Iterator[Load]:
    """A load generator for the server at this port."""
    request_file.write_bytes(http_request("/v2/models/tiny/infer"))
    command = [
        sys.executable,
        str(Path(__file__).with_name("load.py")),
        "127.0.0.1",
        str(port),
        str(request_file),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as generator:
        assert generator.stdin is not None
        assert generator.stdout is not None
        yield Load(generator.stdin, generator.stdout)
        generator.stdin.close()


def http_request(path: str) -> bytes:
    """One whole binary request as a client of ours sends it."""
    encoded = oip.encode_request(
        {"x": sample(TINY_SHAPE)[None]}, request_id="0198c0de-0000-7000-8000-000000000000", binary=True
    )
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"{oip.HEADER_LENGTH}: {encoded.header_bytes}\r\nContent-Length: {encoded.total_bytes}\r\n\r\n"
    )
    return head.encode() + b"".join(encoded.parts)


def measure(
    run: Any, ask: Load, process: psutil.Process, rounds: int, round_s: float
) -> dict[str, list[float]]:
    """For each round seconds a raw run (twice), CPU seconds a request and requests a second under load."""
    figures: dict[str, list[float]] = {}
    for concurrency in CONCURRENCY:
        ask(concurrency, round_s)
    for at in range(rounds):
        for name in ("raw", "raw again") if at % 2 else ("raw again", "raw"):
            figures.setdefault(name, []).append(timed(run, 0.15))
        for concurrency in CONCURRENCY:
            before_s = cpu_s(process)
            answered, took_s = ask(concurrency, round_s)
            figures.setdefault(f"c{concurrency}", []).append((cpu_s(process) - before_s) / answered)
            figures.setdefault(f"c{concurrency} rate", []).append(answered / took_s)
    return figures


def timed(run: Any, seconds: float) -> float:
    """Seconds a call, the median of short blocks over so many seconds."""
    blocks = []
    until_s = time.perf_counter() + seconds
    while (start_s := time.perf_counter()) < until_s:
        for _ in range(20):
            run()
        blocks.append((time.perf_counter() - start_s) / 20)
    return median(blocks)


def cpu_s(process: psutil.Process) -> float:
    """CPU seconds that the process and its children have used."""
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        times = each.cpu_times()
        total += times.user + times.system
    return total


if __name__ == "__main__":
    sys.exit(main())
