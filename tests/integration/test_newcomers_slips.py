"""What newcomers get wrong on their way to a first device is answered with what to do instead."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from device_hub import DeviceHub
from people_hub import people_hub
from terminal import Terminal

from halocline.cli import NOT_TRUSTED, TRY_AGAIN, WRONG_USE, main

FILE = """
[model.edge]
edge = "edge.onnx"
cloud = "hub:cloud"
leaves = "samples"
"""


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capsys)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[DeviceHub]:
    (tmp_path / "hub").mkdir()
    with DeviceHub(tmp_path / "hub").open() as hub:
        yield hub


def asking(url: str, fingerprint: str, state: Path) -> list[str]:
    return ["agent", "join", "--hub", url, "--fingerprint", fingerprint, "--state", str(state), "--wait", "0"]


def test_an_invite_is_read_from_standard_input_and_a_slip_in_an_option_is_no_invite(
    hub: DeviceHub, tmp_path: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no option --stat" in terminal.fails(WRONG_USE, "agent", "join", "--stat")
    monkeypatch.setattr("sys.stdin", io.StringIO(hub.invite(uses=1) + "\n"))
    assert main(["agent", "join", "-", "--state", str(tmp_path / "dev")]) == 0
    assert len(hub.devices()) == 1


def test_the_peoples_door_taken_for_the_joining_one_is_recognised(tmp_path: Path, terminal: Terminal) -> None:
    with people_hub(tmp_path) as hub:
        said = terminal.fails(NOT_TRUSTED, *asking(hub.url, hub.fingerprint, tmp_path / "dev"))
    assert "joining" in said
    assert "8445" in said


def test_the_devices_door_taken_for_the_joining_one_is_recognised(
    hub: DeviceHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # TLS 1.3 refuses a client after the handshake: its words may be lost with the connection.
    code = main(asking(hub.channel, hub.authority.fingerprint, tmp_path / "dev"))
    assert code in (NOT_TRUSTED, TRY_AGAIN)
    assert "8445" in capsys.readouterr().err


def test_a_device_that_waits_to_be_accepted_says_so(
    hub: DeviceHub, tmp_path: Path, terminal: Terminal
) -> None:
    assert main(asking(hub.join, hub.authority.fingerprint, tmp_path / "dev")) == TRY_AGAIN
    said = terminal.fails(WRONG_USE, "agent", "status", "--state", str(tmp_path / "dev"))
    assert f"asked to join {hub.join}" in said
    assert "device accept" in said


def test_an_agent_without_an_identity_names_the_folder_where_it_looked(
    tmp_path: Path, terminal: Terminal
) -> None:
    (tmp_path / "edge.toml").write_text(FILE)
    state = tmp_path / "mistyped"
    said = terminal.fails(
        WRONG_USE, "agent", "run", "--state", str(state), "--config", str(tmp_path / "edge.toml")
    )
    assert f"{state} holds no identity" in said
    assert f"agent join INVITE --state {state}" in said
    assert not state.exists(), "a slip makes no folder"


def test_an_agent_without_a_configuration_is_told_how_to_have_one_written(
    tmp_path: Path, terminal: Terminal
) -> None:
    absent = tmp_path / "edge.toml"
    said = terminal.fails(
        WRONG_USE, "agent", "run", "--state", str(tmp_path / "dev"), "--config", str(absent)
    )
    assert f"agent config --example > {absent}" in said


def test_agent_config_takes_the_file_as_agent_run_does(tmp_path: Path, terminal: Terminal) -> None:
    (tmp_path / "edge.toml").write_text(FILE)
    named = terminal.says("agent", "config", "--config", str(tmp_path / "edge.toml"))
    assert terminal.says("agent", "config", str(tmp_path / "edge.toml")) == named


def test_a_configuration_that_is_checked_can_be_run(tmp_path: Path, terminal: Terminal) -> None:
    file = tmp_path / "edge.toml"
    file.write_text(FILE)
    said = terminal.fails(WRONG_USE, "agent", "config", str(file), "--check")
    assert f"model.edge.edge: {tmp_path / 'edge.onnx'} does not exist" in said
    (tmp_path / "edge.onnx").touch()
    terminal.says("agent", "config", str(file), "--check")
    file.write_text('[agent]\nlisten = "0.0.0.0:8600"' + FILE)
    said = terminal.fails(WRONG_USE, "agent", "config", str(file), "--check")
    assert f"{file}: agent.listen must be unix:PATH or 127.0.0.1:PORT" in said


@pytest.mark.parametrize(
    ("flags", "meant"),
    [(["--ttl", "0s"], "--ttl"), (["--ttl", "4000d"], "366 d"), (["--uses", "0"], "--uses")],
)
def test_an_invite_out_of_range_names_the_flag_and_the_range_as_people_write_them(
    tmp_path: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, flags: list[str], meant: str
) -> None:
    monkeypatch.setenv("HALOCLINE_CONFIG", str(tmp_path / "config"))
    with people_hub(tmp_path) as hub:
        terminal.says("login", hub.url, "--ca", str(hub.ca), "--token", f"file:{hub.token}")
        said = terminal.fails(WRONG_USE, "device", "invite", *flags)
    assert meant in said
    assert "e+07" not in said
