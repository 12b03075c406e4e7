"""The promises of `halocline doctor`: what usually goes wrong is told apart, each with its own fix."""

import contextlib
import datetime
import http.server
import json
import ssl
import threading
import time

import pytest
import trustme

from halocline.cli.checks import Status
from halocline.cli.checks.cloud import Access, check_cloud
from halocline.cli.checks.machine import check_clock, check_python, check_runtimes

METADATA = {
    "/v2/health/ready": {"ready": True},
    "/v2": {"name": "other", "version": "7", "extensions": ["binary_tensor_data"]},
    "/v2/models/m": {
        "name": "m",
        "versions": ["3"],
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 2]}],
    },
}


class Answers(http.server.BaseHTTPRequestHandler):
    """Says what a model server says of itself; its clock may be wrong, its readiness missing."""

    protocol_version = "HTTP/1.1"
    clock_ahead_s = 0.0
    ready_status = 200

    def do_GET(self):
        known = METADATA.get(self.path)
        status = 404 if known is None else self.ready_status if self.path.endswith("ready") else 200
        body = json.dumps(known or {"error": "no such thing"}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp=None):
        return super().date_time_string(time.time() + self.clock_ahead_s)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def serving(context=None, **settings):
    handler = type("Handler", (Answers,), settings)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.handle_error = lambda *args: None
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def checks(url, **access):
    """Each check by its step, as in "tls"."""
    found = {check.name.rpartition(" ")[2]: check for check in check_cloud(url, Access(**access))}
    for check in found.values():
        assert "\n" not in check.detail
        assert bool(check.fix) == (check.status is not Status.OK)
    return found


