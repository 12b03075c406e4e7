"""The promises of `halocline doctor` at both ends: a device, a hub and a person, each told what is wrong."""

import json
import shutil
import sqlite3
import time
from pathlib import Path

import pytest
from commands import output, run
from doors import authority, listening
from hub_process import Answer, HubProcess, hub_process
from test_connect import connect_proxy

from halocline.adapters.device_folder.memory import DeviceMemory
from halocline.cli import FAILED, main
from halocline.cli.checks import Status
from halocline.cli.checks.device import check_device
from halocline.cli.checks.hub_state import check_hub
from halocline.cli.checks.person import check_person
from halocline.decide.trusted_time import TrustedTime

HUB = "hub.example"


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with hub_process(tmp_path_factory.mktemp("doctor") / "hub", "--name", HUB) as hub:
        yield hub


@pytest.fixture(scope="module")
def joined(hub: HubProcess, tmp_path_factory) -> Path:
    """A device of the hub, which it knows as hub.example."""
    return join(hub, tmp_path_factory.mktemp("device") / "dev")


def join(hub: HubProcess, state: Path) -> Path:
    """Join by way of a proxy that knows where hub.example is."""
    invite = as_admin(hub, "POST", "/v1/invites", {}).said["invite"]
    with pytest.MonkeyPatch.context() as patch, connect_proxy(0) as (port, _):
        patch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        assert main(["agent", "join", invite, "--state", str(state)]) == 0
    return state


@pytest.fixture
def device(hub: HubProcess, joined: Path, tmp_path: Path) -> Path:
    """A copy of the device that reaches the hub as localhost, and may be damaged."""
    state = tmp_path / "dev"
    shutil.copytree(joined, state)
    moved(state, hub.device, hub.join)
    return state


def as_admin(hub: HubProcess, method: str, path: str, body: dict) -> Answer:
    """As `hub.as_admin`, but by a name that is this machine's."""
    with hub.client(f"https://localhost:{port_of(hub.people)}") as client:
        return client.ask(method, path, body, hub.bearer)


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def moved(state: Path, channel: str, join: str) -> None:
    """Let the device look for its hub there."""
    places = state / "identity" / "hub.json"
    local = [f"https://localhost:{port_of(url)}" if HUB in url else url for url in (channel, join)]
    known = json.loads(places.read_bytes())
    places.write_text(json.dumps({**known, "channel": local[0], "join": local[1]}))


def named(checks):
    """Each check by its name without the first word."""
    found = {check.name.partition(" ")[2]: check for check in checks}
    for check in found.values():
        assert "\n" not in check.detail
        assert bool(check.fix) == (check.status is not Status.OK)
    return found


def device_checks(state: Path, config: Path | None = None):
    return named(check_device(state, config, 5.0))


def hub_checks(hub: HubProcess, state: Path | None = None):
    return named(check_hub(state or hub.state, [port_of(url) for url in (hub.device, hub.people, hub.join)]))


def test_a_device_in_order_passes_every_check(device: Path) -> None:
    found = device_checks(device)
    assert list(found) == [
        "files",
        "disk",
        "identity",
        "key",
        "certificate",
        "proxy",
        "door",
        "clock",
        "join door",
        "agent",
    ]
    assert {check.status for check in found.values()} == {Status.OK}
    assert "dev-" in found["identity"].detail
    assert "none" in found["proxy"].detail
    assert "does not run" in found["agent"].detail


