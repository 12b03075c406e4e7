"""Take a hub away under an agent that is asked without a pause, and see how agent and fleet come back.

The agent is a process as users start it; the other devices are the agent's own line to its hub, each with an
identity of its own. Answers are counted by who asks; who is back is read off the hub process's connections.
"""

import contextlib
import http.client
import json
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import psutil
from hub_processes import PATIENCE_S, HubProcess, device, free_ports, join

import halocline as hc
from halocline.adapters.http.hub_link import HubLink
from halocline.edge.channel import ChannelLoop
from halocline.fleet import ModelSettings, Settings
from halocline.wire.people import InviteRequest

EVERY_S: Final = 0.1
"""The agent is asked so often."""
POLL_S: Final = 5.0
LOOKS_S: Final = 0.02
"""Who is back is looked at so often."""
SETTINGS: Final = """
[hub]
poll_s = 5
[model.edge]
edge = "edge.onnx"
cloud = "hub:cloud"
leaves = "samples"
threshold = 1.0
deadline_s = 0.5
"""
"""Every request is to go up, so that each shows whether the hub answers."""


class Came(msgspec.Struct):
    """What came of it; times are seconds after the hub was there again."""

    away_s: float
    devices: int
    asked: int
    unanswered: int
    """Requests of the caller's without a whole answer, of any time."""
    by_edge_while_away: int
    first_cloud_s: float
    """When the agent's first answer came from the hub's model again."""
    missing: int
    """Devices that did not come back."""
    first_s: float
    median_s: float
    last_s: float
    most_in_a_second: int
    """The most devices that came back within one second."""


class Caller(threading.Thread):
    """A local program that asks the agent without a pause, and counts what it gets."""

    def __init__(self, agent: Path) -> None:
        super().__init__(daemon=True)
        self._agent = agent
        self._done = threading.Event()
        self.asked = self.unanswered = 0
        self.tiers: Counter[str] = Counter()
        data = hc.samples.digits()
        name = hc.load(data.edge_path).spec.inputs[0].name
        rows = {"name": name, "datatype": "FP32", "shape": [1, 64], "data": data.x[0].tolist()}
        self._body = json.dumps({"inputs": [rows], "outputs": [{"name": "tier"}]})

    def run(self) -> None:
        """Ask until `stop`."""
        while not self._done.wait(EVERY_S):
            self.asked += 1
            try:
                self.tiers[self._tier()] += 1
            except (OSError, http.client.HTTPException, LookupError, ValueError):
                self.unanswered += 1

    def stop(self) -> None:
        """End it; what it counted stands still afterwards."""
        self._done.set()
        self.join()

    def _tier(self) -> str:
        connection = http.client.HTTPConnection("agent", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX)
        with contextlib.closing(connection):
            connection.sock.settimeout(10)
            connection.sock.connect(str(self._agent))
            connection.request("POST", "/v2/models/edge/infer", self._body)
            (tier,) = json.loads(connection.getresponse().read())["outputs"]
        return str(tier["data"][0])


class _Nothing:
    """A device of which nothing is asked."""

    def effective(self) -> dict[str, ModelSettings]:
        return {}

    def apply(self, settings: Settings) -> str:
        return ""

    def renewed(self) -> None:
        pass


def take_away(folder: Path, *, away_s: float, devices: int, haste: float = 1.0) -> Came:
    """Kill a hub, start it again after `away_s`, wait for everybody. `haste` below 1 cuts every wait."""
    ports = free_ports(3)
    flags = [
        word
        for door, port in zip(("device", "people", "join"), ports, strict=True)
        for word in (f"--{door}-port", str(port))
    ]
    flags += ["--cloud-model", f"cloud={hc.samples.digits().cloud_path}"]
    start: Callable[[], HubProcess] = lambda: HubProcess(folder / "hub", *flags)  # noqa: E731
    with contextlib.ExitStack() as open_now:
        hub = start()
        open_now.callback(lambda: hub.process.poll() is None and hub.kill())
        with hub.people() as people:
            invite = people.invite(InviteRequest(ttl_s=3600, uses=devices + 1)).invite
        agent = open_now.enter_context(_agent(folder / "agent", invite))
        for number in range(devices):
            open_now.enter_context(_following(folder / f"dev{number}", invite, haste))
        caller = Caller(agent)
        caller.start()
        open_now.callback(caller.stop)
        _until(lambda: caller.tiers["cloud"] > 0 and len(_clients(hub)) >= devices)
        hub.kill()
        edge_before = caller.tiers["edge"]
        time.sleep(away_s)
        edge_away = caller.tiers["edge"] - edge_before
        hub = start()
        back = _come_back(hub, caller, devices)
        caller.stop()
    return _came(caller, back, away_s=away_s, devices=devices, edge_away=edge_away)


