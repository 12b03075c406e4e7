"""What lies in deploy/ fits the program: its commands, its variables, its health checks."""

import inspect
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from servers import identity, serving

from halocline.wire.agent_file import read_agent_file

UNITS = ("halocline-agent.service", "halocline-hub.service")
FILES = ("agent.Containerfile", "hub.Containerfile")
EDGE = '[model.edge]\nedge = "edge.onnx"\n'


def unit(root: Path, name: str) -> dict[str, list[str]]:
    """The settings of a unit; one may be given several times."""
    found: dict[str, list[str]] = {}
    for line in (root / "deploy" / "systemd" / name).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def instruction(root: Path, name: str, word: str) -> str:
    """What a Containerfile says behind that word, the last time."""
    text = (root / "deploy" / "containers" / name).read_text()
    return re.findall(rf"^{word} (.*)$", text, re.MULTILINE)[-1]


def check_command(words: list[str]) -> None:
    """Assert that a command of that name takes these flags."""
    module = pytest.importorskip(f"halocline.cli.{words[0]}_{words[1]}")
    flags = {name.replace("_", "-") for name in inspect.signature(getattr(module, words[1])).parameters}
    assert {word.removeprefix("--") for word in words if word.startswith("--")} <= flags


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_starts_a_command_that_there_is(root: Path, name: str) -> None:
    program, *words = shlex.split(unit(root, name)["ExecStart"][0])
    assert program == "/opt/halocline/bin/halocline"
    check_command(words)


@pytest.mark.parametrize("name", FILES)
def test_a_container_starts_a_command_that_there_is(root: Path, name: str) -> None:
    assert json.loads(instruction(root, name, "ENTRYPOINT")) == ["halocline"]
    check_command(json.loads(instruction(root, name, "CMD")))


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_understands_every_line_and_the_unit_is_closed_in(root: Path, name: str) -> None:
    path = str(root / "deploy" / "systemd" / name)
    told = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False)
    wrong = [line for line in told.stderr.splitlines() if name in line and "is not executable" not in line]
    assert wrong == []
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert rated.returncode == 0, rated.stdout[-300:]


def test_the_agent_of_unit_and_container_listens_where_programs_are_told_to_ask(
    root: Path, tmp_path: Path
) -> None:
    (tmp_path / "edge.toml").write_text(EDGE)
    places = {
        *unit(root, "halocline-agent.service")["Environment"],
        *instruction(root, "agent.Containerfile", "ENV").split(),
    }
    listens = {
        read_agent_file(tmp_path / "edge.toml", dict([each.split("=", 1)])).listen
        for each in places
        if each.startswith("HALOCLINE_AGENT")
    }
    assert listens == {"unix:/run/halocline/agent.sock"}


def test_the_agents_health_check_passes_where_it_serves_and_fails_where_nothing_does(
    root: Path, tmp_path: Path
) -> None:
    _, check = instruction(root, "agent.Containerfile", "HEALTHCHECK").split(" CMD ")
    program, *words = json.loads(check)
    assert program == "python"
    sock = tmp_path / "agent.sock"
    command = [sys.executable, *(word.replace("/run/halocline/agent.sock", str(sock)) for word in words)]

    def code() -> int:
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode

    assert code() != 0
    with serving(identity(tmp_path, "FP32"), uds=str(sock)):
        assert code() == 0


def test_the_agents_unit_hears_of_its_start_and_its_end(root: Path, tmp_path: Path) -> None:
    assert unit(root, "halocline-agent.service")["Type"] == ["notify"]
    identity(tmp_path, "FP32").rename(tmp_path / "edge.onnx")
    (tmp_path / "edge.toml").write_text(EDGE)
    program = [sys.executable, "-m", "halocline", "agent", "run", "--json"]
    settings = ["--state", str(tmp_path / "state"), "--config", str(tmp_path / "edge.toml")]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(60)
        environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
        with subprocess.Popen([*program, *settings], env=environment, stdout=subprocess.PIPE) as agent:
            try:
                assert sock.recv(100) == b"READY=1"
                agent.terminate()
                assert sock.recv(100) == b"STOPPING=1"
                assert agent.wait(60) == 0
            finally:
                agent.kill()


def test_the_hubs_health_check_is_a_program_that_python_can_read(root: Path) -> None:
    _, check = instruction(root, "hub.Containerfile", "HEALTHCHECK").split(" CMD ")
    compile(json.loads(check)[2], "health check", "exec")


def test_no_container_runs_as_root_and_state_is_on_a_volume(root: Path) -> None:
    for name in FILES:
        assert instruction(root, name, "USER") == "halocline"
        state = json.loads(instruction(root, name, "CMD"))[3]
        assert state in json.loads(instruction(root, name, "VOLUME"))
        assert os.path.isabs(state)
