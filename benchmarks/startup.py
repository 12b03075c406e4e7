"""A fresh process to its first edge answer, with `load` and `Tiered`, over bare ONNX Runtime to its own."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from common import CONTROL_TOLERANCE, arguments, report
from models import TINY_SHAPE, make_tiny

AT_MOST = {"time_ratio": 1.25, "rss_added_mib": 15.0}

SHARED = f"""
import sys
def done():
    sys.stdout.write("answered\\n"); sys.stdout.flush()
    with open("/proc/self/statm") as statm:
        print(int(statm.read().split()[1]))
def rows():
    import numpy as np
    return np.zeros((1, {", ".join(map(str, TINY_SHAPE))}), np.float32)
"""
RAW = """
import onnxruntime as ort
options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
session.run(None, {"x": rows()})
done()
"""
OURS = """
import halocline as hc
edge = hc.load(sys.argv[1], threads=1)
tiered = hc.Tiered(edge, hc.connect("http://127.0.0.1:9/v2/models/cloud"), threshold=0.1)
tiered.infer(rows())
done()
"""
PAGE_BYTES = 4096


def main() -> int:
    options = arguments(__doc__ or "", rounds={"type": int, "default": 25, "help": "interleaved rounds"})
    scripts = {"raw": SHARED + RAW, "tiered": SHARED + OURS, "raw again": SHARED + RAW}
    seconds: dict[str, list[float]] = {name: [] for name in scripts}
    pages: dict[str, list[int]] = {name: [] for name in scripts}
    with tempfile.TemporaryDirectory() as folder:
        model = make_tiny(Path(folder))
        # As installed: compiled modules of both sides come from a cache, whatever this shell forbids.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(Path(folder) / "cache")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["ORT_DISABLE_TELEMETRY"] = "1"  # ours switches it off; the bare one must not pay for it
        for at in range(options.rounds + 1):
            for name in list(scripts) if at % 2 else reversed(list(scripts)):
                took_s, rss = _start(scripts[name], model, environment)
                if at:  # the first round fills the caches
                    seconds[name].append(took_s)
                    pages[name].append(rss)
    control = median(a / b for a, b in zip(seconds["raw again"], seconds["raw"], strict=True))
    values = {
        "raw_s": median(seconds["raw"]),
        "tiered_s": median(seconds["tiered"]),
        "time_ratio": median(a / b for a, b in zip(seconds["tiered"], seconds["raw"], strict=True)),
        "rss_added_mib": (median(pages["tiered"]) - median(pages["raw"])) * PAGE_BYTES / 2**20,
        "control": control,
    }
    valid = abs(control - 1) <= CONTROL_TOLERANCE
    return report("startup", values, options, at_most=AT_MOST, valid=valid)


def _start(script: str, model: Path, environment: dict[str, str]) -> tuple[float, int]:
    began_s = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(model)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    line = child.stdout.readline()
    took_s = time.perf_counter() - began_s
    rest, error = child.stdout.read(), child.stderr.read()
    child.wait()
    if line != "answered\n":
        raise RuntimeError(f"no answer: {error}")
    return took_s, int(rest)


if __name__ == "__main__":
    sys.exit(main())
