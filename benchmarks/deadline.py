"""How far past its deadline a caller waits, whatever the cloud does, beside a bare `Event.wait(deadline)`."""

import multiprocessing
import sys
import tempfile
import threading
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

import halocline as hc
from common import arguments, report
from halocline.testing.faults import Fault, FaultServer
from models import TINY_SHAPE, make_tiny, sample

AT_MOST = {"worst_over_control_s": 0.005}


def main() -> int:
    options = arguments(
        __doc__ or "",
        calls={"type": int, "default": 1000, "help": "calls for each fault"},
        deadline_s={"type": float, "default": 0.02, "help": "the deadline of every call"},
    )
    faults: dict[str, Any] = {}
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    # The fault server lives in a process of its own: this one must be idle but for the caller.
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    url = ours.recv()
    with tempfile.TemporaryDirectory() as folder:
        edge = hc.load(make_tiny(Path(folder)), threads=1)
        control = _p99(_control(options.calls, options.deadline_s))
        for fault in Fault:
            if fault is Fault.OK:
                continue
            ours.send(Fault.OK)
            ours.recv()
            # A client of its own for each fault, no breaker, and no late answer that would teach it that
            # the link is slow: every call must really be tried.
            cloud = hc.connect(url)
            cloud.wait_ready()
            ours.send(fault)
            ours.recv()
            with hc.Tiered(
                edge, cloud, threshold=1.0, deadline_s=options.deadline_s, breaker=None, to_cloud=_row_of_64
            ) as tiered:
                faults[fault.value] = _ask(tiered, options.calls)
        control = max(control, _p99(_control(options.calls, options.deadline_s)))
    ours.send(None)
    server.join()
    worst = max(faults, key=lambda name: faults[name]["p99_s"])
    values = {
        "deadline_s": options.deadline_s,
        "calls": options.calls,
        "control_p99_s": control,
        "worst": worst,
        "worst_over_control_s": faults[worst]["p99_s"] - control,
        "faults": faults,
    }
    return report("deadline", values, options, at_most=AT_MOST)


def _serve(pipe: Connection) -> None:
    with FaultServer() as server:
        server.slow_s = 1000.0
        pipe.send(server.url)
        while (mode := pipe.recv()) is not None:
            server.mode = mode
            pipe.send(mode)


def _row_of_64(batch: Any) -> Any:
    return np.ascontiguousarray(batch.reshape(len(batch), -1)[:, :64])


def _ask(tiered: hc.Tiered, calls: int) -> dict[str, Any]:
    x = sample(TINY_SHAPE)[None]
    waited_s, reasons = [], Counter[str]()
    for _ in range(calls):
        began_s = time.perf_counter()
        reply = tiered.infer(x)
        waited_s.append(time.perf_counter() - began_s)
        reasons[reply.reason] += 1
    return {
        "p50_s": float(np.median(waited_s)),
        "p99_s": _p99(waited_s),
        "reason": reasons.most_common(1)[0][0],
    }


def _control(calls: int, deadline_s: float) -> list[float]:
    never = threading.Event()
    waited_s = []
    for _ in range(calls):
        began_s = time.perf_counter()
        never.wait(deadline_s)
        waited_s.append(time.perf_counter() - began_s)
    return waited_s


def _p99(seconds: list[float]) -> float:
    return float(np.quantile(seconds, 0.99))


if __name__ == "__main__":
    sys.exit(main())
