"""A hub comes back from a backup: devices from before go on, those from after are told apart, find back."""

import json
import os
import re
import shutil
import socket
import stat
import threading
from pathlib import Path

import pytest
from commands import output, run
from hub_process import hub_process

from halocline.adapters.backup.making import make_backup
from halocline.adapters.backup.restoring import restore_backup
from halocline.adapters.certificates.authority import CertificateAuthority
from halocline.adapters.device_folder.folder import held
from halocline.adapters.http.hub_link import HubLink
from halocline.adapters.sql import open_store
from halocline.cli import WRONG_USE
from halocline.decide import audit_chain
from halocline.edge.channel import ChannelLoop
from halocline.errors import HaloclineError, Misconfigured
from halocline.fleet import AuditEntry, ModelSettings, Settings


class Models:
    """What the hub set here last."""

    def __init__(self) -> None:
        self.settings = Settings()

    def effective(self) -> dict[str, ModelSettings]:
        return self.settings.models

    def apply(self, settings: Settings) -> str:
        self.settings = settings
        return ""

    def renewed(self) -> None:
        pass


def poll(state: Path) -> tuple[str, str]:
    """One step of a device's line: what went wrong with it, and what its hub said to its certificate."""
    with held(state) as folder:
        loop = ChannelLoop(HubLink(folder, timeout_s=20), folder.memory, Models(), share=lambda: 0.5)
        try:
            try:
                HubLink(folder, timeout_s=20).desired(None)
                said = ""
            except HaloclineError as error:
                said = error.code
            loop.step()
            return loop.state.error, said
        finally:
            loop.close()


def free_ports() -> tuple[int, int, int]:
    socks = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = [sock.getsockname()[1] for sock in socks]
    for sock in socks:
        sock.close()
    return ports[0], ports[1], ports[2]


@pytest.mark.parametrize("name", ["backup.tar", "backup"])
def test_devices_from_before_the_backup_go_on_and_those_from_after_find_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("HALOCLINE_CONFIG", str(tmp_path / "config"))
    state, backup, ports = tmp_path / "hub", tmp_path / name, free_ports()
    devices = {which: tmp_path / which for which in ("before", "renewed", "after")}

    def join(which: str) -> str:
        invited = re.findall(r"hc1\.\S+", output(capsys, "device", "invite", "--ttl", "1h"))[0]
        joined = output(capsys, "agent", "join", invited, "--state", devices[which], "--json")
        device: str = json.loads(joined)["device"]
        return device

    with hub_process(state, ports=ports) as hub:
        token = f"file:{state / 'admin.token'}"
        run(capsys, "login", hub.people, "--ca", hub.told["ca"], "--token", token)
        first = join("before")
        join("renewed")
        assert poll(devices["before"]) == ("", "")
        assert poll(devices["renewed"]) == ("", "")
        told = json.loads(output(capsys, "hub", "backup", "--state", state, "--to", backup, "--json"))
        assert told["has_database"]
        # After the backup one device gets another certificate, one joins, and one is told a threshold.
        with held(devices["renewed"]) as folder:
            HubLink(folder, timeout_s=20).renew()
        assert poll(devices["renewed"]) == ("", "")
        join("after")
        assert poll(devices["after"]) == ("", "")
        run(capsys, "device", "set", first, "--model", "edge", "--threshold", "0.7")
        assert poll(devices["before"]) == ("", "")

    shutil.rmtree(state)  # the disk is gone
    assert "revoke again" in output(capsys, "hub", "restore", "--from", backup, "--state", state)
    with hub_process(state, ports=ports) as hub:
        assert hub.told["models"] == []
        # The same number of change as the lost one is another change.
        run(capsys, "device", "set", first, "--model", "edge", "--threshold", "0.9")
        assert poll(devices["before"]) == ("", "")
        shown = json.loads(output(capsys, "device", "show", first, "--json"))
        assert shown["twin"]["reported"]["models"]["edge"]["threshold"] == 0.9
        # Its certificate is unknown, its key is not: it came home by itself.
        _, said = poll(devices["renewed"])
        assert said == "HAL-715"
        assert poll(devices["renewed"]) == ("", "")
        error, said = poll(devices["after"])
        assert said == "HAL-715"
        assert "halocline agent join INVITE" in error
        shutil.rmtree(devices["after"])
        join("after")
        assert poll(devices["after"]) == ("", "")
        log = tmp_path / "log"
        output(capsys, "audit", "export", "--to", log)
        assert '"hub.restore"' in log.read_text()
        output(capsys, "audit", "verify", log)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A hub's state folder, with a database of one entry."""
    state = tmp_path / "hub"
    CertificateAuthority.open(state / "ca", now_s=1e9)
    for each in ("audit.key", "admin.token", "ca.pem", "server.pem", "lock"):
        (state / each).write_text(each)
    store = open_store(state / "hub.db", "hub")
    with store.change() as tx:
        tx.append(AuditEntry(at_s=1.0, actor="hub", action="test.first"))
    store.close()
    return state


