"""What a person at a terminal can do with devices, against a real door over TLS."""

import http.client
import json
import os
import ssl
import threading
import time

import pytest
from people_hub import people_hub
from terminal import Terminal

from halocline.adapters.certificates.request import make_key, make_request
from halocline.cli import NOT_TRUSTED, TRY_AGAIN, WRONG_USE
from halocline.errors import Untrusted
from halocline.fleet import Facts, ModelSettings, Reported, ReportState
from halocline.hub import joining, twins
from halocline.wire.invite import decode_invite

NOBODY = "dev-aaaaaaaaaaaaaaaa"


@pytest.fixture
def terminal(capsys):
    return Terminal(capsys)


@pytest.fixture
def says(terminal):
    return terminal.says


@pytest.fixture
def fails(terminal):
    return terminal.fails


@pytest.fixture
def hub(tmp_path, monkeypatch, says):
    """A hub that an admin is signed in to."""
    monkeypatch.setenv("HALOCLINE_CONFIG", str(tmp_path / "config"))
    with people_hub(tmp_path) as hub:
        says("login", hub.url, "--ca", str(hub.ca), "--token", f"file:{hub.token}", "--name", "admin")
        yield hub


def sign_in(hub, says, monkeypatch, name, *flags):
    """Another person, whose context has their name."""
    says("user", "add", name, *flags, "--hub", "admin")
    monkeypatch.setenv("HELD", says("token", "create", "--user", name, "--hub", "admin"))
    says("login", hub.url, "--ca", str(hub.ca), "--token", "env:HELD", "--name", name)


def join(hub, invite="", **facts):
    """A device's first steps; its id."""
    return joining.join(
        hub.store,
        hub.authority,
        csr=make_request(make_key()),
        invite=decode_invite(invite).shown if invite else "",
        facts=Facts(**facts),
        chance=os.urandom(joining.CHANCE_BYTES),
        now_s=time.time(),
    ).device.id


def report(hub, device, generation, threshold, state=ReportState.APPLIED, reason=""):
    models = {"edge": ModelSettings(threshold=threshold)}
    said = Reported(generation=generation, state=state, reason=reason, models=models, boot=1)
    twins.report(hub.store, device, said, now_s=time.time())


def test_an_invite_is_one_string_by_which_a_device_joins_with_its_labels(hub, says):
    printed = says("device", "invite", "--ttl", "1h", "--label", "type=cam", "--label", "region=eu")
    invitation = decode_invite(printed)
    assert len(printed.splitlines()) == 1
    assert invitation.url == "https://localhost:8445"
    assert invitation.fingerprint == hub.authority.fingerprint
    device = join(hub, printed, serial="S1")
    told = json.loads(says("device", "show", device, "--json"))
    assert told["version"] == 1
    assert told["device"]["labels"] == {"type": "cam", "region": "eu"}
    assert told["device"]["state"] == "enrolled"
    assert "S1" in says("device", "show", device)


def test_an_invite_for_serials_has_as_many_uses(hub, says, tmp_path):
    (tmp_path / "devices.csv").write_text("serial\nA1\nB2\n")
    made = json.loads(says("device", "invite", "--serials", str(tmp_path / "devices.csv"), "--json"))
    assert made["uses"] == 2
    assert join(hub, made["invite"], serial="A1").startswith("dev-")


def test_an_invite_lists_tens_of_thousands_of_serials_for_a_month(hub, says, fails, tmp_path):
    path, count = tmp_path / "devices.csv", 40_000
    path.write_text("model;serial\n" + "".join(f'cam;"SN-{at:012}"\n' for at in range(count)))
    made = json.loads(says("device", "invite", "--serials", str(path), "--ttl", "30d", "--json"))
    assert made["uses"] == count
    assert made["expires_s"] == pytest.approx(time.time() + 30 * 86_400, abs=60)
    for serial in ("SN-000000000000", f"SN-{count - 1:012}"):
        assert join(hub, made["invite"], serial=serial).startswith("dev-")
    for serial in ("SN-000000000000", "SN-x"):  # used, and not listed
        with pytest.raises(Untrusted, match="HAL-713"):
            join(hub, made["invite"], serial=serial)
    path.write_text("serial\nA1\nB2\nA1\n")
    assert "line 4: A1 stands in line 2 already" in fails(
        WRONG_USE, "device", "invite", "--serials", str(path)
    )


