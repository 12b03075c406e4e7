"""Who is let in at a hub's three doors, tried with raw TLS clients against a hub in a process of its own."""

import contextlib
import http.client
import json
import shutil
import sqlite3
import ssl
import subprocess
import time

import numpy as np
import pytest
from doors import authority as another_authority
from hub_process import hub_process
from servers import linear

from halocline.adapters.certificates.authority import CertificateAuthority
from halocline.adapters.certificates.request import make_key, make_request, read_request
from halocline.wire import oip

DAY_S = 86_400.0
SHUT_OUT = (ssl.SSLError, ConnectionError, http.client.BadStatusLine)
"""How a client meets a refused handshake: with TLS 1.3 it learns of it at its first read."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hub-tls")


@pytest.fixture(scope="module")
def hub(folder):
    model = linear(folder, name="cloud")
    with hub_process(folder / "hub", "--cloud-model", f"cloud={model}") as hub:
        yield hub


@pytest.fixture
def device(hub, tmp_path):
    return hub.enrolled(tmp_path)


def signed(hub, tmp_path, name, now_s, device_id="dev-aaaaaaaaaaaaaaaa", authority=None):
    """A certificate as the hub's own authority would have given it at that time."""
    signs = authority or CertificateAuthority.open(hub.state / "ca", now_s=time.time())
    key_pem = make_key()
    public_key = read_request(make_request(key_pem)).public_key
    pem, _ = signs.issue_device(public_key, device_id, now_s=now_s, valid_s=DAY_S)
    cert, key = tmp_path / f"{name}.pem", tmp_path / f"{name}.key"
    cert.write_text(pem)
    key.write_bytes(key_pem)
    return cert, key


def shut_out(client, headers=None):
    """The door hangs up without a word of HTTP; it is not the client that does not trust the hub."""
    with client, pytest.raises(SHUT_OUT) as caught:
        client.ask("GET", "/v1/twin", headers=headers or {})
    assert not isinstance(caught.value, ssl.SSLCertVerificationError)


@contextlib.contextmanager
def in_the_log(hub, door, cause):
    """What happens within is in the audit log, under this door and cause: at once, if it is the first."""

    def counted():
        return sum(
            entry["details"]["count"]
            for entry in hub.audit()
            if (entry["action"], entry["outcome"], entry["object"]) == ("door.connect", "refused", door)
            and entry["details"]["cause"] == cause
        )

    yield
    until_s = time.monotonic() + 10
    while not counted():
        assert time.monotonic() < until_s, f"no entry for {cause} at the {door} door"
        time.sleep(0.05)


def infer(client):
    encoded = oip.encode_request({"x": np.zeros((1, 3), np.float32)}, request_id="r", binary=False)
    return client.ask("POST", "/v2/models/cloud/infer", b"".join(encoded.parts))


def test_a_device_that_joined_has_its_twin_and_the_cloud_model(hub, device):
    with hub.as_device(device) as client:
        twin = client.ask("GET", "/v1/twin")
        assert (twin.status, twin.headers["etag"]) == (200, '"0"')
        assert client.ask("GET", "/v1/twin", headers={"If-None-Match": '"0"'}).status == 304
        assert infer(client).status == 200
        assert client.connection.sock.version() == "TLSv1.3"


def test_without_a_certificate_nothing_is_answered(hub):
    with in_the_log(hub, "device", "no_certificate"):
        shut_out(hub.client(hub.device))


def test_a_certificate_of_another_authority_is_not_let_in(hub, tmp_path):
    other = CertificateAuthority.open(tmp_path / "other", now_s=time.time())
    with in_the_log(hub, "device", "another_authority"):
        shut_out(hub.client(hub.device, *signed(hub, tmp_path, "other", time.time(), authority=other)))
    foreign = another_authority(tmp_path, "foreign")
    shut_out(hub.client(hub.device, foreign.chain, foreign.key))


@pytest.mark.parametrize(("cause", "offset_s"), [("expired", -2 * DAY_S), ("not_yet_valid", 2 * DAY_S)])
def test_a_certificate_out_of_its_time_is_not_let_in(hub, tmp_path, cause, offset_s):
    with in_the_log(hub, "device", cause):
        shut_out(hub.client(hub.device, *signed(hub, tmp_path, "late", time.time() + offset_s)))


def test_a_good_signature_is_not_enough_where_the_hub_gave_no_such_certificate(hub, device, tmp_path):
    cert, key = signed(hub, tmp_path, "forged", time.time(), device.id)
    with hub.client(hub.device, cert, key) as client:
        refused = client.ask("GET", "/v1/twin")
        assert (refused.status, refused.said["code"]) == (403, "HAL-715")
        assert infer(client).status == 403
    assert ("device.connect", "refused", f"device:{device.id}") in [
        (entry["action"], entry.get("outcome"), entry["actor"]) for entry in hub.audit()
    ]


