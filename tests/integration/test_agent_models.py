"""An agent serves several models at once, each with a cloud of its own, and says how each cloud does."""

import contextlib
import http.client
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from forked import halocline
from servers import identity

from halocline.wire import oip

CONFIG = """
[agent]
listen = "unix:{socket}"
[model.front]
edge = "edge.onnx"
scores = "probabilities"
cloud = "https://127.0.0.1:9/v2/models/cloud"
leaves = "samples"
threshold = 0.9
deadline_s = 0.2
[model.back]
edge = "edge.onnx"
scores = "probabilities"
cloud = "edge.onnx"
leaves = "samples"
[model.alone]
edge = "edge.onnx"
scores = "probabilities"
cloud = "https://127.0.0.1:9/v2/models/cloud"
leaves = "nothing"
"""


class OverSocket(http.client.HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("agent", timeout=60)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[OverSocket]:
    identity(folder, "FP32").rename(folder / "edge.onnx")
    path = str(folder / "agent.sock")
    (folder / "edge.toml").write_text(CONFIG.format(socket=path))
    words = [
        "agent",
        "run",
        "--state",
        str(folder / "state"),
        "--config",
        str(folder / "edge.toml"),
        "--json",
    ]
    agent = halocline(*words, stderr=folder / "agent.log")
    try:
        assert json.loads(agent.stdout.readline())["device"] is None
        with contextlib.closing(OverSocket(path)) as connection:
            yield connection
    finally:
        agent.terminate()
        assert agent.wait(60) == 0
        agent.stdout.close()


def test_each_model_tells_of_its_own_cloud_and_answers_by_its_own_settings(tmp_path: Path) -> None:
    with running(tmp_path) as agent:
        assert oct(os.stat(tmp_path / "agent.sock").st_mode & 0o777) == "0o660"
        told = {name: reason_of(agent, name) for name in ("front", "back")}
        assert told == {"front": "refused", "back": "escalated"}
        agent.request("GET", "/v2/health/ready")
        needs = json.loads(agent.getresponse().read())["needs"]
        assert set(needs) == {"front.edge", "front.cloud", "back.edge", "back.cloud"}
        assert needs["front.cloud"]["failure"], "nothing listens there"
        assert needs["back.cloud"]["failure"] is None
        agent.request("GET", "/v2/models/alone")
        outputs = {each["name"] for each in json.loads(agent.getresponse().read())["outputs"]}
        assert "tier" not in outputs, "a model whose samples may not leave is served as it is"


def reason_of(agent: OverSocket, name: str) -> str:
    """Why the answer to a row that the edge is not sure of came from where it came."""
    encoded = oip.encode_request(
        {"x": np.array([[0.3, 0.3, 0.4]], np.float32)}, request_id="r", binary=False, outputs=("reason",)
    )
    headers = {"Content-Type": "application/json"}
    agent.request("POST", f"/v2/models/{name}/infer", b"".join(encoded.parts), headers)
    answer = json.loads(agent.getresponse().read())
    return str(answer["outputs"][0]["data"][0])