def test_only_an_invite_may_be_as_large(hub, says):
    body = json.dumps({"labels": {}, "reason": "x" * 100_000}).encode()
    context = ssl.create_default_context(cafile=hub.ca)
    headers = {"Authorization": f"Bearer {hub.token.read_text().strip()}"}
    for path, status in ((f"/v1/devices/{NOBODY}/accept", 413), ("/v1/invites", 201)):
        port = int(hub.url.rpartition(":")[2])
        connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=30)
        connection.request("POST", path, body, headers)
        assert connection.getresponse().status == status
        connection.close()


def test_devices_are_found_by_label_silence_and_state(hub, says):
    cam = join(hub, says("device", "invite", "--label", "type=cam"))
    mic = join(hub, says("device", "invite", "--label", "type=mic"))
    waiting = join(hub)
    report(hub, cam, 0, 0.5)

    def found(*flags):
        return {
            each["device"]["id"] for each in json.loads(says("device", "list", "--json", *flags))["devices"]
        }

    assert found() == {cam, mic, waiting}
    assert found("--label", "type=cam") == {cam}
    assert found("--silent", "1h") == {mic, waiting}
    assert found("--state", "pending") == {waiting}
    assert found("--state", "enrolled", "--label", "type=mic") == {mic}
    table = says("device", "list", "--label", "type=cam")
    assert "type=cam" in table
    assert "ago" in table
    assert "never" in says("device", "list", "--label", "type=mic")
    assert says("device", "list", "--label", "type=lamp") == "no device is like that"


def test_a_device_that_waits_is_let_in_after_its_code_was_compared(hub, says, fails):
    waiting = join(hub, serial="S9")
    listed = json.loads(says("device", "pending", "--json"))["devices"][0]["device"]
    assert listed["id"] == waiting
    assert listed["code"] in says("device", "pending")
    assert "shows" in fails(WRONG_USE, "device", "accept", waiting, "--code", "wrong")
    assert json.loads(says("device", "show", waiting, "--json"))["device"]["state"] == "pending"
    says("device", "accept", waiting, "--code", listed["code"], "--label", "region=eu")
    told = json.loads(says("device", "show", waiting, "--json"))["device"]
    assert (told["state"], told["labels"]) == ("enrolled", {"region": "eu"})
    assert says("device", "pending") == "no device waits"


def test_labels_are_set_and_taken_away_and_the_others_stay(hub, says):
    device = join(hub, says("device", "invite", "--label", "type=cam", "--label", "old=1"))
    says("device", "label", device, "region=eu", "--remove", "old", "--reason", "moved")
    told = json.loads(says("device", "show", device, "--json"))
    assert told["device"]["labels"] == {"type": "cam", "region": "eu"}


def test_a_setting_is_wanted_then_applied_or_refused_with_the_reason(hub, says):
    device = join(hub, says("device", "invite"))
    report(hub, device, 0, 0.5)
    assert "wanted 0.9" in says("device", "set", device, "--model", "edge", "--threshold", "0.9")
    assert "1 wanted, 0 reported" in says("device", "show", device)
    report(hub, device, 1, 0.9)
    shown = says("device", "show", device)
    assert "1 applied" in shown
    assert "threshold 0.9" in shown
    assert "wanted" not in shown
    says("device", "set", device, "--model", "absent", "--threshold", "0.8", "--force")
    report(hub, device, 2, 0.9, ReportState.REFUSED, "there is no model absent")
    assert "2 refused: there is no model absent" in says("device", "show", device)


