"""Start a real MLServer from the peers' environment, serving one ONNX file under the name given."""

import contextlib
import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

_ROOT = Path(__file__).resolve().parents[2]
PYTHON = _ROOT / ".venv-peers" / "bin" / "python"
INSTALL = "make bench-peers"
_START_S = 60.0


def is_installed() -> bool:
    """Whether `make bench-peers` has set the environment up."""
    return PYTHON.exists()


@contextlib.contextmanager
def mlserver(model: Path, name: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A server that is ready: its port and its process.

    One process (no workers of its own, which cost it more), no access log, no adaptive batching: the
    settings in which it needs least CPU a request at small batches.
    """
    http, grpc, metrics = _free_ports(3)
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "host": "127.0.0.1",
            "http_port": http,
            "grpc_port": grpc,
            "metrics_port": metrics,
            "parallel_workers": 0,
            "debug": False,
            "use_structured_logging": False,
        }
        (Path(folder) / "settings.json").write_text(json.dumps(settings))
        described = {
            "name": name,
            "implementation": "onnx_model.OnnxModel",
            "parameters": {"uri": str(model), "version": "1"},
        }
        (Path(folder) / "model-settings.json").write_text(json.dumps(described))
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(PYTHON), "-m", "mlserver.cli.main", "start", folder],
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
            )
        try:
            _wait(f"http://127.0.0.1:{http}/v2/models/{name}/ready", process, log)
            yield http, process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until_s = time.monotonic() + _START_S
    opener = build_opener(ProxyHandler({}))
    while time.monotonic() < until_s and process.poll() is None:
        with contextlib.suppress(URLError, ConnectionError), opener.open(url, timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise RuntimeError(f"MLServer did not come up: {log.read_text()[-2000:]}")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]
