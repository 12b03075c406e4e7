"""What `halocline hub serve` promises of its start, its folder and its end."""

import contextlib
import http.client
import json
import signal
import ssl
import stat
import subprocess
import time

import pytest
from hub_process import command, hub_process

from halocline.adapters import hub_folder
from halocline.adapters.certificates.authority import CertificateAuthority
from halocline.adapters.sql import open_store
from halocline.adapters.sql.store import SqlTransaction
from halocline.assemble_hub.first_start import prepare
from halocline.assemble_hub.options import HubOptions
from halocline.assemble_hub.running import JOIN_BURST
from halocline.assemble_hub.shown import Shown
from halocline.assemble_hub.signer import Signer
from halocline.cli import WRONG_USE
from halocline.hub.people import authenticate


def refused(state, *flags):
    return subprocess.run(command(state, *flags), capture_output=True, text=True, timeout=60, check=False)


def test_a_first_start_makes_what_people_need_and_a_second_changes_none_of_it(tmp_path):
    state = tmp_path / "hub"
    with hub_process(state) as hub:
        assert hub.told["fingerprint"] == hub.as_admin("GET", "/v1/status").said["ca_fingerprint"]
        kept = {path: path.read_bytes() for path in (state / "ca.pem", state / "admin.token")}
        device = hub.enrolled(tmp_path)
    assert hub.process.returncode == 0
    with hub_process(state) as hub:
        assert {path: path.read_bytes() for path in kept} == kept
        assert hub.as_admin("GET", "/v1/me").said["role"] == "admin"
        with hub.as_device(device) as client:
            assert client.ask("GET", "/v1/twin").status == 200


def test_everything_in_the_state_folder_is_for_its_owner_alone_but_what_others_verify_with(tmp_path):
    with hub_process(tmp_path / "hub") as hub:
        hub.enrolled(tmp_path)
        paths = [hub.state, *hub.state.rglob("*")]
        open_to_others = {path.name for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077}
        heads = {path.name for path in (hub.state / "heads").iterdir()}
    assert open_to_others - heads == {"ca.pem", "audit.pub"}


