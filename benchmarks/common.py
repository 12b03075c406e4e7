"""Measure calls against each other in interleaved rounds, and print what came out."""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

SEED = 20261101
CONTROL = "raw again"
CONTROL_TOLERANCE = 0.02
"""The raw call against itself, in the same rounds: outside 1 +- this, the machine was too restless."""

_RESULTS = Path(__file__).parent / "results"


class Timings:
    """Seconds a call, one figure for each call and round."""

    def __init__(self, seconds: Mapping[str, list[float]], base: str) -> None:
        self._seconds = seconds
        self._base = base

    def median_s(self, name: str) -> float:
        """The median over the rounds."""
        return median(self._seconds[name])

    def ratio(self, name: str, base: str | None = None) -> float:
        """The median over the rounds of this call's time over the base's in the same round."""
        pairs = zip(self._seconds[name], self._seconds[base or self._base], strict=True)
        return median(ours / raw for ours, raw in pairs)

    def added_s(self, name: str, base: str | None = None) -> float:
        """The median over the rounds of what this call takes longer than the base in the same round."""
        pairs = zip(self._seconds[name], self._seconds[base or self._base], strict=True)
        return median(ours - raw for ours, raw in pairs)

    @property
    def control(self) -> float:
        """The base's time over its own, measured as any other call is."""
        return self.ratio(CONTROL)

    @property
    def is_valid(self) -> bool:
        """Whether the control is close enough to 1."""
        return abs(self.control - 1) <= CONTROL_TOLERANCE


def measure(
    calls: Mapping[str, Callable[[], object]],
    *,
    base: str = "raw",
    rounds: int = 200,
    round_s: float = 0.005,
    attempts: int = 3,
) -> Timings:
    """Time the calls in turn, `rounds` times, each for `round_s`, with the base twice as the control.

    Runs again, up to `attempts` times, while the control is out of its tolerance.
    """
    every = {**calls, CONTROL: calls[base]}
    counts = {name: _count(call, round_s) for name, call in every.items()}
    counts[CONTROL] = counts[base]
    names = list(every)
    timings = Timings({}, base)
    for _ in range(attempts):
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for at in range(rounds):
            # Each call follows each other call equally often: what runs before leaves its mark on caches.
            turn = names[at % len(names) :] + names[: at % len(names)]
            for name in turn if (at // len(names)) % 2 == 0 else reversed(turn):
                seconds[name].append(_time(every[name], counts[name]))
        timings = Timings(seconds, base)
        if timings.is_valid:
            break
    return timings


def raw_session(path: Path, threads: int = 1) -> Any:
    """A bare ONNX Runtime session on the CPU, as one would write it without Halocline."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def arguments(description: str, **more: Mapping[str, Any]) -> argparse.Namespace:
    """The flags that every benchmark has, and `more` of its own: name=dict(type=…, default=…, help=…)."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--write", action="store_true", help="also write benchmarks/results/NAME.json")
    for name, options in more.items():
        parser.add_argument("--" + name.replace("_", "-"), **options)
    return parser.parse_args()


def report(
    name: str,
    values: Mapping[str, Any],
    options: argparse.Namespace,
    *,
    at_most: Mapping[str, float] | None = None,
    valid: bool = True,
) -> int:
    """Print the values, nested by dots, beside their limits; those above one stand in `over`.

    The exit code is 1 where the run is invalid or something is over its limit.
    """
    flat = dict(_flat(values))
    over = [key for key, limit in (at_most or {}).items() if flat.get(key) is not None and flat[key] > limit]
    result = {"benchmark": name, "version": 1, "valid": valid, "over": over, **values}
    result |= {"machine": _machine(), "seed": SEED}
    if options.write:
        _RESULTS.mkdir(exist_ok=True)
        (_RESULTS / f"{name}.json").write_text(json.dumps({**result, "commit": _commit()}, indent=2) + "\n")
    if options.json:
        print(json.dumps(result))
    else:
        _print_table(name, values, at_most or {})
        if not valid:
            print(f"INVALID: a control is outside 1 +- {CONTROL_TOLERANCE}; run again on a quieter machine")
    return 0 if valid and not over else 1


def _count(call: Callable[[], object], round_s: float) -> int:
    """How many calls fill a round; the calls also warm up."""
    call()
    count, took_s = 1, _time(call, 1)
    while took_s * count < round_s and count < 1_000_000:
        count = max(count + 1, min(10 * count, int(round_s / max(took_s, 1e-9))))
        took_s = _time(call, count)
    return count


def _time(call: Callable[[], object], count: int) -> float:
    start_s = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start_s) / count


def _print_table(name: str, values: Mapping[str, Any], at_most: Mapping[str, float]) -> None:
    rows = [(key, _text(value), _verdict(value, at_most.get(key))) for key, value in _flat(values)]
    width = max(len(key) for key, _, _ in rows)
    print(name)
    for key, value, verdict in rows:
        print(f"  {key:<{width}}  {value:>12}  {verdict}".rstrip())


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for key, value in values.items():
        flat += _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [(f"{prefix}{key}", value)]
    return flat


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:12]


def _verdict(value: Any, limit: float | None) -> str:
    if limit is None or value is None:
        return ""
    return f"at most {limit:g}: {'ok' if value <= limit else 'OVER'}"


def _machine() -> dict[str, Any]:
    import numpy
    import onnxruntime

    return {
        "platform": platform.platform(terse=True),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "onnxruntime": onnxruntime.__version__,
    }


def _commit() -> str:
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    print("This file holds what the benchmarks share; run one of the others.", file=sys.stderr)
    sys.exit(2)
