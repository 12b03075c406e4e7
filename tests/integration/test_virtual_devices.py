"""Virtual devices fill an empty hub in one command: they join, report, obey, and say what they are."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from hub_process import hub_process
from terminal import Terminal

from halocline.cli import NOT_TRUSTED, WRONG_USE


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with hub_process(tmp_path_factory.mktemp("virtual") / "hub") as hub:
        yield hub


@pytest.fixture
def terminal(hub, tmp_path, monkeypatch, capsys):
    """Of an admin who is signed in."""
    monkeypatch.setenv("HALOCLINE_CONFIG", str(tmp_path / "config"))
    terminal = Terminal(capsys)
    ca, token = hub.state / "ca.pem", hub.state / "admin.token"
    terminal.says("login", hub.people, "--ca", str(ca), "--token", f"file:{token}", "--name", "admin")
    return terminal


def listed(terminal, *flags):
    return json.loads(terminal.says("device", "list", "--json", *flags))["devices"]


def test_one_command_fills_a_hub_with_devices_that_report_and_say_that_they_are_virtual(terminal):
    words = ["device", "virtual", "--count", "3", "--label", "site=lab", "--once", "--json"]
    told = json.loads(terminal.says(*words))
    found = listed(terminal, "--label", "virtual=yes", "--label", "site=lab")
    assert sorted(told["devices"]) == [each["device"]["id"] for each in found]
    assert len({each["device"]["key"] for each in found}) == 3
    assert {each["device"]["facts"]["machine"] for each in found} == {"virtual"}
    assert all(each["twin"]["reported"]["models"] == {"edge": {"threshold": 0.8, "deadline_s": 0.3}}
               for each in found)  # fmt: skip


def test_they_obey_until_ctrl_c_and_are_out_then(hub, terminal):
    words = ["device", "virtual", "--count", "2", "--poll-s", "1", "--model", "edge", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "halocline", *words], stdout=subprocess.PIPE, env=dict(os.environ)
    )
    try:
        first, second = json.loads(process.stdout.readline())["devices"]
        terminal.says("device", "set", first, "--model", "edge", "--threshold", "0.9")
        until_s = time.monotonic() + 30
        while "1 applied" not in terminal.says("device", "show", first):
            assert time.monotonic() < until_s
        assert "threshold 0.9" in terminal.says("device", "show", first)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        process.stdout.close()
    states = {each["device"]["id"]: each["device"]["state"] for each in listed(terminal)}
    assert (states[first], states[second]) == ("revoked", "revoked")


def test_devices_of_a_state_folder_come_again(terminal, tmp_path):
    words = ["device", "virtual", "--count", "2", "--once", "--json", "--state", str(tmp_path / "kept")]
    assert terminal.says(*words) == terminal.says(*words)


@pytest.mark.parametrize(
    ("flags", "meant"),
    [(["--count", "0"], "--count"), (["--poll-s", "0.1"], "--poll-s"), (["--model", "a b"], "model")],
)
def test_what_cannot_be_is_refused_before_anything_joins(terminal, flags, meant):
    before = len(listed(terminal))
    assert meant in terminal.fails(WRONG_USE, "device", "virtual", "--once", *flags)
    assert len(listed(terminal)) == before


def test_who_may_not_invite_has_no_virtual_devices(hub, terminal, monkeypatch):
    terminal.says("user", "add", "vera", "--role", "viewer")
    monkeypatch.setenv("HELD", terminal.says("token", "create", "--user", "vera"))
    ca = str(hub.state / "ca.pem")
    terminal.says("login", hub.people, "--ca", ca, "--token", "env:HELD", "--name", "vera")
    assert "HAL-752" in terminal.fails(NOT_TRUSTED, "device", "virtual", "--once")
