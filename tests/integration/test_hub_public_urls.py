"""A hub behind a proxy that hands on TCP: devices and people come to where they are told."""

import subprocess

import pytest
from commands import output
from forwarder import forwarders
from hub_process import command, hub_process
from real_agent import real_agent

from halocline.cli import WRONG_USE
from halocline.wire.invite import decode_invite

HOSTS = {"device": "127.0.0.2", "people": "127.0.0.3", "join": "127.0.0.4"}
"""Names of the proxy that no flag but the door's own puts into the hub's certificate."""


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    """A hub on ports that nobody is told, and what stands before it."""
    with forwarders(HOSTS) as before:
        flags = [word for door, each in before.items() for word in (f"--{door}-url", each.url)]
        with hub_process(tmp_path_factory.mktemp("proxied") / "hub", *flags) as hub:
            for door, each in before.items():
                each.port = hub.told["ports"][door]
            yield hub, before


def test_what_is_told_is_the_public_url_of_each_door(proxied):
    hub, before = proxied
    assert hub.urls == {door: each.url for door, each in before.items()}
    made = hub.as_admin("POST", "/v1/invites", {})
    assert decode_invite(made.said["invite"]).url == before["join"].url


def test_a_device_joins_and_follows_through_the_proxy(proxied, tmp_path):
    hub, before = proxied
    made = hub.as_admin("POST", "/v1/invites", {})
    with real_agent(tmp_path / "device", made.said["invite"]) as agent:
        assert before["join"].came
        assert agent.folder.identity().places.channel == before["device"].url
        assert agent.step() == ""
        assert before["device"].came


def test_people_sign_in_through_the_proxy(proxied, tmp_path, monkeypatch, capsys):
    hub, before = proxied
    monkeypatch.setenv("HALOCLINE_CONFIG", str(tmp_path / "config"))
    ca, token = hub.state / "ca.pem", f"file:{hub.state / 'admin.token'}"
    output(capsys, "login", before["people"].url, "--ca", ca, "--token", token)
    assert "sha256:" in output(capsys, "hub", "status")


def test_a_public_url_of_another_form_is_refused_before_anything_is_made(tmp_path):
    words = command(tmp_path / "hub", "--join-url", "http://hub.test:1")
    came = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (came.returncode, came.stdout) == (WRONG_USE, "")
    assert "--join-url must be https://HOST" in came.stderr
    assert "[HAL-780]" in came.stderr
    assert not (tmp_path / "hub").exists()