def test_a_revoked_device_is_out_and_told_nothing_any_more(hub, says, fails):
    device = join(hub, says("device", "invite"))
    says("device", "revoke", device, "--reason", "stolen")
    assert json.loads(says("device", "show", device, "--json"))["device"]["state"] == "revoked"
    assert "HAL-747" in fails(WRONG_USE, "device", "set", device, "--poll-s", "10")
    assert "HAL-748" in fails(WRONG_USE, "device", "revoke", NOBODY)


def test_a_cohort_is_set_by_its_label_and_nobody_else(hub, says, fails):
    invite = says("device", "invite", "--uses", "2", "--label", "region=eu")
    cohort = {join(hub, invite), join(hub, invite)}
    other = join(hub, says("device", "invite"))
    join(hub)  # it waits to be accepted, and is told nothing
    assert "2 devices" in says("device", "set", "--label", "region=eu", "--long-poll", "30s")
    for device in cohort:
        assert "30 s at the hub" in says("device", "show", device)
    assert "at the hub" not in says("device", "show", other)
    assert "nothing is changed" in says("device", "set", "--label", "region=us", "--poll-s", "10")
    assert "HAL-102" in fails(WRONG_USE, "device", "set", "--long-poll", "30s")
    assert "HAL-101" in fails(WRONG_USE, "device", "set", other, "--long-poll", "1h")


def test_a_replacement_stands_in_the_place_of_the_old_device_which_is_out(hub, says, fails):
    old = join(hub, says("device", "invite", "--label", "site=ulm", "--label", "type=cam"))
    new = join(hub, says("device", "invite", "--label", "type=mic"))
    says("device", "set", old, "--model", "edge", "--threshold", "0.9")
    shown = says("device", "replace", old, new, "--reason", "broken lens")
    assert old in shown.partition("replaces")[2]
    told = json.loads(says("device", "show", new, "--json"))
    assert told["device"]["labels"] == {"site": "ulm", "type": "cam"}
    assert told["twin"]["desired"]["settings"] == {"models": {"edge": {"threshold": 0.9}}}
    assert json.loads(says("device", "show", old, "--json"))["device"]["state"] == "replaced"
    assert json.loads(says("device", "replace", old, new, "--json")) == told
    third = join(hub, says("device", "invite"))
    assert "was replaced already" in fails(WRONG_USE, "device", "replace", old, third)
    with hub.store.look() as tx:
        said = [link.entry for link in tx.audit() if link.entry.action == "device.replace"]
    assert [(each.outcome, each.object) for each in said] == [("done", old), ("refused", old)]
    assert (said[0].actor, said[0].reason, said[0].details) == (
        "person:admin",
        "broken lens",
        {"by": new},
    )


def test_a_device_is_replaced_by_another_that_has_joined_alone(hub, says, fails):
    old, waiting = join(hub, says("device", "invite")), join(hub)
    assert "is pending, not enrolled" in fails(WRONG_USE, "device", "replace", old, waiting)
    assert "cannot replace itself" in fails(WRONG_USE, "device", "replace", old, old)
    assert f"no device {NOBODY}" in fails(WRONG_USE, "device", "replace", old, NOBODY)
    assert "HAL-102" in fails(WRONG_USE, "device", "replace", old, "cam-2")
    assert json.loads(says("device", "show", old, "--json"))["device"]["state"] == "enrolled"


