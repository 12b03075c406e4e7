"""A setting can be taken back: one that a device refuses must not stand in the way of all that come after."""

import json

import pytest
from people_hub import people_hub
from terminal import Terminal
from test_device_commands import join, report

from halocline.cli import WRONG_USE
from halocline.fleet import ReportState


@pytest.fixture
def terminal(capsys):
    return Terminal(capsys)


@pytest.fixture
def hub(tmp_path, monkeypatch, terminal):
    monkeypatch.setenv("HALOCLINE_CONFIG", str(tmp_path / "config"))
    with people_hub(tmp_path) as hub:
        terminal.says("login", hub.url, "--ca", str(hub.ca), "--token", f"file:{hub.token}")
        yield hub


def test_a_mistyped_model_is_taken_back_and_the_next_change_holds(hub, terminal):
    device = join(hub, terminal.says("device", "invite").strip())
    terminal.says("device", "set", device, "--model", "egde", "--threshold", "0.9")
    report(hub, device, 1, 0.5, ReportState.REFUSED, "no model 'egde' is served here; there is edge")
    shown = terminal.says("device", "show", device)
    assert "--unset egde" in shown
    told = terminal.says("device", "set", device, "--unset", "egde", "--model", "edge", "--threshold", "0.9")
    assert "egde" not in told
    assert "2 wanted" in told
    desired = json.loads(terminal.says("device", "show", device, "--json"))["twin"]["desired"]
    assert desired == {"generation": 2, "settings": {"models": {"edge": {"threshold": 0.9}}}}
    with hub.store.look() as tx:
        (*_, last) = [each.entry for each in tx.audit() if each.entry.action == "twin.set"]
    assert last.details["unset"] == ["egde"]


def test_what_was_never_set_cannot_be_taken_back(hub, terminal):
    device = join(hub, terminal.says("device", "invite").strip())
    terminal.says("device", "set", device, "--model", "edge", "--threshold", "0.9")
    assert "set are: edge" in terminal.fails(WRONG_USE, "device", "set", device, "--unset", "egde")
    assert "nothing to change" in terminal.fails(WRONG_USE, "device", "set", device)


def test_a_model_that_the_device_does_not_serve_is_refused_with_the_nearest_name(hub, terminal):
    device = join(hub, terminal.says("device", "invite").strip())
    report(hub, device, 0, 0.5)
    words = ["device", "set", device, "--threshold", "0.9", "--model"]
    said = terminal.fails(WRONG_USE, *words, "egde")
    assert "it serves edge. Did you mean edge?" in said
    assert "HAL-778" in said
    assert json.loads(terminal.says("device", "show", device, "--json"))["twin"]["desired"]["generation"] == 0
    assert "it serves no such model" in terminal.says(*words, "later", "--force")


def test_of_a_device_that_has_not_reported_the_answer_says_so(hub, terminal):
    device = join(hub, terminal.says("device", "invite").strip())
    said = terminal.says("device", "set", device, "--model", "edge", "--threshold", "0.9")
    assert "it has not reported yet what it serves" in said
    report(hub, device, 1, 0.9)
    assert "not reported yet" not in terminal.says("device", "show", device)