def test_the_hubs_own_server_certificate_opens_no_door_for_devices(hub):
    server = hub.state / "server.pem"
    with in_the_log(hub, "device", "no_client_certificate"):
        shut_out(hub.client(hub.device, server, server))


@pytest.mark.parametrize("door", ["device", "people", "join"])
def test_tls_1_2_is_refused_at_each_door(hub, device, door):
    context = hub.context(device.cert, device.key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    client = hub.client(hub.urls[door])
    client.connection = http.client.HTTPSConnection(
        client.connection.host, client.connection.port, context=context, timeout=30
    )
    with in_the_log(hub, door, "old_tls"):
        shut_out(client)


@pytest.mark.parametrize("door", ["device", "people", "join"])
def test_a_client_that_does_not_trust_the_hub_is_seen(hub, door):
    client = hub.client(hub.urls[door])
    strange = http.client.HTTPSConnection(
        client.connection.host, client.connection.port, context=ssl.create_default_context(), timeout=30
    )
    with in_the_log(hub, door, "client_gave_up"), pytest.raises(ssl.SSLCertVerificationError):
        strange.connect()


@pytest.mark.parametrize("door", ["device", "people", "join"])
def test_plaintext_is_not_answered_at_any_door(hub, door):
    client = hub.client(hub.urls[door])
    secure = client.connection
    client.connection = http.client.HTTPConnection(secure.host, secure.port, timeout=30)
    with in_the_log(hub, door, "no_tls"):
        shut_out(client)


def test_a_crowd_that_is_refused_is_one_entry_with_a_count(hub):
    def entries():
        found = [each for each in hub.audit() if each["action"] == "door.connect"]
        return [each["details"] for each in found if each["object"] == "join"]

    for _ in range(40):
        client = hub.client(hub.join)
        secure = client.connection
        client.connection = http.client.HTTPConnection(secure.host, secure.port, timeout=30)
        shut_out(client)
    assert len([each for each in entries() if each["cause"] == "no_tls"]) == 1


def test_a_revoked_device_is_out_at_its_next_request_on_an_open_connection(hub, device):
    with hub.as_device(device) as client:
        assert client.ask("GET", "/v1/twin").status == 200
        socket_before = client.connection.sock
        assert hub.as_admin("POST", f"/v1/devices/{device.id}/revoke", {"reason": "lost"}).status == 200
        refused = client.ask("GET", "/v1/twin", headers={"If-None-Match": '"0"'})
        assert client.connection.sock is socket_before
        assert (refused.status, refused.said["code"]) == (403, "HAL-714")
        assert infer(client).status == 403
    with hub.client(hub.join) as client:
        again = client.ask("POST", "/v1/join", {"csr": make_request(device.key_pem), "invite": hub.secret()})
        assert (again.status, again.said["code"]) == (403, "HAL-714")
    entries = [(entry["action"], entry.get("outcome", "done")) for entry in hub.audit()]
    assert ("device.revoke", "done") in entries
    assert ("device.connect", "refused") in entries


def test_a_superseded_certificate_used_on_a_new_connection_is_a_clone_and_out(hub, device, tmp_path):
    with hub.as_device(device) as old:
        came = old.ask("POST", "/v1/certificate", {"csr": make_request(device.key_pem)})
        assert came.status == 200
        assert old.ask("GET", "/v1/twin").status == 200  # it holds until the new one's first use
        (tmp_path / "new.pem").write_text(came.said["certificate"])
        with hub.client(hub.device, tmp_path / "new.pem", device.key) as new:
            assert new.ask("GET", "/v1/twin").status == 200
            assert old.ask("GET", "/v1/twin").status == 200  # its answers may still be under way
            with contextlib.closing(sqlite3.connect(hub.state / "hub.db", timeout=30)) as database, database:
                earlier = "UPDATE certificates SET superseded_s = superseded_s - 600 WHERE device = ?"
                assert database.execute(earlier, (device.id,)).rowcount
            with hub.as_device(device) as copy:
                refused = copy.ask("GET", "/v1/twin")
            assert (refused.status, refused.said["code"]) == (403, "HAL-715")
            assert new.ask("GET", "/v1/twin").status == 200
    assert hub.as_admin("GET", f"/v1/devices/{device.id}").said["device"]["cloned_s"]


def test_a_device_cannot_renew_another_ones_key_or_speak_for_it(hub, device, tmp_path):
    other = hub.enrolled(tmp_path, "other")
    with hub.as_device(device) as client:
        stolen = client.ask("POST", "/v1/certificate", {"csr": make_request(other.key_pem)})
        assert (stolen.status, stolen.said["code"]) == (400, "HAL-712")
        told = {"reported": {"generation": 0, "boot": 3}, "device": other.id, "id": other.id}
        sent = client.ask("PUT", "/v1/twin/reported", told, {"X-Device": other.id})
        assert sent.status == 204
    assert hub.as_admin("GET", f"/v1/devices/{other.id}").said["twin"].get("reported") is None
    assert hub.as_admin("GET", f"/v1/devices/{device.id}").said["twin"]["reported"]["boot"] == 3


def test_each_door_is_shut_for_the_credentials_of_the_others(hub, device):
    shut_out(hub.client(hub.device), hub.bearer)
    with hub.as_device(device) as client:
        for path in ("/v1/devices", "/v1/me", "/v1/audit", "/v1/nonce", "/metrics"):
            assert client.ask("GET", path, headers=hub.bearer).status == 404, path
        assert client.ask("POST", "/v1/join", {"csr": ""}).status == 404
    with hub.client(hub.people, device.cert, device.key) as client:
        assert client.ask("GET", "/v1/devices").status == 401
        assert client.ask("GET", "/v1/twin").status == 404
        assert client.ask("GET", "/v2/models/cloud").status == 404
    with hub.client(hub.join, device.cert, device.key) as client:
        for path in ("/v1/twin", "/v1/devices", "/v1/me", "/v2", "/v2/models/cloud"):
            assert client.ask("GET", path, headers=hub.bearer).status == 404, path


BODIES = {
    "larger than any message": (b'{"csr": "' + b"A" * 100_000 + b'"}', {}, 413),
    "nested deeply": (b'{"csr": ' + b"[" * 60_000, {}, 400),
    "objects nested deeply": (b'{"csr": ' + b'{"a":' * 10_000, {}, 400),
    "packed": (b"\x1f\x8b\x08" + bytes(100), {"Content-Encoding": "gzip"}, 415),
    "no JSON": (b"\xff\xfe\x00", {}, 400),
    "no object": (b"[]", {}, 400),
    "empty": (b"", {}, 400),
    "another type": (b'{"csr": 7}', {}, 400),
}


@pytest.mark.parametrize("what", BODIES)
def test_a_body_that_is_no_message_is_refused_on_the_joining_and_the_device_door(hub, device, what):
    body, headers, status = BODIES[what]
    with hub.client(hub.join) as client:
        for path in ("/v1/join", "/v1/rejoin"):
            assert client.ask("POST", path, body, headers).status == status, path
            client.connection.close()
    with hub.as_device(device) as client:
        assert client.ask("POST", "/v1/certificate", body, headers).status == status
        client.connection.close()
        assert client.ask("PUT", "/v1/twin/reported", body, headers).status == status
        client.connection.close()
        assert client.ask("GET", "/v1/twin").status == 200


def test_a_body_without_an_announced_length_is_cut_off_where_it_grows_too_large(hub):
    with hub.client(hub.join) as client:
        came = client.ask("POST", "/v1/join", (b"x" * 8192 for _ in range(20)), encode_chunked=True)
        assert came.status == 413


@pytest.mark.parametrize(
    "path",
    ["/v1/../v1/twin", "/v1/%2e%2e/twin", "/v1/twin/", "//v1/twin", "/v1/twin%00", "/v2/../v1/twin", "/v1"],
)
def test_tricks_in_a_path_lead_nowhere(hub, device, path):
    with hub.as_device(device) as client:
        assert client.ask("GET", path).status == 404


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("door", ["device", "people", "join"])
def test_openssl_sees_tls_1_3_a_chain_to_the_root_and_no_tickets(hub, device, door):
    def s_client(*flags):
        where = hub.urls[door].removeprefix("https://")
        return subprocess.run(
            ["openssl", "s_client", "-connect", where, "-CAfile", hub.state / "ca.pem", *flags],
            input=b"GET /v1/nonce HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            capture_output=True,
            timeout=60,
            check=False,
        ).stdout.decode()

    identity = ("-cert", device.cert, "-cert_chain", device.cert, "-key", device.key)
    seen = s_client("-ign_eof", "-verify_hostname", "localhost", *(identity if door == "device" else ()))
    assert "Verify return code: 0 (ok)" in seen
    assert "New, TLSv1.3" in seen
    assert "New Session Ticket" not in seen
    assert "HTTP/1.1 " in seen
    assert "HTTP/1.1 " not in s_client("-tls1_2", "-ign_eof")
    if door == "device":
        assert "HTTP/1.1 " not in s_client("-ign_eof")


def test_what_the_refusals_say_gives_nothing_away(hub, device):
    with hub.as_device(device) as client:
        said = client.ask("POST", "/v1/certificate", b"{").said
    assert set(said) == {"error", "code"}
    assert "Traceback" not in json.dumps(said)
    assert "Traceback" not in hub.log.read_text()
