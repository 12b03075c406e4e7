"""A hub signs with a company's own authority, and shows people a certificate that their browsers know."""

import os
import signal
import ssl
import time

import pytest
import trustme
from commands import output, run
from hub_process import hub_process
from real_agent import real_agent

from halocline.cli import WRONG_USE


def write_chain(folder, child, root):
    """A company's issuing authority in files; the root last."""
    cert, key = folder / "issuer.pem", folder / "issuer.key"
    cert.write_bytes(child.cert_pem.bytes() + root.cert_pem.bytes())
    key.write_bytes(child.private_key_pem.bytes())


def write_browser(folder, company):
    """A certificate for people."""
    leaf = company.issue_cert("localhost")
    (folder / "people.pem").write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
    (folder / "people.key").write_bytes(leaf.private_key_pem.bytes())
    return leaf.cert_chain_pems[0].bytes()


class Given:
    """A hub that was given everything, and the files."""

    def __init__(self, folder):
        self.folder = folder
        self.root, self.public = trustme.CA(), trustme.CA()
        write_chain(folder, self.root.create_child_ca(), self.root)
        self.shown = write_browser(folder, self.public)
        (folder / "public.pem").write_bytes(self.public.cert_pem.bytes())
        self.flags = [
            word
            for name in ("issuer-cert", "issuer-key", "people-cert", "people-key")
            for word in (
                f"--{name}",
                str(folder / f"{name.replace('-cert', '.pem').replace('-key', '.key')}"),
            )
        ]


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    given = Given(tmp_path_factory.mktemp("given"))
    with hub_process(given.folder / "hub", *given.flags) as hub:
        given.hub = hub
        yield given


def people(given):
    """A connection to the people's door that trusts the public authority."""
    client = given.hub.client(given.hub.people)
    context = ssl.create_default_context(cafile=given.folder / "public.pem")
    client.connection._context = context
    return client


def shown(client):
    client.connection.connect()
    return ssl.DER_cert_to_PEM_cert(client.connection.sock.getpeercert(binary_form=True)).encode()


def invite(given):
    with people(given) as client:
        return client.ask("POST", "/v1/invites", b"{}", given.hub.bearer).said["invite"]


def until(holds):
    give_up_s = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < give_up_s
        time.sleep(0.05)


def test_a_device_joins_and_renews_under_a_companys_authority(given, tmp_path):
    with real_agent(tmp_path / "device", invite(given)) as agent:
        assert agent.step() == ""
        agent.link.renew()
        assert agent.step() == ""
        assert agent.folder.identity().ca == given.root.cert_pem.bytes()
    assert not (given.hub.state / "ca").exists()


def test_people_sign_in_by_the_authority_that_their_browser_knows(given, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HALOCLINE_CONFIG", str(tmp_path / "config"))
    token = f"file:{given.hub.state / 'admin.token'}"
    output(capsys, "login", given.hub.people, "--ca", given.folder / "public.pem", "--token", token)
    assert "sha256:" in output(capsys, "hub", "status")
    monkeypatch.setenv("SSL_CERT_FILE", str(given.folder / "public.pem"))
    output(capsys, "login", given.hub.people, "--token", token, "--name", "system")
    assert "company's own" in run(capsys, "hub", "rotate", code=WRONG_USE).err


def test_a_replaced_browser_certificate_is_shown_and_no_connection_ends(given):
    with people(given) as client:
        before = shown(client)
        assert before == given.shown
        given.shown = write_browser(given.folder, given.public)
        os.kill(given.hub.process.pid, signal.SIGHUP)

        def is_new():
            with people(given) as other:
                return shown(other) == given.shown

        until(is_new)
        socket_before = client.connection.sock
        assert client.ask("GET", "/v1/me", headers=given.hub.bearer).status == 200
        assert client.connection.sock is socket_before
    assert "SIGHUP: the doors show new certificates" in given.hub.log.read_text()


def test_another_issuing_authority_of_the_same_root_takes_over_at_sighup(given, tmp_path):
    with real_agent(tmp_path / "device", invite(given)) as agent:
        assert agent.step() == ""
        before = agent.folder.identity().chain.read_text().split("-----END")[1]
        write_chain(given.folder, given.root.create_child_ca(), given.root)
        os.kill(given.hub.process.pid, signal.SIGHUP)

        def is_new():
            agent.link.renew()
            return agent.folder.identity().chain.read_text().split("-----END")[1] != before

        until(is_new)
        assert agent.step() == ""


def test_what_cannot_be_read_anew_is_logged_and_all_goes_on(given, tmp_path):
    said = given.hub.log.read_text().count("stays as it was")
    another = trustme.CA()
    write_chain(given.folder, another.create_child_ca(), another)
    (given.folder / "people.pem").write_text("half a file")
    os.kill(given.hub.process.pid, signal.SIGHUP)
    until(lambda: given.hub.log.read_text().count("show the certificates that they showed") > 0)
    log = given.hub.log.read_text()
    assert log.count("stays as it was") > said
    assert "another root" in log
    with people(given) as client:
        assert client.ask("GET", "/v1/me", headers=given.hub.bearer).status == 200
    write_chain(given.folder, given.root.create_child_ca(), given.root)
    write_browser(given.folder, given.public)