def server_context(certificate, client_authority=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if client_authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        client_authority.configure_trust(context)
    return context


@pytest.fixture(scope="module")
def authority():
    return trustme.CA(organization_name="Harbour")


@pytest.fixture(scope="module")
def ca(authority, tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def test_a_server_in_order_passes_every_check():
    with serving() as port:
        found = checks(f"http://127.0.0.1:{port}/v2/models/m")
    assert list(found) == ["address", "connection", "ready", "server", "model", "clock"]
    assert {check.status for check in found.values()} == {Status.OK}
    assert "binary tensors" in found["server"].detail
    assert "m@3: x float32 [-1, 4] -> y float32 [-1, 2]" in found["model"].detail


def test_a_server_without_a_model_in_the_url_is_checked_too():
    with serving() as port:
        assert "model" not in checks(f"http://127.0.0.1:{port}")


def test_a_model_that_is_not_there_and_a_server_that_is_not_ready_are_told():
    with serving(ready_status=503) as port:
        found = checks(f"http://127.0.0.1:{port}/v2/models/other")
    assert found["ready"].status is Status.FAIL
    assert "wait" in found["ready"].fix
    assert "status 404: no such thing" in found["model"].detail
    assert "name and version" in found["model"].fix


@pytest.mark.parametrize(("apart_s", "status"), [(30, Status.OK), (120, Status.WARN), (-4000, Status.FAIL)])
def test_clocks_that_disagree_are_told(apart_s, status):
    with serving(clock_ahead_s=apart_s) as port:
        clock = checks(f"http://127.0.0.1:{port}/v2/models/m")["clock"]
    assert clock.status is status
    if status is Status.FAIL:
        assert "ahead of the server's" in clock.detail


def test_a_trusted_certificate_is_shown_with_issuer_and_end(authority, ca):
    with serving(server_context(authority.issue_cert("127.0.0.1"))) as port:
        tls = checks(f"https://127.0.0.1:{port}/v2/models/m", ca=ca)["tls"]
    assert tls.status is Status.OK
    assert "TLSv1.3, for 127.0.0.1, issued by Harbour, valid until " in tls.detail


def test_a_certificate_that_ends_soon_is_a_warning(authority, ca):
    now = datetime.datetime.now(datetime.UTC)
    soon = authority.issue_cert(
        "127.0.0.1",
        not_before=now - datetime.timedelta(days=80),
        not_after=now + datetime.timedelta(days=5),
    )
    with serving(server_context(soon)) as port:
        found = checks(f"https://127.0.0.1:{port}/v2/models/m", ca=ca)
    assert found["tls"].status is Status.WARN
    assert "renew" in found["tls"].fix
    assert found["model"].status is Status.OK


def test_a_certificate_that_is_not_accepted_is_shown_all_the_same(authority, ca):
    ended = authority.issue_cert(
        "127.0.0.1",
        not_before=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
        not_after=datetime.datetime(2021, 1, 1, tzinfo=datetime.UTC),
    )
    cases = [
        (authority.issue_cert("127.0.0.1"), None, "--ca PATH"),
        (ended, ca, "renew the server's certificate"),
        (authority.issue_cert("10.9.8.7"), ca, "a name that the certificate holds"),
    ]
    for certificate, trusted, fix in cases:
        with serving(server_context(certificate)) as port:
            found = checks(f"https://127.0.0.1:{port}/v2/models/m", ca=trusted)
        assert list(found) == ["address", "connection", "tls"]
        assert found["tls"].status is Status.FAIL
        assert "issued by Harbour" in found["tls"].detail
        assert fix in found["tls"].fix
    assert "2021 GMT" in checks_of_ended(ended, ca)


def checks_of_ended(ended, ca):
    with serving(server_context(ended)) as port:
        return checks(f"https://127.0.0.1:{port}/v2/models/m", ca=ca)["tls"].detail


def test_a_missing_client_certificate_is_asked_for(authority, ca, tmp_path):
    client = tmp_path / "client.pem"
    authority.issue_cert("device").private_key_and_cert_chain_pem.write_to_path(str(client))
    with serving(server_context(authority.issue_cert("127.0.0.1"), authority)) as port:
        url = f"https://127.0.0.1:{port}/v2/models/m"
        without, with_it = checks(url, ca=ca), checks(url, ca=ca, cert=client)
    assert "--cert PATH" in without["protocol"].fix
    assert with_it["model"].status is Status.OK


def test_tls_and_plaintext_taken_for_one_another_are_told(authority, ca):
    with serving() as port:
        assert "speaks TLS" in checks(f"https://127.0.0.1:{port}/v2/models/m", ca=ca)["tls"].fix
    with serving(server_context(authority.issue_cert("127.0.0.1"))) as port:
        assert "https://" in checks(f"http://127.0.0.1:{port}/v2/models/m")["protocol"].fix


@pytest.mark.parametrize(
    ("url", "step", "says"),
    [
        ("ftp://host/v2/models/m", "url", "HAL-104"),
        ("https://halocline.invalid", "address", "does not resolve"),
        ("http://127.0.0.1:1", "connection", "refuses"),
    ],
)
def test_the_first_step_that_fails_is_the_last(url, step, says):
    found = checks(url)
    assert list(found)[-1] == step
    assert found[step].status is Status.FAIL
    assert says in found[step].detail


@pytest.mark.parametrize("url", ["ftp://host", "https://", "http://a b", "http://host:99999/"])
def test_an_address_that_cannot_be_used_is_quoted_as_it_was_typed(url):
    found = checks(url)
    assert found["url"].status is Status.FAIL
    assert repr(url) in found["url"].detail
    assert "/any" not in found["url"].detail


def test_a_password_in_an_address_is_not_printed():
    (check,) = check_cloud("https://me:secret@host", Access())
    assert "secret" not in f"{check.name} {check.detail}"


def test_an_address_of_numbers_is_not_looked_up():
    for address in ("http://127.0.0.1:1", "http://[::1]:1"):
        detail = checks(address)["address"].detail
        assert "no name to look up" in detail
        assert " is 127.0.0.1," not in detail
    assert "[::1]:1 " in checks("http://[::1]:1")["connection"].detail


def test_two_runtimes_that_fight_over_one_module_are_told_with_the_command_that_ends_it():
    check = check_runtimes(["onnxruntime", "onnxruntime-gpu"])
    assert check.status is Status.FAIL
    assert check.fix == (
        "keep one: pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime-gpu"
    )
    assert check_runtimes([]).fix == "pip install onnxruntime"
    assert check_runtimes(["onnxruntime"]).status is Status.OK


def test_a_clock_of_1970_and_an_untested_python_are_told():
    assert check_clock(0.0).status is Status.FAIL
    assert "1970-01-01" in check_clock(0.0).detail
    assert check_clock(time.time()).status is Status.OK
    assert check_python((3, 11)).status is Status.OK
    assert check_python((3, 10)).status is Status.WARN
    assert check_python((3, 14)).status is Status.WARN
