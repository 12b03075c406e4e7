"""A device whose clock shows 1970, or ten years to come, joins, renews, follows its hub and asks its model.

The clock of the agent's own process is moved (see moved_clock.py): it is the program that users run, told
nothing of it.
"""

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import moved_clock
import pytest
from hub_process import HubProcess, hub_process

import halocline as hc
from halocline.adapters.certificates.authority import CertificateAuthority
from halocline.adapters.certificates.request import make_request
from halocline.adapters.device_folder.identity import read_identity, replace_certificate
from halocline.adapters.sql import open_store
from halocline.fleet import CertificateState

DAY_S = 86_400.0
YEAR_S = 365.25 * DAY_S
PATIENCE_S = 30.0
PLAIN = [sys.executable, "-m", "halocline"]
SETTINGS = """
[hub]
poll_s = 1
[model.edge]
edge = "edge.onnx"
cloud = "hub:cloud"
leaves = "samples"
threshold = 1.0
deadline_s = 5.0
"""


class Device(NamedTuple):
    """A folder, how our programs are started there, and in which environment."""

    folder: Path
    command: list[str]
    environment: dict[str, str]

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        told = [*self.command, *map(str, words)]
        return subprocess.run(told, env=self.environment, cwd=self.folder, capture_output=True, text=True)


class OverSocket(http.client.HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("agent", timeout=60)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(str(self.path))


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    folder = tmp_path_factory.mktemp("clocks")
    with hub_process(folder / "hub", "--cloud-model", f"cloud={hc.samples.digits().cloud_path}") as running:
        yield running


def devices(folder: Path) -> dict[str, Device]:
    """One for each wrong clock, its whole process's where there is a compiler, else Python's."""
    made = {}
    for name, ahead_s in (("1970", -time.time()), ("ten years on", 10 * YEAR_S)):
        path = folder / name
        path.mkdir()
        shutil.copy(hc.samples.digits().edge_path, path / "edge.onnx")
        (path / "edge.toml").write_text(SETTINGS)
        if shutil.which("cc"):
            command, environment = PLAIN, moved_clock.preloaded(folder, ahead_s)
        else:
            command, environment = moved_clock.launcher(ahead_s), dict(os.environ)
        made[name] = Device(path, command, environment)
    return made


@contextlib.contextmanager
def serving(device: Device) -> Iterator[None]:
    """Its agent, until the block ends."""
    words = ["agent", "run", "--state", "state", "--config", "edge.toml", "--json"]
    command = [*device.command, *words]
    log = (device.folder / "log").open("wb")
    with (
        log,
        subprocess.Popen(
            command, env=device.environment, cwd=device.folder, stdout=subprocess.PIPE, stderr=log
        ) as agent,
    ):
        try:
            assert agent.stdout is not None
            assert agent.stdout.readline(), (device.folder / "log").read_text()
            yield
        finally:
            agent.terminate()
            assert agent.wait(PATIENCE_S) == 0


def aged(hub: HubProcess, device: Device) -> str:
    """Give it a certificate that has lived 0.7 of its life, by the hub's own authority; its serial number."""
    state = device.folder / "state"
    identity = read_identity(state)
    assert identity is not None
    authority = CertificateAuthority.open(hub.state / "ca", now_s=time.time())
    proven = authority.read_request(make_request(identity.key.read_bytes()))
    chain, certificate = authority.issue_device(
        proven.public_key, identity.places.device, now_s=time.time() - 0.7 * DAY_S, valid_s=DAY_S
    )
    with contextlib.closing(open_store(hub.state / "hub.db")) as store, store.change() as tx:
        tx.put_certificate(certificate)
    replace_certificate(state, chain, roots="")
    return certificate.serial


def until(holds: Callable[[], bool]) -> bool:
    give_up_s = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > give_up_s:
            return False
        time.sleep(0.05)
    return True


def tiers(device: Device) -> set[str]:
    """By which tiers a few rows were answered."""
    data = hc.samples.digits()
    name = hc.load(data.edge_path).spec.inputs[0].name
    rows = data.x[:8]
    told: dict[str, Any] = {
        "inputs": [{"name": name, "datatype": "FP32", "shape": [8, 64], "data": rows.ravel().tolist()}],
        "outputs": [{"name": "tier"}],
    }
    with contextlib.closing(OverSocket(device.folder / "state" / "agent.sock")) as connection:
        connection.request("POST", "/v2/models/edge/infer", json.dumps(told))
        outputs = json.loads(connection.getresponse().read())["outputs"]
    (found,) = [each["data"] for each in outputs if each["name"] == "tier"]
    return set(found)


def life(hub: HubProcess, device: Device) -> str:
    """What went wrong in a device's life; empty where nothing did."""
    joined = device.run("agent", "join", invite(hub), "--state", "state")
    if joined.returncode:
        return f"it did not join: {joined.stderr}"
    old = aged(hub, device)
    identity = read_identity(device.folder / "state")
    assert identity is not None
    name = identity.places.device
    with serving(device):
        if not until(lambda: is_renewed(hub, device, old)):
            return "it did not renew"
        if not until(lambda: tiers(device) == {"cloud"}):
            return f"it did not ask the hub's model: {(device.folder / 'log').read_text()[-500:]}"
        wanted = {"settings": {"models": {"edge": {"threshold": 0.0}}}}
        assert hub.as_admin("PUT", f"/v1/devices/{name}/desired", wanted).status == 200
        if not until(lambda: is_applied(hub, name)):
            return "it did not take up what the hub set"
        if tiers(device) != {"edge"}:
            return "what the hub set is not in force"
    return ""


def invite(hub: HubProcess) -> str:
    made = hub.as_admin("POST", "/v1/invites", {"uses": 1})
    return str(made.said["invite"])


def is_renewed(hub: HubProcess, device: Device, old: str) -> bool:
    """Whether it has another certificate, and the hub has seen that used."""
    identity = read_identity(device.folder / "state")
    assert identity is not None
    with contextlib.closing(open_store(hub.state / "hub.db")) as store, store.look() as tx:
        known = tx.certificate(identity.serial)
    return identity.serial != old and known is not None and known.state is CertificateState.CURRENT


def is_applied(hub: HubProcess, name: str) -> bool:
    twin = hub.as_admin("GET", f"/v1/devices/{name}").said["twin"]
    reported = twin.get("reported") or {}
    return reported.get("generation") == twin["desired"]["generation"] > 0


def test_a_device_with_a_wrong_clock_joins_renews_follows_and_escalates(
    hub: HubProcess, tmp_path: Path
) -> None:
    made = devices(tmp_path)
    with ThreadPoolExecutor(len(made)) as together:
        came = dict(zip(made, together.map(lambda one: life(hub, one), made.values()), strict=True))
    assert came == dict.fromkeys(made, "")


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler to move a process's clock with")
def test_the_clock_of_a_process_is_moved_and_its_steady_clock_is_not(tmp_path: Path) -> None:
    """Else the test before would show nothing."""
    told = [PLAIN[0], "-c", "import time; print(time.time(), time.monotonic())"]
    environment = moved_clock.preloaded(tmp_path, YEAR_S)
    done = subprocess.run(told, env=environment, capture_output=True, check=True)
    clock_s, steady_s = map(float, done.stdout.split())
    assert abs(clock_s - time.time() - YEAR_S) < 60
    assert abs(steady_s - time.monotonic()) < 60
