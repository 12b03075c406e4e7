"""What a request costs the server: its CPU seconds over a raw run of the same model, and over MLServer's.

The server runs as users start it (metrics and limits on, one thread for the model) in its own process,
the load comes from another one, the CPU seconds from the server's own accounting. MLServer gets JSON, since
its HTTP takes no binary tensors, and runs in one process, where it needs least.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import IO, Any, NamedTuple

import psutil

from common import CONTROL_TOLERANCE, arguments, raw_session, report
from halocline.wire import oip
from models import TINY_SHAPE, make_tiny, sample
from peers import mlserver_process

LIMITS = {"c8.cpu_ratio": 2.5, "c32.cpu_ratio": 2.0, "mlserver_ratio": 0.2}


def main() -> int:
    """Measure in interleaved rounds and print."""
    options = arguments(
        __doc__ or "",
        rounds={"type": int, "default": 15, "help": "rounds"},
        round_s={"type": float, "default": 1.0, "help": "seconds of load in a round"},
    )
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as stack:
        folder = Path(temporary)
        model = make_tiny(folder)
        session, feed = raw_session(model), {"x": sample(TINY_SHAPE)[None]}
        ours = stack.enter_context(our_server(model))
        targets = {"c8": stack.enter_context(target(ours, folder / "ours", 8, binary=True))}
        targets["c32"] = targets["c8"].at(32)
        if mlserver_process.is_installed():
            theirs = stack.enter_context(mlserver_process.mlserver(model, "tiny"))
            targets["mlserver"] = stack.enter_context(target(theirs, folder / "theirs", 8, binary=False))
        figures = measure(partial(session.run, None, feed), targets, options.rounds, options.round_s)
    return report_figures(figures, list(targets), options)


def report_figures(figures: dict[str, list[float]], names: list[str], options: Any) -> int:
    """Medians over the rounds of what belongs together in one round."""
    raw, control = figures["raw"], ratio(figures["raw again"], figures["raw"])
    values: dict[str, Any] = {"raw_us": median(raw) * 1e6, "control": control}
    for name in names:
        values[name] = {
            "cpu_ratio": ratio(figures[name], raw),
            "cpu_us": median(figures[name]) * 1e6,
            "requests_per_s": median(figures[name + " rate"]),
        }
    if "mlserver" in names:
        values["mlserver_ratio"] = ratio(figures["c8"], figures["mlserver"])
    else:
        print(f"no MLServer to compare with: {mlserver_process.INSTALL} sets it up", file=sys.stderr)
    return report("serve", values, options, at_most=LIMITS, valid=abs(control - 1) <= CONTROL_TOLERANCE)


def ratio(ours: list[float], base: list[float]) -> float:
    """The median of the ratios within the rounds."""
    return median(a / b for a, b in zip(ours, base, strict=True))


@contextlib.contextmanager
def our_server(model: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Our server on a free port: the port, and the process."""
    halocline = Path(sys.executable).with_name("halocline")
    command = [str(halocline), "serve", f"tiny={model}", "--port", "0", "--threads", "1", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            started = json.loads(server.stdout.readline())
            yield int(started["url"].rpartition(":")[2]), server
        finally:
            server.terminate()


class Target(NamedTuple):
    """A server under load at a concurrency."""

    process: psutil.Process
    pipe_in: IO[str]
    pipe_out: IO[str]
    concurrency: int

    def at(self, concurrency: int) -> "Target":
        """The same at another concurrency."""
        return self._replace(concurrency=concurrency)

    def load(self, seconds: float) -> tuple[float, float]:
        """The server's CPU seconds a request, and requests a second."""
        before_s = cpu_s(self.process)
        self.pipe_in.write(f"{self.concurrency} {seconds}\n")
        self.pipe_in.flush()
        done = json.loads(self.pipe_out.readline())
        return (cpu_s(self.process) - before_s) / done["requests"], done["requests"] / done["seconds"]


@contextlib.contextmanager
def target(
    server: tuple[int, subprocess.Popen[bytes]], request_file: Path, concurrency: int, *, binary: bool
) -> Iterator[Target]:
    """A load generator, in its own process, for a server."""
    port, process = server
    request_file.write_bytes(http_request("/v2/models/tiny/infer", binary=binary))
    script = Path(__file__).with_name("load.py")
    command = [sys.executable, str(script), "127.0.0.1", str(port), str(request_file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as generator:
        assert generator.stdin is not None
        assert generator.stdout is not None
        yield Target(psutil.Process(process.pid), generator.stdin, generator.stdout, concurrency)
        generator.stdin.close()


def http_request(path: str, *, binary: bool) -> bytes:
    """One whole request as a client of ours sends it: in binary, or to a server that has none in JSON."""
    encoded = oip.encode_request(
        {"x": sample(TINY_SHAPE)[None]}, request_id="0198c0de-0000-7000-8000-000000000000", binary=binary
    )
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {encoded.total_bytes}\r\n"
    if encoded.header_bytes is None:
        head += "Content-Type: application/json\r\n"
    else:
        head += f"{oip.HEADER_LENGTH}: {encoded.header_bytes}\r\n"
    return (head + "\r\n").encode() + b"".join(encoded.parts)


def measure(
    run: Callable[[], object], targets: dict[str, Target], rounds: int, round_s: float
) -> dict[str, list[float]]:
    """For each round seconds a raw run (twice), CPU seconds a request and requests a second under load."""
    figures: dict[str, list[float]] = {}
    for each in targets.values():
        each.load(round_s)
    for at in range(rounds):
        for name in ("raw", "raw again") if at % 2 else ("raw again", "raw"):
            figures.setdefault(name, []).append(timed(run, 0.15))
        for name, each in targets.items():
            a_request_s, rate = each.load(round_s)
            figures.setdefault(name, []).append(a_request_s)
            figures.setdefault(f"{name} rate", []).append(rate)
    return figures


def timed(run: Callable[[], object], seconds: float) -> float:
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
