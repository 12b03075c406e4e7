"""The authority of a running hub is replaced, and its devices go on: real hub, real line of a device."""

import time

import pytest
from commands import run
from hub_process import hub_process
from real_agent import real_agent

from halocline.adapters.backup.making import make_backup
from halocline.adapters.backup.restoring import restore_backup
from halocline.adapters.certificates.authority import CertificateAuthority
from halocline.cli import WRONG_USE
from halocline.wire.invite import decode_invite


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with hub_process(tmp_path_factory.mktemp("rotation") / "hub") as hub:
        yield hub


@pytest.fixture
def says(hub, tmp_path, monkeypatch, capsys):
    """What a command of a signed-in admin prints."""
    monkeypatch.setenv("HALOCLINE_CONFIG", str(tmp_path / "config"))
    token = f"file:{hub.state / 'admin.token'}"
    run(capsys, "login", hub.people, "--ca", hub.state / "ca.pem", "--token", token)

    def says(*words, code=0):
        came = run(capsys, *words, code=code)
        return came.out + came.err

    return says


def invite(hub):
    return hub.as_admin("POST", "/v1/invites", {}).said["invite"]


def status(hub):
    return hub.as_admin("GET", "/v1/status").said


def next_second():
    """Certificates count in seconds: one from after a change is told from one before it from the next on."""
    began_s = int(time.time())
    while int(time.time()) == began_s:
        time.sleep(0.02)


def trusted(agent):
    return agent.folder.identity().ca.count(b"BEGIN CERTIFICATE")


def test_a_new_issuing_authority_signs_from_the_next_certificate_on(hub, says, tmp_path):
    with real_agent(tmp_path / "device", invite(hub)) as agent:
        assert agent.step() == ""
        root = status(hub)["ca_fingerprint"]
        before = (hub.state / "ca" / "issuing.pem").read_bytes()
        assert "signs from now on" in says("hub", "rotate")
        assert (hub.state / "ca" / "issuing.pem").read_bytes() != before
        assert agent.step() == ""  # its certificate is of the one before
        agent.link.renew()
        assert agent.step() == ""
        assert agent.folder.identity().chain.read_text().count("BEGIN") == 2
        assert (status(hub)["ca_fingerprint"], status(hub).get("rotation")) == (root, None)
        with real_agent(tmp_path / "later", invite(hub)) as later:
            assert later.step() == ""


def test_devices_follow_to_a_new_root_a_dark_one_comes_home_and_the_old_one_is_retired(hub, says, tmp_path):
    first = status(hub)["ca_fingerprint"]
    early = invite(hub)
    with (
        real_agent(tmp_path / "device", invite(hub)) as agent,
        real_agent(tmp_path / "dark", invite(hub)) as dark,
        real_agent(tmp_path / "lost", invite(hub)) as lost,
    ):
        assert [each.step() for each in (agent, dark, lost)] == [""] * 3
        agent.link.renew()
        assert agent.step() == ""

        assert "is the new root" in says("hub", "rotate", "--root", "--reason", "planned")
        second = status(hub)["ca_fingerprint"]
        assert second != first
        assert status(hub)["rotation"]["old"] == [first]
        assert decode_invite(invite(hub)).fingerprint == second
        make_backup(hub.state, tmp_path / "backup", now_s=time.time())
        next_second()

        # A line that was open, and one that opens anew, go on with the old root and certificate.
        assert agent.step() == ""
        agent.loop.close()
    with real_agent(tmp_path / "device") as agent, real_agent(tmp_path / "dark") as dark:
        assert agent.step() == ""
        behind = status(hub)["rotation"]["behind"]
        assert "devices know no other" in says("hub", "status")
        assert "not know the new root" in says("hub", "rotate", "--retire", code=WRONG_USE)
        agent.link.renew()
        assert agent.step() == ""
        assert trusted(agent) == 2
        assert status(hub)["rotation"]["behind"] == behind - 1

        # The dark one has the old root alone, and comes in by its key.
        assert trusted(dark) == 1
        dark.link.rejoin()
        assert dark.step() == ""
        assert trusted(dark) == 2
        assert status(hub)["rotation"]["behind"] == behind - 2

        # Invites from before and from now both lead in.
        for name, one in (("early", early), ("late", invite(hub))):
            with real_agent(tmp_path / name, one) as newcomer:
                assert newcomer.step() == ""
                assert trusted(newcomer) == 2

        assert f"{second} is the only root" in says("hub", "rotate", "--retire", "--anyway")
        assert status(hub).get("rotation") is None
        assert (hub.state / "ca.pem").read_text().count("BEGIN") == 1
        for each in (agent, dark):
            assert each.step() == ""
            each.link.renew()
            assert each.step() == ""
            assert trusted(each) == 1
    with real_agent(tmp_path / "device") as agent:
        assert agent.step() == ""
    restore_backup(tmp_path / "backup", tmp_path / "restored", now_s=time.time())
    restored = CertificateAuthority.open(tmp_path / "restored" / "ca", now_s=time.time())
    assert (restored.fingerprint, restored.old_fingerprints) == (second, [first])
    with real_agent(tmp_path / "lost") as lost:
        assert "is not trusted" in lost.step()
    says("login", hub.people, "--fingerprint", second, "--token", f"file:{hub.state / 'admin.token'}")
    written = [each for each in hub.audit() if each["action"] == "hub.rotate" and each["object"] != "issuing"]
    assert [(each["object"], each.get("outcome", "done")) for each in written] == [
        ("root", "done"), ("retire", "refused"), ("retire", "done")
    ]  # fmt: skip
    assert written[0]["reason"] == "planned"
    assert written[0]["details"]["root"] == second


def test_what_is_not_there_cannot_be_retired_and_a_root_needs_its_key(hub, says, tmp_path):
    assert "no old root to retire" in says("hub", "rotate", "--retire", code=WRONG_USE)
    key = hub.state / "ca" / "root.key"
    key.rename(tmp_path / "safe")
    assert "put it back" in says("hub", "rotate", "--root", code=WRONG_USE)
    (tmp_path / "safe").rename(key)
    assert "HAL-102" in says("hub", "rotate", "--root", "--retire", code=WRONG_USE)
