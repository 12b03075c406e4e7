"""A hub as people run it: `halocline hub serve` in a process of its own, on free ports."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def hub_process(state: Path, *more: object, ports: tuple[int, int, int] = (0, 0, 0)) -> Iterator[Any]:
    """What the hub announced, until the block ends; then it must end well."""
    words = ["--state", state, "--json", *more]
    for door, port in zip(("device", "people", "join"), ports, strict=True):
        words += [f"--{door}-port", port]
    process = subprocess.Popen(
        [sys.executable, "-m", "halocline", "hub", "serve", *map(str, words)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"the hub ended with {process.wait(60)}"
        yield json.loads(line)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