class _Back(msgspec.Struct):
    devices_s: list[float]
    cloud_s: float


def _come_back(hub: HubProcess, caller: Caller, devices: int) -> _Back:
    """Look until all devices and an answer of the cloud are there, or patience ends."""
    began_s = time.monotonic()
    cloud_before, cloud_s = caller.tiers["cloud"], float("inf")
    seen: dict[int, float] = {}
    while time.monotonic() < began_s + 2 * PATIENCE_S:
        now_s = time.monotonic() - began_s
        for port in _clients(hub):
            seen.setdefault(port, now_s)
        if cloud_s == float("inf") and caller.tiers["cloud"] > cloud_before:
            cloud_s = now_s
        if len(seen) >= devices and cloud_s < float("inf"):
            break
        time.sleep(LOOKS_S)
    return _Back(sorted(seen.values()), cloud_s)


def _clients(hub: HubProcess) -> set[int]:
    """The ports from which this process's devices are connected to the hub's door, as the hub has them."""
    door = urlsplit(hub.urls.device).port
    ours = {each.laddr.port for each in psutil.Process().net_connections("tcp") if each.laddr}
    there = psutil.Process(hub.process.pid).net_connections("tcp")
    return {
        each.raddr.port
        for each in there
        if each.status == psutil.CONN_ESTABLISHED and each.laddr.port == door and each.raddr.port in ours
    }


def _came(caller: Caller, back: _Back, *, away_s: float, devices: int, edge_away: int) -> Came:
    came_s = back.devices_s
    return Came(
        away_s=away_s,
        devices=devices,
        asked=caller.asked,
        unanswered=caller.unanswered,
        by_edge_while_away=edge_away,
        first_cloud_s=back.cloud_s,
        missing=devices - len(came_s),
        first_s=came_s[0] if came_s else float("inf"),
        median_s=median(came_s) if came_s else float("inf"),
        last_s=came_s[-1] if came_s else float("inf"),
        most_in_a_second=max((sum(a <= b < a + 1 for b in came_s) for a in came_s), default=0),
    )


@contextlib.contextmanager
def _following(path: Path, invite: str, haste: float) -> Iterator[None]:
    """A device's line to its hub."""
    with device(path) as folder:
        join(folder, invite)
        folder.memory.count_boot()
        share = lambda: random.random() * haste  # noqa: E731
        poll_s = max(POLL_S * haste, 1.0)
        loop = ChannelLoop(HubLink(folder), folder.memory, _Nothing(), share=share, poll_s=poll_s)
        loop.start()
        try:
            yield
        finally:
            loop.close()


@contextlib.contextmanager
def _agent(path: Path, invite: str) -> Iterator[Path]:
    """An agent as users start it; its socket."""
    with device(path) as folder:
        join(folder, invite)
    shutil.copy(hc.samples.digits().edge_path, path / "edge.onnx")
    (path / "edge.toml").write_text(SETTINGS)
    words: list[Any] = ["agent", "run", "--state", path, "--config", path / "edge.toml", "--json"]
    command = [sys.executable, "-m", "halocline", *map(str, words)]
    with (path.parent / "agent.log").open("wb") as log:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=path) as started:
            try:
                assert started.stdout is not None
                assert started.stdout.readline(), (path.parent / "agent.log").read_text()
                yield path / "agent.sock"
            finally:
                started.terminate()
                started.wait(PATIENCE_S)


def _until(holds: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < give_up_s, "agent and devices did not reach their hub"
        time.sleep(LOOKS_S)
