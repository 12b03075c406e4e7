"""Three doors on one port: the name asked for leads to a door, and each keeps its own rules."""

import http.client
import os
import signal
import socket
import ssl
import time

import pytest
from hub_process import Client, hub_process
from real_agent import real_agent

NAMES = {"device": "devices.hub.test", "people": "people.hub.test", "join": "join.hub.test"}
FLAGS = [word for door, name in NAMES.items() for word in (f"--{door}-name", name)]
SHUT_OUT = (ssl.SSLError, ConnectionError, http.client.BadStatusLine)


@pytest.fixture(scope="module", autouse=True)
def _names_lead_here():
    """A resolver as a company's DNS: names of .test lead to this machine."""
    looks_up = socket.getaddrinfo

    def look_up(host, *more, **most):
        is_ours = str(host).rstrip("'").endswith(".test")
        return looks_up("127.0.0.1" if is_ours else host, *more, **most)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", look_up)
        yield


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one-port")
    with hub_process(folder / "hub", "--one-port", "0", *FLAGS) as hub:
        yield hub


@pytest.fixture
def device(hub, tmp_path):
    return hub.enrolled(tmp_path)


def shut_out(client, path="/v1/twin", headers=None):
    with client, pytest.raises(SHUT_OUT) as caught:
        client.ask("GET", path, headers=headers or {})
    assert not isinstance(caught.value, ssl.SSLCertVerificationError)
    return str(caught.value)


def until(holds):
    give_up_s = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < give_up_s
        time.sleep(0.05)


def asking_for(hub, name, context=None):
    """A client that says this name, or none, to the port."""
    client = Client(hub.people, context or hub.context())
    raw = socket.create_connection(("127.0.0.1", hub.told["ports"]["people"]), timeout=30)
    loose = context or hub.context()
    loose.check_hostname = False
    client.connection.sock = loose.wrap_socket(raw, server_hostname=name)
    return client


def test_all_doors_are_told_on_one_port_each_by_its_name(hub):
    assert len(set(hub.told["ports"].values())) == 1
    port = hub.told["ports"]["device"]
    assert hub.urls == {door: f"https://{name}:{port}" for door, name in NAMES.items()}


def test_a_device_joins_follows_and_comes_home(hub, tmp_path):
    invite = hub.as_admin("POST", "/v1/invites", {}).said["invite"]
    with real_agent(tmp_path / "device", invite) as agent:
        assert agent.step() == ""
        agent.link.renew()
        assert agent.step() == ""
        agent.link.rejoin()
        assert agent.step() == ""


def test_on_the_devices_name_a_certificate_is_asked_for_and_checked(hub, device, tmp_path):
    with hub.as_device(device) as client:
        assert client.ask("GET", "/v1/twin").status == 200
        assert client.connection.sock.version() == "TLSv1.3"
    shut_out(hub.client(hub.device))
    server = hub.state / "server.pem"
    shut_out(hub.client(hub.device, server, server))
    until(
        lambda: ("door.connect", "device") in {(each["action"], each.get("object")) for each in hub.audit()}
    )


def test_peoples_credentials_open_nothing_on_the_devices_name(hub):
    shut_out(hub.client(hub.device), "/v1/devices", hub.bearer)


@pytest.mark.parametrize("host", NAMES.values())
def test_another_host_header_leads_to_no_other_door(hub, device, host):
    with hub.as_device(device) as client:
        there = {"Host": host, **hub.bearer}
        assert client.ask("GET", "/v1/devices", headers=there).status == 404
        assert client.ask("GET", f"https://{host}/v1/devices", headers=there).status in (400, 404)
        assert client.ask("GET", "/v1/nonce", headers=there).status == 404
        assert client.ask("GET", "/v1/twin", headers=there).status == 200
    with hub.client(hub.people, device.cert, device.key) as client:
        assert client.ask("GET", "/v1/twin", headers={"Host": host}).status == 404
        assert client.ask("GET", "/v1/nonce", headers={"Host": host}).status == 404
    with hub.client(hub.join, device.cert, device.key) as client:
        for path in ("/v1/twin", "/v1/devices", "/v1/me"):
            assert client.ask("GET", path, headers={"Host": host, **hub.bearer}).status == 404


@pytest.mark.parametrize("name", [None, "hub.test", "localhost"])
def test_without_a_name_of_a_door_nobody_comes_in_and_is_told_why(hub, name):
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        asking_for(hub, name)


def test_tls_1_2_and_plaintext_are_refused_on_each_name(hub, device):
    for name in NAMES.values():
        context = hub.context(device.cert, device.key)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(SHUT_OUT):
            asking_for(hub, name, context)
    plain = http.client.HTTPConnection("127.0.0.1", hub.told["ports"]["people"], timeout=30)
    plain.request("GET", "/v1/me")
    with pytest.raises(SHUT_OUT):
        plain.getresponse()


def test_who_says_nothing_or_half_a_hello_holds_up_nobody(hub):
    port = hub.told["ports"]["people"]
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    silent[0].sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01")
    silent[1].close()
    assert hub.as_admin("GET", "/v1/me").status == 200
    for each in silent:
        each.close()


def test_a_hello_that_comes_byte_by_byte_is_understood(hub):
    client, server = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = hub.context().wrap_bio(server, client, server_hostname=NAMES["people"])
    with socket.create_connection(("127.0.0.1", hub.told["ports"]["people"]), timeout=30) as raw:
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        hello = client.read()
        for at in range(0, len(hello), 40):
            raw.sendall(hello[at : at + 40])
            time.sleep(0.002)  # so that they do not arrive as one
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                server.write(raw.recv(65_536))
        assert tls.version() == "TLSv1.3"


def test_sigterm_ends_it_and_the_port_is_free(tmp_path):
    with hub_process(tmp_path / "hub", "--one-port", "0", *FLAGS, "--drain-s", "5") as hub:
        with hub.client(hub.people) as client:
            assert client.ask("GET", "/v1/me", headers=hub.bearer).status == 200
            os.kill(hub.process.pid, signal.SIGTERM)
            assert hub.process.wait(60) == 0
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", hub.told["ports"]["people"]), timeout=5)
