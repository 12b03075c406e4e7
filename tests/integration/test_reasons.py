"""A hub that wants to know why takes no change by a person without a reason, over any route or command."""

import http.client
import json
import os
import ssl
import time

import pytest
from people_hub import people_hub
from terminal import Terminal

from halocline.adapters.asgi.doors.people_door import FLEET_ROUTES
from halocline.adapters.asgi.doors.people_routes import PEOPLE_ROUTES
from halocline.adapters.certificates.request import make_key, make_request
from halocline.cli import WRONG_USE
from halocline.hub import joining

CHANGES = [(method, path) for method, path, *_ in (*FLEET_ROUTES, *PEOPLE_ROUTES) if method != "GET"]
AT = {"{device}": "dev-abcdefghij234567", "{name}": "nobody", "{digest}": "sha256:00000000"}


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with people_hub(tmp_path_factory.mktemp("hub"), requires_reason=True) as hub:
        yield hub


def ask(hub, method, path, body):
    for place, value in AT.items():
        path = path.replace(place, value)
    port = int(hub.url.rpartition(":")[2])
    context = ssl.create_default_context(cafile=hub.ca)
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=30)
    try:
        headers = {"Authorization": f"Bearer {hub.token.read_text().strip()}"}
        connection.request(method, path, json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def audit(hub):
    with hub.store.look() as tx:
        return [link.entry for link in tx.audit()]


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize("reason", [None, "", " \t"])
def test_no_route_changes_anything_without_a_reason(hub, method, path, reason):
    before = audit(hub)
    status, said = ask(hub, method, path, {} if reason is None else {"reason": reason})
    assert (status, said["code"]) == (400, "HAL-785")
    assert "--reason" in said["error"]
    assert audit(hub) == before


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_with_a_reason_every_route_goes_on(hub, method, path):
    _, said = ask(hub, method, path, {"reason": "for a test"})
    assert said.get("code") != "HAL-785"


def test_a_long_list_of_serials_goes_on_with_a_reason(hub):
    serials = [f"SN-{at:012}" for at in range(10_000)]
    status, said = ask(hub, "POST", "/v1/invites", {"serials": serials, "reason": "for a test"})
    assert status == 201, said


def test_what_only_looks_needs_no_reason(hub):
    assert ask(hub, "GET", "/v1/me", {})[0] == 200


def test_every_command_that_changes_something_takes_a_reason(hub, capsys, monkeypatch, tmp_path):
    terminal = Terminal(capsys)
    monkeypatch.setenv("HALOCLINE_CONFIG", str(tmp_path / "config"))
    terminal.says("login", hub.url, "--ca", str(hub.ca), "--token", f"file:{hub.token}")
    waits = joining.join(
        hub.store,
        hub.authority,
        csr=make_request(make_key()),
        chance=os.urandom(joining.CHANCE_BYTES),
        now_s=time.time(),
    ).device.id
    changes = [
        ("user", "add", "anna", "--role", "viewer"),
        ("token", "create", "--user", "anna", "--ttl", "1h"),
        ("device", "invite"),
        ("device", "accept", waits),
        ("device", "label", waits, "type=cam"),
        ("device", "set", waits, "--model", "edge", "--threshold", "0.7"),
        ("device", "revoke", waits),
        ("user", "remove", "anna"),
    ]
    for number, words in enumerate(changes):
        assert "--reason" in terminal.fails(WRONG_USE, *words), words
        terminal.says(*words, "--reason", f"why {number}")
    reasons = [entry.reason for entry in audit(hub) if entry.reason.startswith("why ")]
    assert reasons == [f"why {number}" for number in range(len(changes))]
