"""Installers, operators, auditors and viewers do their work by commands, on a hub as users start it."""

import contextlib
import json
import re
import subprocess
import sys

import pytest
from hub_process import hub_process
from terminal import Terminal

from halocline.cli import NOT_TRUSTED, WRONG_USE

ASKS = re.compile(r"(dev-[a-z2-7]{16}) asks to join, with the code (\S+);")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with hub_process(tmp_path_factory.mktemp("work") / "hub") as hub:
        yield hub


@pytest.fixture
def people(hub, capsys, monkeypatch, tmp_path):
    """Signs somebody in, and says by which flag they speak."""
    monkeypatch.setenv("HALOCLINE_CONFIG", str(tmp_path / "config"))
    terminal = Terminal(capsys)

    def sign_in(name, held):
        ca = str(hub.state / "ca.pem")
        terminal.says("login", hub.people, "--ca", ca, "--token", held, "--name", name)
        return ("--hub", name)

    def someone(name, *role):
        terminal.says("user", "add", name, *role, *admin)
        monkeypatch.setenv("HELD", terminal.says("token", "create", "--user", name, "--ttl", "1h", *admin))
        return sign_in(name, "env:HELD")

    admin = sign_in("admin", f"file:{hub.state / 'admin.token'}")
    terminal.admin = admin
    terminal.someone = someone
    yield terminal
    for each in json.loads(terminal.says("user", "list", "--json", *admin))["people"]:
        if each["name"] != "admin":
            terminal.says("user", "remove", each["name"], *admin)


@contextlib.contextmanager
def asking(hub, state, *labels):
    """A device that asks without an invite, and waits: its id, its code, and its process."""
    words = ["agent", "join", "--hub", hub.join, "--fingerprint", hub.told["fingerprint"]]
    words += ["--state", str(state), "--wait", "60s", *(w for label in labels for w in ("--label", label))]
    with subprocess.Popen(
        [sys.executable, "-m", "halocline", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            device, code = ASKS.search(process.stderr.readline()).groups()
            yield device, code, process
        finally:
            process.kill()


def pending(terminal, who):
    return [
        each["device"] for each in json.loads(terminal.says("device", "pending", "--json", *who))["devices"]
    ]


def test_an_installer_lets_in_what_asks_for_the_own_site_and_sees_nothing_else(hub, people, tmp_path):
    ines = people.someone("ines", "--role", "installer", "--site", "north")
    with (
        asking(hub, tmp_path / "mine", "site=north", "type=cam") as (mine, code, process),
        asking(hub, tmp_path / "other", "site=south") as (other, *_),
        asking(hub, tmp_path / "plain") as (plain, *_),
    ):
        assert {mine, other, plain} <= {each["id"] for each in pending(people, people.admin)}
        (seen,) = pending(people, ines)
        assert (seen["id"], seen["code"]) == (mine, code)
        assert (seen["labels"], seen["asked"]) == ({}, {"site": "north", "type": "cam"})
        said = people.says("device", "show", mine, *ines)
        assert re.search(r"labels +none", said)
        assert re.search(r"asks for +site=north type=cam", said)
        for device in (other, plain):
            assert "HAL-748" in people.fails(WRONG_USE, "device", "accept", device, "--as-asked", *ines)
        assert "site=north" in people.fails(NOT_TRUSTED, "device", "accept", mine, *ines)
        south = ("--as-asked", "--label", "site=south")
        assert "HAL-752" in people.fails(NOT_TRUSTED, "device", "accept", mine, *south, *ines)
        assert "another device" in people.fails(WRONG_USE, "device", "accept", mine, "--code", "X", *ines)
        accepted = people.says("device", "accept", mine, "--code", code, "--as-asked", "--json", *ines)
        device = json.loads(accepted)["device"]
        assert (device["state"], device["labels"]) == ("enrolled", {"site": "north", "type": "cam"})
        assert device["asked"] == {}
        process.kill()
        process.wait(30)
        words = ("--hub", hub.join, "--fingerprint", hub.told["fingerprint"], "--label", "site=north")
        said = people.says("agent", "join", *words, "--state", str(tmp_path / "mine"))
        assert f"as {mine}" in said, "asked again, it is in"
        assert "HAL-752" in people.fails(NOT_TRUSTED, "device", "revoke", mine, *ines)
        assert "HAL-752" in people.fails(NOT_TRUSTED, "device", "label", mine, "site=south", *ines)
        assert pending(people, ines) == []
        for device in (other, plain):
            people.says("device", "revoke", device, *people.admin)
    entries = json.loads(people.says("audit", "list", "--object", mine, "--json", *people.admin))["entries"]
    told = {entry["entry"]["action"]: entry["entry"] for entry in entries}
    assert told["device.ask"]["details"]["labels"] == {"site": "north", "type": "cam"}
    assert told["device.accept"]["actor"] == "person:ines"


def test_an_operator_accepts_without_believing_what_was_asked(hub, people, tmp_path):
    olga = people.someone("olga", "--role", "operator")
    with asking(hub, tmp_path / "dev", "site=north") as (device, *_):
        assert "site=north" in people.says("device", "pending", *olga)
        people.says("device", "accept", device, "--label", "type=mic", *olga)
    shown = json.loads(people.says("device", "show", device, "--json", *olga))["device"]
    assert (shown["labels"], shown["asked"]) == ({"type": "mic"}, {})
    people.says("device", "label", device, "region=eu", "--reason", "moved", *olga)
    people.says("device", "set", device, "--poll-s", "30", *olga)
    people.says("device", "revoke", device, "--reason", "lost", *olga)
    for words in (("user", "list"), ("audit", "list"), ("user", "add", "eve", "--role", "admin")):
        assert "HAL-752" in people.fails(NOT_TRUSTED, *words, *olga), words


def test_who_only_looks_changes_nothing_and_who_audits_reads_the_log(hub, people):
    vera = people.someone("vera", "--role", "viewer")
    axel = people.someone("axel", "--role", "auditor")
    for who in (vera, axel):
        people.says("device", "list", *who)
        people.says("hub", "status", *who)
        assert "HAL-752" in people.fails(NOT_TRUSTED, "device", "invite", *who)
    assert "HAL-752" in people.fails(NOT_TRUSTED, "audit", "list", *vera)
    assert "user.add" in people.says("audit", "list", *axel)


@pytest.mark.parametrize("label", ["site", "si te=north", "site=" + "x" * 70, "?site=north"])
def test_a_device_cannot_ask_for_what_is_no_label(hub, tmp_path, capsys, label):
    terminal = Terminal(capsys)
    words = ("agent", "join", "--hub", hub.join, "--fingerprint", hub.told["fingerprint"])
    said = terminal.fails(WRONG_USE, *words, "--state", str(tmp_path / "dev"), "--label", label)
    assert "HAL-102" in said
    assert not (tmp_path / "dev" / "identity").exists()


def test_an_invite_says_the_labels_itself(hub, people, tmp_path):
    made = people.says("device", "invite", *people.admin)
    said = people.fails(WRONG_USE, "agent", "join", made, "--state", str(tmp_path / "x"), "--label", "a=b")
    assert "leave out --label" in said