@pytest.mark.parametrize("name", ["b.tar", "b"])
def test_a_backup_and_what_is_restored_are_nobody_elses_to_read(
    state: Path, tmp_path: Path, name: str
) -> None:
    umask = os.umask(0)
    try:
        make_backup(state, tmp_path / name, now_s=5.0)
        restore_backup(tmp_path / name, tmp_path / "again", now_s=6.0)
    finally:
        os.umask(umask)
    for place in (tmp_path / name, tmp_path / "again"):
        for path in (place, *place.rglob("*")):
            if path.name not in {"ca.pem", "audit.pub"}:
                assert not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO), path
    assert sorted(os.listdir(tmp_path / "again")) == ["admin.token", "audit.key", "ca", "ca.pem", "hub.db"]
    for each in (state / "ca").iterdir():
        assert (tmp_path / "again" / "ca" / each.name).read_bytes() == each.read_bytes()
    assert sorted(os.listdir(tmp_path)) == sorted(["hub", name, "again"])  # nothing half-made is left


def test_a_backup_while_others_write_is_one_moment(state: Path, tmp_path: Path) -> None:
    stop, written = threading.Event(), threading.Event()
    store = open_store(state / "hub.db", "hub")

    def write() -> None:
        while not stop.is_set():
            with store.change() as tx:
                tx.append(AuditEntry(at_s=2.0, actor="hub", action="test.more"))
            written.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert written.wait(60)
        make_backup(state, tmp_path / "b", now_s=5.0)
    finally:
        stop.set()
        writer.join()
        store.close()
    restore_backup(tmp_path / "b", tmp_path / "again", now_s=6.0)
    restored = open_store(tmp_path / "again" / "hub.db", "hub")
    try:
        with restored.look() as tx:
            links = tx.audit(limit=1_000_000)
    finally:
        restored.close()
    assert audit_chain.faults(links) == []
    assert [links[0].entry.action, links[-1].entry.action] == ["test.first", "hub.restore"]
    assert links[-1].entry.details == {"made_s": 5.0}
    assert len(links) > 2


def test_a_restore_writes_over_nothing(state: Path, tmp_path: Path) -> None:
    make_backup(state, tmp_path / "b.tar", now_s=5.0)
    before = {path: path.read_bytes() for path in state.rglob("*") if path.is_file()}
    (tmp_path / "file").write_text("mine")
    for taken in (state, tmp_path / "file"):
        with pytest.raises(Misconfigured) as caught:
            restore_backup(tmp_path / "b.tar", taken, now_s=6.0)
        assert caught.value.code == "HAL-761"
    assert {path: path.read_bytes() for path in state.rglob("*") if path.is_file()} == before
    (tmp_path / "empty").mkdir()
    restore_backup(tmp_path / "b.tar", tmp_path / "empty", now_s=6.0)


def test_a_backup_that_is_damaged_or_none_restores_nothing(state: Path, tmp_path: Path) -> None:
    make_backup(state, tmp_path / "b", now_s=5.0)
    make_backup(state, tmp_path / "b.tar", now_s=5.0)
    whole = (tmp_path / "b.tar").read_bytes()
    manifest = (tmp_path / "b" / "backup.json").read_text()
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "prose.tar").write_bytes(b"once upon a time")
    for name, change in (
        ("changed", lambda at: (at / "admin.token").write_text("another")),
        ("missing", lambda at: (at / "audit.key").unlink()),
        (
            "newer",
            lambda at: (at / "backup.json").write_text(manifest.replace('"version": 1', '"version": 2')),
        ),
        ("outside", lambda at: (at / "backup.json").write_text(manifest.replace("admin.token", "../token"))),
        ("nothing", lambda at: (at / "backup.json").write_text("{}")),
    ):
        shutil.copytree(tmp_path / "b", tmp_path / name)
        change(tmp_path / name)
    for name in ("changed", "missing", "newer", "outside", "nothing", "cut.tar", "prose.tar", "not-there"):
        with pytest.raises(Misconfigured) as caught:
            restore_backup(tmp_path / name, tmp_path / "again", now_s=6.0)
        assert caught.value.code == "HAL-762", name
        assert not (tmp_path / "again").exists()
    assert not list(tmp_path.glob(".*"))


def test_a_backup_goes_to_a_new_place_of_a_hub_alone(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").mkdir()
    for where, to in (
        (tmp_path / "taken", tmp_path / "b"),
        (state, tmp_path / "taken"),
        (state, state / "b.tar"),
        (state, tmp_path / "none" / "b.tar"),
    ):
        printed = run(capsys, "hub", "backup", "--state", where, "--to", to, code=WRONG_USE)
        assert "HAL-760" in printed.err
    (state / "hub.db").unlink()
    (state / "ca" / "passphrase").unlink()
    told = output(capsys, "hub", "backup", "--state", state, "--to", tmp_path / "b")
    assert "pg_dump" in told
    assert "passphrase" in told
    assert "restore PostgreSQL" in output(
        capsys, "hub", "restore", "--from", tmp_path / "b", "--state", tmp_path / "again"
    )
