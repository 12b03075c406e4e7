"""The README's path from nothing to a fleet of two, followed by its own words in three folders.

Each folder stands for a machine: its own state and settings, its own environment with the built wheel and
the one extra that it needs; nothing is shared but loopback, and the source tree is out of sight.
"""

import json
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from from_wheel import built_wheel, clean_environment, environment_of, run

import halocline as hc

BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
PATIENCE_S = 60.0
PROMISED_S = 180.0
"""From the first command to the last answer, without downloads."""
EXTRAS = {"hub": "hub", "one": "agent", "two": "agent"}
"""The machines, and what is installed on each: `halocline[hub]`, `halocline[agent]`."""


class Machine:
    """A folder, an environment's programs, and those that were started."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.programs = programs
        self.running: list[subprocess.Popen[bytes]] = []

    def run(self, command: str) -> str:
        """What a command prints; one that ends with & goes on, and gives its first line."""
        said = self.look(command)
        lines = [line if len(line) < 120 else f"{line[:119]}…" for line in said.splitlines()]
        print("\n".join([f"{self.folder.name}$ {command}", *lines]))
        return said

    def look(self, command: str) -> str:
        """The same, and nothing of it stands in the transcript."""
        environment = clean_environment(HALOCLINE_CONFIG=str(self.folder / "config"))
        environment["PATH"] = f"{self.programs}:{environment['PATH']}"
        if command.endswith("&"):
            log = (self.folder / f"log{len(self.running)}").open("wb+")
            started = subprocess.Popen(
                command.removesuffix("&").split(), cwd=self.folder, env=environment, stdout=log, stderr=log
            )
            self.running.append(started)
            until(lambda: Path(log.name).stat().st_size > 0 or started.poll() is not None)
            assert started.poll() is None, Path(log.name).read_text(encoding="utf-8")
            return Path(log.name).read_text(encoding="utf-8")
        done = subprocess.run(
            command.split("  #")[0].split(), cwd=self.folder, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def stop(self) -> None:
        """End what runs; it ends well."""
        for each in self.running:
            each.send_signal(signal.SIGTERM)
        codes = [each.wait(PATIENCE_S) for each in self.running]
        assert codes == [0] * len(codes)


def until(true: Callable[[], bool]) -> None:
    """Wait for what must come."""
    until_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < until_s, "it did not come to pass"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@pytest.fixture
def path(root: Path) -> list[tuple[str, list[str]]]:
    """The section's blocks: language and lines, commands without their prompt."""
    readme = (root / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## A hub, and devices that join\n")[2].partition("\n## ")[0]
    return [
        (found["language"], [line.removeprefix("$ ") for line in found["text"].splitlines()])
        for found in BLOCK.finditer(section)
    ]


@pytest.fixture(scope="module")
def programs(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The `bin` of each machine's own environment."""
    folder = tmp_path_factory.mktemp("installed")
    wheel = built_wheel(root, folder / "dist")
    return {name: environment_of(wheel, extra, root, folder / name) for name, extra in EXTRAS.items()}


@pytest.fixture
def machines(tmp_path: Path, programs: dict[str, Path]) -> Iterator[list[Machine]]:
    made = [Machine(tmp_path / name, where) for name, where in programs.items()]
    data = hc.samples.digits()
    shutil.copy(data.cloud_path, made[0].folder / "cloud.onnx")
    shutil.copy(data.edge_path, made[1].folder / "edge.onnx")
    shutil.copy(data.edge_path, made[2].folder / "edge.onnx")
    yield made
    for each in reversed(made):
        each.stop()


def test_each_machine_has_the_wheel_and_what_its_extra_names_alone(
    programs: dict[str, Path], tmp_path: Path
) -> None:
    absent = {"agent": ("sqlalchemy", "alembic", "psycopg"), "hub": ()}
    for name, extra in EXTRAS.items():
        python = programs[name] / "python"
        found = run(python, "-c", "import halocline; print(halocline.__file__)", cwd=tmp_path)
        assert Path(found.strip()).is_relative_to(programs[name].parent)
        ask = "import importlib.util as u, sys; print(*[n for n in sys.argv[1:] if u.find_spec(n)])"
        extras = (*absent[extra], "sklearn", "onnx", "PIL", "pytest")
        assert run(python, "-c", ask, *extras, cwd=tmp_path).split() == []


def test_seven_commands_lead_from_nothing_to_tiered_answers_on_two_devices(
    path: list[tuple[str, list[str]]], machines: list[Machine]
) -> None:
    began_s = time.monotonic()
    (_, at_hub), (kind, settings), (_, on_device), (_, (set_it,)) = path
    assert kind == "toml"
    assert 5 <= len([*at_hub, *on_device, set_it]) <= 7
    hub, *devices = machines
    ports = {port: str(free_port()) for port in ("8443", "8444", "8445")}
    told = " ".join(
        f"--{door}-port {ports[port]}"
        for door, port in (("device", "8443"), ("people", "8444"), ("join", "8445"))
    )
    start, sign_in, invite = at_hub
    assert "1. sign in" in hub.run(start.replace(" &", f" {told} &"))
    hub.run(sign_in.replace("8444", ports["8444"]))
    (invited,) = re.findall(r"hc1\.\S+", hub.run(invite))

    join, run, ask = on_device
    for device in devices:
        configure(device, settings)
        assert "joined" in device.run(join.replace("INVITE", invited))
        assert "serving edge" in device.run(run)
        tiers = texts(device.run(ask), "tier")
        assert set(tiers) == {"edge", "cloud"}

    fleet = json.loads(hub.run("halocline device list --json"))["devices"]
    names = [each["device"]["id"] for each in fleet]
    assert len(set(names)) == 2
    assert {each["device"]["state"] for each in fleet} == {"enrolled"}
    assert all(each["device"]["labels"] == {"type": "cam"} for each in fleet)

    (first, second), before = (names, texts(devices[0].run(ask), "tier").count("cloud"))
    hub.run(set_it.replace("DEVICE", first).replace("0.9", "1.0"))
    until(lambda: "1 applied" in hub.look(f"halocline device show {first}"))
    owner = by_id(devices, first)
    assert texts(owner.run(ask), "tier").count("cloud") > before
    assert second in hub.run("halocline device list")

    hub.run(f"halocline device revoke {first}")
    assert set(texts(owner.run(ask), "tier")) == {"edge"}
    assert set(texts(by_id(devices, second).run(ask), "tier")) == {"edge", "cloud"}
    took_s = time.monotonic() - began_s
    print(f"from the first command to the last answer: {took_s:.1f} s")
    assert took_s < PROMISED_S


def test_the_agent_answers_while_the_hub_is_away_and_goes_up_again_when_it_is_back(
    path: list[tuple[str, list[str]]], machines: list[Machine]
) -> None:
    (_, (start, sign_in, invite)), (_, settings), (_, (join, run, ask)), _ = path
    hub, device, _ = machines
    ports = [str(free_port()) for _ in range(3)]
    start = start.replace(
        " &", f" --device-port {ports[0]} --people-port {ports[1]} --join-port {ports[2]} &"
    )
    hub.run(start)
    hub.run(sign_in.replace("8444", ports[1]))
    (invited,) = re.findall(r"hc1\.\S+", hub.run(invite))
    configure(device, settings)
    device.run(join.replace("INVITE", invited))
    device.run(run)
    assert "cloud" in texts(device.run(ask), "tier")
    hub.stop()
    hub.running.clear()
    for _ in range(5):
        assert set(texts(device.look(ask), "tier")) == {"edge"}
    hub.run(start)
    until(lambda: "cloud" in texts(device.look(ask), "tier"))


def configure(device: Machine, settings: list[str]) -> None:
    """Put there what the README shows, looking for changes each second, and a request of 50 rows."""
    data = hc.samples.digits()
    name = hc.load(data.edge_path).spec.inputs[0].name
    rows = data.x[:50].ravel().tolist()
    request = {
        "inputs": [{"name": name, "datatype": "FP32", "shape": [50, 64], "data": rows}],
        "outputs": [{"name": "tier"}],
    }
    (device.folder / "edge.toml").write_text("\n".join(settings) + "\n[hub]\npoll_s = 1\n")
    (device.folder / "request.json").write_text(json.dumps(request))


def texts(answer: str, output: str) -> list[str]:
    """The texts of one output of an inference answer."""
    (found,) = [each["data"] for each in json.loads(answer)["outputs"] if each["name"] == output]
    return list(found)


def by_id(devices: list[Machine], device_id: str) -> Machine:
    """The machine that is that device."""
    (found,) = [
        each
        for each in devices
        if json.loads(each.look("halocline agent status --state state --json"))["device"] == device_id
    ]
    return found
