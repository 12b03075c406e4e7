"""A token that is narrowed to some actions and devices does these alone, over every command and route."""

import json
import os
import time

import pytest
from people_hub import people_hub
from terminal import Terminal

from halocline.adapters.asgi.doors.people_door import FLEET_ROUTES
from halocline.adapters.certificates.request import make_key, make_request
from halocline.cli import NOT_TRUSTED, WRONG_USE
from halocline.hub import joining
from halocline.wire.invite import decode_invite


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with people_hub(tmp_path_factory.mktemp("hub")) as hub:
        yield hub


@pytest.fixture
def terminal(hub, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("HALOCLINE_CONFIG", str(tmp_path / "config"))
    terminal = Terminal(capsys)
    terminal.says("login", hub.url, "--ca", str(hub.ca), "--token", f"file:{hub.token}", "--name", "admin")
    return terminal


def joined(hub, terminal, *labels):
    words = [word for label in labels for word in ("--label", label)]
    made = decode_invite(terminal.says("device", "invite", *words, "--hub", "admin"))
    return joining.join(
        hub.store,
        hub.authority,
        csr=make_request(make_key()),
        invite=made.shown,
        chance=os.urandom(joining.CHANCE_BYTES),
        now_s=time.time(),
    ).device.id


def signed_in(hub, terminal, monkeypatch, name, *flags):
    """Commands speak by a new token of the admin's from now on."""
    text = terminal.says("token", "create", "--ttl", "1h", "--hub", "admin", *flags)
    monkeypatch.setenv("NARROW", text)
    terminal.says("login", hub.url, "--ca", str(hub.ca), "--token", "env:NARROW", "--name", name)


def test_a_scope_is_shown_and_holds(hub, terminal, monkeypatch):
    device = joined(hub, terminal)
    signed_in(hub, terminal, monkeypatch, "sees", "--scope", "device.see", "--scope", "device.accept")
    me = json.loads(terminal.says("whoami", "--json"))
    assert (me["role"], me["actions"], me["labels"]) == ("admin", ["device.see", "device.accept"], {})
    assert "device.see, device.accept" in terminal.says("whoami")
    assert device in terminal.says("device", "list")
    for words in (
        ("device", "revoke", device),
        ("device", "label", device, "a=b"),
        ("device", "invite"),
        ("user", "list"),
        ("token", "create", "--ttl", "1m"),
        ("token", "list"),
        ("audit", "list"),
    ):
        assert "not in the scope of this token" in terminal.fails(NOT_TRUSTED, *words), words
    rows = json.loads(terminal.says("token", "list", "--json", "--hub", "admin"))["tokens"]
    assert ["device.see", "device.accept"] in [row["actions"] for row in rows]
    assert "device.accept" in terminal.says("token", "list", "--hub", "admin")


def test_labels_hide_the_other_devices_from_every_command(hub, terminal, monkeypatch):
    mine, other = joined(hub, terminal, "region=eu"), joined(hub, terminal, "region=us")
    signed_in(hub, terminal, monkeypatch, "europe", "--label", "region=eu")
    assert "where region=eu" in terminal.says("whoami")
    listed = json.loads(terminal.says("device", "list", "--json"))["devices"]
    assert [each["device"]["id"] for each in listed] == [mine]
    assert json.loads(terminal.says("device", "list", "--json", "--label", "region=us"))["devices"] == []
    assert json.loads(terminal.says("hub", "status", "--json"))["devices"]["enrolled"] == 1
    terminal.says("device", "label", mine, "type=cam")
    terminal.says("device", "set", mine, "--poll-s", "30")
    for words in (
        ("device", "show", other),
        ("device", "label", other, "type=cam"),
        ("device", "set", other, "--poll-s", "30"),
        ("device", "revoke", other),
        ("device", "accept", other),
        ("device", "replace", other, mine),
        ("device", "replace", mine, other),
    ):
        assert "HAL-748" in terminal.fails(WRONG_USE, *words), words
    for words in (
        ("device", "label", mine, "region=us"),
        ("device", "invite"),
        ("device", "invite", "--label", "region=us"),
        ("user", "add", "eve", "--role", "admin"),
        ("audit", "list"),
    ):
        assert "HAL-752" in terminal.fails(NOT_TRUSTED, *words), words
    assert terminal.says("device", "invite", "--label", "region=eu", "--label", "type=mic")
    assert "region=eu" in terminal.says("device", "show", mine, "--hub", "admin")


def test_every_route_about_a_device_is_shut_for_who_may_not_know_of_it(hub, terminal, monkeypatch):
    """Also one that comes later: the door looks, not each handler."""
    from test_people_door import Caller

    other = joined(hub, terminal, "region=us")
    text = terminal.says("token", "create", "--ttl", "1h", "--label", "region=eu", "--hub", "admin")
    for method, path, *_ in FLEET_ROUTES:
        if "{device}" in path:
            asked = Caller(hub).ask(method, path.replace("{device}", other), b"{}", text)
            assert (asked[0], json.loads(asked[1])["code"]) == (404, "HAL-748"), path


def test_a_narrowed_token_makes_none_that_is_broader(hub, terminal, monkeypatch):
    scope = ("--scope", "device.see", "--scope", "token.own")
    signed_in(hub, terminal, monkeypatch, "narrow", *scope, "--label", "region=eu")
    for flags in (("--scope", "device.revoke"), ("--label", "region=us")):
        assert "HAL-752" in terminal.fails(NOT_TRUSTED, "token", "create", "--ttl", "1m", *flags), flags
    assert "HAL-786" in terminal.fails(WRONG_USE, "token", "create", "--ttl", "1m", "--scope", "fly")
    made = json.loads(terminal.says("token", "create", "--ttl", "1m", "--label", "type=cam", "--json"))
    assert (set(made["actions"]), made["labels"]) == (
        {"device.see", "token.own"},
        {"region": "eu", "type": "cam"},
    )