def test_a_device_that_joined_nothing_is_told_how(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    found = device_checks(tmp_path)
    assert found["identity"].status is Status.FAIL
    assert "halocline agent join" in found["identity"].fix


def test_files_that_others_may_read_are_named(device: Path) -> None:
    (device / "identity" / "key.pem").chmod(0o644)
    found = device_checks(device)
    assert found["files"].status is Status.FAIL
    assert "key.pem (mode 644)" in found["files"].detail
    assert "chmod" in found["files"].fix


def test_a_key_of_another_device_is_found_out(device: Path) -> None:
    from halocline.adapters.certificates.request import make_key

    (device / "identity" / "key.pem").write_bytes(make_key())
    assert device_checks(device)["key"].status is Status.FAIL


def test_a_certificate_is_judged_by_the_time_that_has_surely_passed_not_by_the_clock(device: Path) -> None:
    """The machine's clock is right here, and the hub has vouched for a time two days ahead."""
    memory = DeviceMemory(device / "state.db")
    memory.keep_time(TrustedTime(passed_s=time.time() + 2 * 86_400))
    memory.close()
    certificate = device_checks(device)["certificate"]
    assert certificate.status is Status.WARN
    assert "it ended on" in certificate.detail


def test_a_clock_that_is_off_is_told_and_no_fault(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = time.time
    monkeypatch.setattr("halocline.cli.checks.door.time.time", lambda: now_s() + 4000.0)
    clock = device_checks(device)["clock"]
    assert clock.status is Status.WARN
    assert "4000 s ahead of" in clock.detail


def test_a_hub_that_is_away_is_told_at_each_door(device: Path) -> None:
    moved(device, "https://localhost:1", "https://localhost:1")
    found = device_checks(device)
    assert (found["door"].status, found["join door"].status) == (Status.FAIL, Status.FAIL)
    assert "no answer from https://localhost:1" in found["door"].detail
    assert "clock" not in found


def test_a_revoked_device_is_told_so(hub: HubProcess, tmp_path: Path) -> None:
    lone = join(hub, tmp_path / "lone")
    moved(lone, hub.device, hub.join)
    name = json.loads((lone / "identity" / "hub.json").read_bytes())["device"]
    assert as_admin(hub, "POST", f"/v1/devices/{name}/revoke", {}).status == 200
    found = device_checks(lone)
    assert found["door"].status is Status.FAIL
    assert "revoked" in found["door"].detail
    assert found["join door"].status is Status.OK


def test_a_connect_proxy_is_gone_through_and_its_password_is_not_shown(
    hub: HubProcess, joined: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect_proxy(0) as (port, heads):
        monkeypatch.setenv("HTTPS_PROXY", f"http://fleet:hunter2@127.0.0.1:{port}")
        found = device_checks(joined)
    assert found["door"].status is Status.OK
    assert heads[0].startswith(f"CONNECT {HUB}:{port_of(hub.device)}")
    assert f"by way of 127.0.0.1:{port} (set: HTTPS_PROXY)" in found["proxy"].detail
    assert "hunter2" not in "".join(check.detail + check.fix for check in found.values())


def test_a_proxy_that_inspects_tls_is_named_by_the_issuer_that_was_seen(
    joined: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(authority(tmp_path, "inspection", (HUB,))) as forged:
        with connect_proxy(port_of(forged.url)) as (port, _):
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
            found = device_checks(joined)
        assert not forged.came, "nothing is told to who inspects"
    for door in (found["door"], found["join door"]):
        assert door.status is Status.FAIL
        assert "if org inspection is a proxy that inspects TLS" in door.fix
        assert f"export NO_PROXY={HUB}" in door.fix


def test_what_a_configuration_names_is_looked_for(device: Path, tmp_path: Path) -> None:
    config = tmp_path / "edge.toml"
    config.write_text('[model.edge]\nedge = "edge.onnx"\nleaves = "nothing"\n')
    missing = device_checks(device, config)["configuration"]
    assert missing.status is Status.FAIL
    assert "edge.onnx does not exist" in missing.detail
    (tmp_path / "edge.onnx").write_bytes(b"")
    assert device_checks(device, config)["configuration"].status is Status.OK


def test_a_hub_in_order_passes_every_check(hub: HubProcess) -> None:
    found = hub_checks(hub)
    assert {check.status for check in found.values()} == {Status.OK}, found
    assert list(found)[:6] == ["files", "disk", "database", "root", "issuing", "names"]
    assert HUB in found["names"].detail
    assert found["process"].detail == "runs"


def test_what_is_wrong_with_a_hub_is_told(hub: HubProcess, tmp_path: Path) -> None:
    state = tmp_path / "hub"
    shutil.copytree(hub.state, state)
    (state / "ca" / "issuing.key").chmod(0o640)
    with sqlite3.connect(state / "hub.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    (state / "server.pem").write_text("none")
    (state / "ca" / "root.pem").write_text("none")
    found = hub_checks(hub, state)
    assert "issuing.key (mode 640)" in found["files"].detail
    assert "schema 9999" in found["database"].detail
    assert found["names"].status is found["root"].status is Status.FAIL
    assert found["process"].detail == "does not run now"
    taken = [check for name, check in found.items() if name.startswith("port")]
    assert {check.status for check in taken} == {Status.WARN}, "another hub answers there"


def test_a_folder_that_is_no_hubs_is_told(tmp_path: Path) -> None:
    assert named(check_hub(tmp_path))["folder"].status is Status.FAIL


def test_a_person_is_told_who_they_are_and_until_when(
    hub: HubProcess, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HALOCLINE_CONFIG", str(tmp_path))
    url = f"https://localhost:{port_of(hub.people)}"
    run(
        capsys, "login", url, "--ca", hub.told["ca"], "--token", f"file:{hub.state / 'admin.token'}",
        "--name", "home",
    )  # fmt: skip
    found = {check.name: check for check in check_person("home", 5.0)}
    assert {check.status for check in found.values()} == {Status.OK}
    assert ", admin, until " in found["hub home token"].detail
    kept = json.loads((tmp_path / "hubs.json").read_text())
    kept["hubs"]["home"]["token"] = "x" * 43
    (tmp_path / "hubs.json").write_text(json.dumps(kept))
    refused = {check.name: check for check in check_person("home", 5.0)}["hub home"]
    assert refused.status is Status.FAIL
    assert refused.fix
    assert "HAL-755" in next(iter(check_person("other", 5.0))).detail


def test_the_command_looks_at_all_that_it_is_given_and_its_exit_code_tells(
    hub: HubProcess, device: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ports = ",".join(str(port_of(url)) for url in (hub.device, hub.people, hub.join))
    told = json.loads(
        output(
            capsys, "doctor", "--state", device, "--hub-state", hub.state, "--ports", ports, "--json"
        )
    )  # fmt: skip
    assert told["ok"] is True
    names = {check["name"] for check in told["checks"]}
    assert {"device door", "device join door", "hub database", "python"} <= names
    by_itself = json.loads(output(capsys, "doctor", "--state", hub.state, "--ports", ports, "--json"))
    assert "hub database" in {check["name"] for check in by_itself["checks"]}
    (device / "identity" / "key.pem").chmod(0o644)
    assert "fix: chmod" in output(capsys, "doctor", "--state", device, code=FAILED)