def test_what_is_waited_for_ends_the_wait_and_a_timeout_has_its_exit_code(hub, says, fails):
    invite = says("device", "invite", "--label", "type=cam")
    asked = ["device", "wait", "--label", "type=cam"]
    assert "0 of 1" in fails(TRY_AGAIN, *asked, "--for", "enrolled", "--timeout", "1s")
    device = join(hub, invite)
    assert device in says(*asked, "--for", "enrolled", "--timeout", "1m")
    assert "HAL-758" in fails(TRY_AGAIN, "device", "wait", device, "--timeout", "1s")
    late = threading.Timer(0.5, report, (hub, device, 0, 0.5))
    late.start()
    assert json.loads(says("device", "wait", device, "--for", "ready", "--json"))["devices"]
    late.join()
    says("device", "set", device, "--model", "edge", "--threshold", "0.9")
    fails(TRY_AGAIN, "device", "wait", device, "--for", "ready", "--timeout", "1s")
    assert "HAL-748" in fails(WRONG_USE, "device", "wait", NOBODY, "--timeout", "1s")


def test_a_hub_that_is_away_is_waited_for_and_named_at_the_end(tmp_path, monkeypatch, says, fails):
    monkeypatch.setenv("HALOCLINE_CONFIG", str(tmp_path / "config"))
    with people_hub(tmp_path) as hub:
        says("login", hub.url, "--ca", str(hub.ca), "--token", f"file:{hub.token}")
        device = join(hub, says("device", "invite"))
    assert "HAL-721" in fails(TRY_AGAIN, "device", "wait", device, "--timeout", "1s")


def test_the_hub_says_how_it_is(hub, says):
    join(hub, says("device", "invite"))
    told = json.loads(says("hub", "status", "--json"))
    assert told["devices"]["enrolled"] == 1
    assert told["ca_fingerprint"] == hub.authority.fingerprint
    assert "1 enrolled" in says("hub", "status")


def test_a_viewer_sees_and_changes_nothing(hub, says, fails, monkeypatch):
    device = join(hub, says("device", "invite"))
    sign_in(hub, says, monkeypatch, "vera", "--role", "viewer")
    says("device", "show", device)
    for words in (
        ["device", "invite"],
        ["device", "label", device, "a=b"],
        ["device", "set", device, "--poll-s", "10"],
        ["device", "revoke", device],
        ["device", "replace", device, NOBODY],
        ["device", "accept", device],
        ["user", "add", "eve", "--role", "admin"],
        ["token", "create", "--user", "admin", "--ttl", "1h"],
    ):
        assert "HAL-752" in fails(NOT_TRUSTED, *words)
    with hub.store.look() as tx:
        refused = [link.entry.action for link in tx.audit() if link.entry.outcome == "refused"]
    assert len(refused) == 8


def test_an_installer_lets_in_the_devices_of_one_site_and_knows_no_others(hub, says, fails, monkeypatch):
    here, there = join(hub), join(hub)
    says("device", "label", here, "site=ulm")
    says("device", "label", there, "site=bonn")
    sign_in(hub, says, monkeypatch, "ida", "--role", "installer", "--site", "ulm")
    listed = json.loads(says("device", "list", "--json"))["devices"]
    assert [each["device"]["id"] for each in listed] == [here]
    assert "HAL-748" in fails(WRONG_USE, "device", "show", there)
    assert "HAL-748" in fails(WRONG_USE, "device", "accept", there)
    assert "HAL-752" in fails(NOT_TRUSTED, "device", "accept", here, "--label", "site=bonn")
    assert says("device", "list", "--label", "site=bonn") == "no device is like that"
    assert "1 pending" in says("hub", "status")
    says("device", "accept", here)
    with hub.store.look() as tx:
        assert [tx.device(each).state for each in (here, there)] == ["enrolled", "pending"]


def test_every_change_has_its_entry_with_who_and_why(hub, says):
    device = join(hub, says("device", "invite"))
    says("device", "set", device, "--poll-s", "10", "--reason", "quiet")
    says("device", "revoke", device, "--reason", "stolen")
    with hub.store.look() as tx:
        entries = [link.entry for link in tx.audit()]
    said = [(each.action, each.actor, each.reason) for each in entries if each.object == device]
    assert ("twin.set", "person:admin", "quiet") in said
    assert ("device.revoke", "person:admin", "stolen") in said
    assert said[-1][0] == "device.revoke"