def test_a_second_hub_on_the_same_folder_is_refused_with_a_reason(tmp_path):
    with hub_process(tmp_path / "hub") as hub:
        came = refused(hub.state)
        assert (came.returncode, came.stdout) == (WRONG_USE, "")
        assert "[HAL-744]" in came.stderr
        assert len(came.stderr.splitlines()) == 1
        assert hub.as_admin("GET", "/v1/me").status == 200


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (("--joins-per-s", "0"), "HAL-101"),
        (("--cloud-model", "cloud=nowhere.onnx"), "HAL-"),
        (("--database", "mysql://nowhere/hub"), "HAL-706"),
        (("--name", "not a name"), "HAL-102"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_nothing_listens(tmp_path, flags, code):
    came = refused(tmp_path / "hub", *flags)
    assert came.returncode == WRONG_USE, came.stderr
    assert came.stdout == ""
    assert code in came.stderr
    assert len(came.stderr.splitlines()) == 1


def test_a_host_that_is_listened_on_is_in_the_certificate_and_told_to_devices(tmp_path):
    with hub_process(tmp_path / "hub", "--host", "127.0.0.2") as hub:
        assert hub.device.startswith("https://127.0.0.2:")
        assert hub.as_admin("GET", "/v1/me").status == 200


def test_names_are_in_the_certificate_and_the_first_is_told_to_devices(tmp_path):
    with hub_process(tmp_path / "hub", "--name", "hub.test", "--name", "127.0.0.1") as hub:
        assert hub.join.startswith("https://hub.test:")
        hub.people = hub.people.replace("hub.test", "127.0.0.1")
        assert hub.as_admin("GET", "/v1/me").status == 200


def test_whoever_knocks_too_often_to_join_is_told_when_to_come_again(tmp_path):
    with hub_process(tmp_path / "hub", "--joins-per-s", "0.01") as hub:
        with hub.client(hub.join) as client:
            came = [client.ask("GET", "/v1/nonce") for _ in range(JOIN_BURST + 1)]
        assert {each.status for each in came[:-1]} == {200}
        assert (came[-1].status, came[-1].said["code"]) == (429, "HAL-743")
        assert int(came[-1].headers["retry-after"]) > 0
        assert hub.as_admin("GET", "/v1/me").status == 200


def test_sigterm_ends_it_with_open_connections_and_a_request_after_it_is_not_taken(tmp_path):
    with hub_process(tmp_path / "hub", "--drain-s", "5") as hub:
        with hub.client(hub.people) as client:
            assert client.ask("GET", "/v1/me", headers=hub.bearer).status == 200
            hub.process.send_signal(signal.SIGTERM)
            assert hub.process.wait(60) == 0
            with pytest.raises((OSError, http.client.HTTPException)):
                client.ask("GET", "/v1/me", headers=hub.bearer)
        assert hub.log.read_text() == ""  # an idle connection is not waited for


def test_two_hubs_on_one_postgresql_and_one_folder_are_one_hub(tmp_path, postgresql):
    state, flags = tmp_path / "hub", ("--database", postgresql)
    with hub_process(state, *flags) as one, hub_process(state, *flags) as two:
        assert two.told["fingerprint"] == one.told["fingerprint"]
        assert two.as_admin("GET", "/v1/status").said["database"] == "postgresql"
        stranger = refused(tmp_path / "another", *flags)
        assert stranger.returncode == WRONG_USE
        assert "[HAL-783]" in stranger.stderr
        device = one.enrolled(tmp_path)
        with two.as_device(device) as client:
            assert client.ask("GET", "/v1/twin").said["desired"]["generation"] == 0
            change = {"settings": {"models": {"edge": {"threshold": 0.9}}}}
            assert one.as_admin("PUT", f"/v1/devices/{device.id}/desired", change).status == 200
            assert client.ask("GET", "/v1/twin").said["desired"]["generation"] == 1
            assert one.as_admin("POST", f"/v1/devices/{device.id}/revoke", {}).status == 200
            assert client.ask("GET", "/v1/twin").status == 403
        rotated = one.as_admin("POST", "/v1/authority/rotate", {"what": "root"})
        assert rotated.status == 200
        two.process.send_signal(signal.SIGHUP)
        give_up_s = time.monotonic() + 30
        while two.as_admin("GET", "/v1/status").said["ca_fingerprint"] != rotated.said["ca_fingerprint"]:
            assert time.monotonic() < give_up_s
        one.process.kill()
        one.process.wait(60)
        assert two.as_admin("GET", "/v1/me").status == 200
        two.enrolled(tmp_path, "later")


def test_a_door_shows_a_renewed_certificate_without_a_restart(tmp_path):
    with hub_folder.held(tmp_path / "hub", alone=True) as folder:
        signer = Signer(folder, HubOptions(state=str(folder.path)))
        shown = Shown(folder, signer, ["localhost"])
        doors = (shown.for_devices, shown.for_people, shown.for_joining)
        before = [shown_by(context, signer.authority) for context in doors]
        shown.renew()
        after = [shown_by(context, signer.authority) for context in doors]
    assert len(set(before)) == len(set(after)) == 1
    assert before[0] != after[0]


def shown_by(context: ssl.SSLContext, authority: CertificateAuthority) -> bytes:
    """The certificate that a client of this context gets to see, and trusts."""
    trusting = ssl.create_default_context(cadata=authority.root_pem)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(back, there, server_hostname="localhost")
    server = context.wrap_bio(there, back, server_side=True)
    for end in (client, server, client):
        with contextlib.suppress(ssl.SSLWantReadError):
            end.do_handshake()
    return client.getpeercert(binary_form=True)


class Killed(BaseException):
    """The end of a process, as far as the code under it can tell."""


@pytest.mark.parametrize("at", ["admin.token", "the database"])
def test_killed_at_any_write_of_its_first_start_it_still_gets_its_admin(tmp_path, monkeypatch, at):
    write, put_token = hub_folder.HubFolder.write, SqlTransaction.put_token

    def write_or_die(self, path, *more):
        if path.name == at:
            raise Killed
        write(self, path, *more)

    def put_or_die(self, token):
        if at == "the database":
            raise Killed
        put_token(self, token)

    with (
        contextlib.closing(open_store(tmp_path / "hub.db", "hub")) as store,
        hub_folder.held(tmp_path / "hub", alone=True) as folder,
    ):
        monkeypatch.setattr(hub_folder.HubFolder, "write", write_or_die)
        monkeypatch.setattr(SqlTransaction, "put_token", put_or_die)
        with pytest.raises(Killed):
            prepare(folder, store)
        monkeypatch.undo()
        prepare(folder, store)
        token = folder.admin_token.read_text().strip()
        assert authenticate(store, token, time.time())[0].name == "admin"


def test_without_json_it_says_in_three_lines_what_to_do_next(tmp_path):
    words = [word for word in command(tmp_path / "hub") if word != "--json"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        lines = [process.stdout.readline() for _ in range(4)]
        assert "halocline login https://localhost:" in lines[1]
        assert str(tmp_path / "hub" / "ca.pem") in lines[1]
        assert "halocline device invite" in lines[2]
        assert "halocline agent join" in lines[3]
        assert json.dumps(lines).count("\\n") == 4
    finally:
        process.terminate()
        assert process.wait(60) == 0
        process.stdout.close()
