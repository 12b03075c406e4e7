"""A door of a hub is trusted for a reason, and says why where it is not; real TLS throughout."""

import json
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from doors import Authority, authority, listening
from test_connect import connect_proxy

from halocline.adapters.http.door import Asked, Door, raise_for, read_fingerprint
from halocline.adapters.http.issuer import issuer_of
from halocline.errors import Misconfigured, Rejected, Transient, Untrusted

YEAR_S = 365.25 * 86_400


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ours"), "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("theirs"), "theirs")


def test_an_answer_comes_whole_with_its_status_and_headers(ours: Authority) -> None:
    with listening(ours, lambda *asked: (404, {"ETag": '"7"', "Retry-After": "3"}, asked[2])) as hub:
        with Door(hub.url, ca=ours.root) as door:
            asked = door.ask("PUT", "/v1/x", b"hello", {"If-None-Match": '"6"'})
    assert (asked.status, asked.body) == (404, b"hello")
    assert (asked.headers["etag"], asked.retry_after_s) == ('"7"', 3.0)


def test_one_connection_carries_question_after_question(ours: Authority) -> None:
    with listening(ours) as hub, Door(hub.url, ca=ours.root) as door:
        for _ in range(5):
            door.ask("GET", "/v1/twin")
    assert {number for number, *_ in hub.came} == {0}


def test_a_kept_connection_that_the_hub_closed_is_replaced_without_a_word(ours: Authority) -> None:
    with listening(ours, keep=False) as hub, Door(hub.url, ca=ours.root) as door:
        for _ in range(3):
            assert door.ask("GET", "/v1/twin").status == 200


def test_a_post_never_travels_twice(ours: Authority) -> None:
    with listening(ours, keep=False) as hub, Door(hub.url, ca=ours.root) as door:
        door.ask("GET", "/v1/twin")
        door.ask("POST", "/v1/invites", b"{}")
    assert [each[1] for each in hub.came] == ["GET", "POST"]


def test_the_token_travels_as_a_bearer(ours: Authority) -> None:
    seen: list[str] = []

    def answer(method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict, bytes]:
        seen.append(headers["authorization"])
        return 200, {}, b""

    with listening(ours, answer) as hub, Door(hub.url, ca=ours.root, token="hct_x") as door:
        door.ask("GET", "/v1/me")
    assert seen == ["Bearer hct_x"]


def test_the_device_shows_its_certificate(ours: Authority, tmp_path: Path) -> None:
    leaf = ours.ca.issue_cert("device")
    (tmp_path / "c").write_bytes(leaf.cert_chain_pems[0].bytes())
    (tmp_path / "k").write_bytes(leaf.private_key_pem.bytes())
    with listening(ours, client_ca=ours.root) as hub:
        with Door(hub.url, ca=ours.root, cert=(tmp_path / "c", tmp_path / "k")) as door:
            assert door.ask("GET", "/v1/twin").status == 200
        with Door(hub.url, ca=ours.root) as door, pytest.raises((Untrusted, Transient)):
            door.ask("GET", "/v1/twin")


def test_another_authoritys_door_is_refused_and_its_issuer_named(ours: Authority, theirs: Authority) -> None:
    with listening(theirs) as hub, Door(hub.url, ca=ours.root) as door:
        with pytest.raises(Untrusted, match="org theirs") as refused:
            door.ask("GET", "/v1/twin")
    assert refused.value.code == "HAL-722"
    assert not hub.came


def test_a_door_of_another_name_is_refused(tmp_path: Path) -> None:
    elsewhere = authority(tmp_path, "elsewhere", ("other.example",))
    with listening(elsewhere) as hub, Door(hub.url, ca=elsewhere.root) as door:
        with pytest.raises(Untrusted, match="localhost"):
            door.ask("GET", "/v1/twin")
    assert not hub.came


def test_a_fingerprint_finds_the_root_before_anything_is_sent(ours: Authority, theirs: Authority) -> None:
    with listening(ours) as hub:
        with Door(hub.url, fingerprint=ours.fingerprint) as door:
            door.trust()
            assert door.ca == ours.root
            assert door.ask("POST", "/v1/join", b"secret").status == 200
        came = len(hub.came)
        with Door(hub.url, fingerprint=theirs.fingerprint) as door:
            with pytest.raises(Untrusted, match="org ours") as refused:
                door.ask("POST", "/v1/join", b"secret")
    assert refused.value.code == "HAL-722"
    assert len(hub.came) == came == 1


def test_a_root_shown_beside_a_leaf_of_another_authority_gains_nothing(
    ours: Authority, theirs: Authority, tmp_path: Path
) -> None:
    leaf = theirs.chain.read_bytes().split(b"-----END CERTIFICATE-----\n")[0] + b"-----END CERTIFICATE-----\n"
    mixed = tmp_path / "mixed.pem"
    mixed.write_bytes(leaf + ours.root)
    with listening(theirs._replace(chain=mixed)) as hub:
        with Door(hub.url, fingerprint=ours.fingerprint) as door, pytest.raises(Untrusted):
            door.ask("POST", "/v1/join", b"secret")
    assert not hub.came


@pytest.mark.parametrize("off_s", [-50 * YEAR_S, 10 * YEAR_S])
def test_the_clock_that_counts_is_the_one_given(tmp_path: Path, off_s: float) -> None:
    then = datetime.fromtimestamp(time.time(), UTC) + timedelta(seconds=off_s)
    hub_then = authority(
        tmp_path, "then", not_before=then - timedelta(days=1), not_after=then + timedelta(days=1)
    )
    with listening(hub_then) as hub:
        with Door(hub.url, ca=hub_then.root, now_s=lambda: time.time() + off_s) as door:
            assert door.ask("GET", "/").status == 200
        with Door(hub.url, ca=hub_then.root) as door:
            with pytest.raises(Untrusted, match="ended on" if off_s < 0 else "begins on"):
                door.ask("GET", "/")


def test_a_device_refuses_what_has_surely_ended_and_passes_over_its_own_clock(tmp_path: Path) -> None:
    now_s = time.time()
    then = datetime.fromtimestamp(now_s, UTC) + timedelta(days=400)
    later = authority(tmp_path, "later", not_before=then, not_after=then + timedelta(days=1))
    with listening(later) as hub:
        with Door(hub.url, ca=later.root, passed_s=lambda: 0.0) as door:
            assert door.ask("GET", "/").status == 200
            assert door.certified == pytest.approx((then.timestamp(), then.timestamp() + 86_400), abs=1)
        with Door(hub.url, ca=later.root, passed_s=lambda: now_s + 402 * 86_400) as door:
            with pytest.raises(Untrusted, match="ended on"):
                door.ask("GET", "/")


def test_an_older_tls_is_refused(ours: Authority) -> None:
    with listening(ours, version=ssl.TLSVersion.TLSv1_2) as hub, Door(hub.url, ca=ours.root) as door:
        with pytest.raises(Untrusted, match="TLS"):
            door.ask("GET", "/")


def test_nothing_that_listens_and_silence_are_told_apart(ours: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://localhost:{silent.getsockname()[1]}"
        with Door(url, ca=ours.root, timeout_s=0.3) as door:
            began_s = time.monotonic()
            with pytest.raises(Transient, match=r"0\.\d+ s") as late:
                door.ask("GET", "/")
            assert time.monotonic() - began_s < 5
    with Door(url, ca=ours.root) as door, pytest.raises(Transient, match="refused") as gone:
        door.ask("GET", "/")
    assert late.value.code == gone.value.code == "HAL-721"


def test_a_proxy_with_credentials_leads_to_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    far = authority(tmp_path, "far", ("hub.example",))
    with listening(far) as hub, connect_proxy(int(hub.url.rpartition(":")[2])) as (port, heads):
        monkeypatch.setenv("HTTPS_PROXY", f"http://fleet:p%40ss@127.0.0.1:{port}")
        with Door("https://hub.example:8443", fingerprint=far.fingerprint) as door:
            assert door.ask("GET", "/v1/twin").status == 200
    assert heads[0].startswith("CONNECT hub.example:8443 HTTP/1.1")
    assert "Proxy-Authorization: Basic ZmxlZXQ6cEBzcw==" in heads[0]


def test_a_proxy_that_inspects_tls_is_named_by_its_issuer(
    ours: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forged = authority(tmp_path, "inspection", ("hub.example",))
    with listening(forged) as hub, connect_proxy(int(hub.url.rpartition(":")[2])) as (port, _):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        for trusting in ({"ca": ours.root}, {"fingerprint": ours.fingerprint}):
            with Door("https://hub.example:8443", **trusting) as door:
                with pytest.raises(Untrusted, match="org inspection"):
                    door.ask("POST", "/v1/join", b"secret")
        assert not hub.came


def test_closing_ends_a_question_that_waits(ours: Authority) -> None:
    held = threading.Event()
    reached = threading.Event()

    def hold(*asked: object) -> tuple[int, dict, bytes]:
        reached.set()
        held.wait(30)
        return 200, {}, b""

    with listening(ours, hold) as hub:
        door = Door(hub.url, ca=ours.root, timeout_s=60)
        errors: list[Exception] = []

        def ask() -> None:
            try:
                door.ask("GET", "/")
            except Transient as error:
                errors.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        assert reached.wait(30)
        door.close()
        asking.join(20)
        held.set()
    assert not asking.is_alive()
    assert errors


@pytest.mark.parametrize(
    "url",
    ["http://localhost:1", "https://localhost:1/v2", "localhost:1", "https://", "https://u:p@localhost"],
)
def test_what_is_no_site_of_a_hub_is_refused_with_the_form(url: str) -> None:
    with pytest.raises(Misconfigured, match="HAL-104"):
        Door(url)


def test_a_fingerprint_is_read_as_people_write_it() -> None:
    digits = "0123456789abcdef" * 4
    pairs = ":".join(digits[at : at + 2] for at in range(0, 64, 2)).upper()
    assert read_fingerprint(f"SHA256:{pairs}") == f"sha256:{digits}"
    with pytest.raises(Misconfigured):
        read_fingerprint(f"sha256:{digits[1:]}")


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "text"),
    [
        (403, {"error": "revoked", "code": "HAL-722"}, Rejected, "HAL-722", "revoked"),
        (503, {"error": "busy", "code": "HAL-721"}, Transient, "HAL-721", "busy"),
        (429, {"error": "slow"}, Transient, "HAL-723", "slow"),
        (404, {"error": "x", "code": "<b>"}, Rejected, "HAL-723", "x"),
        (502, None, Transient, "HAL-723", "status 502"),
    ],
)
def test_an_error_answer_becomes_the_error_that_the_hub_meant(
    status: int, body: dict | None, kind: type[Exception], code: str, text: str
) -> None:
    sent = b"<html>" if body is None else json.dumps(body).encode()
    with pytest.raises(kind, match=text) as raised:
        raise_for(Asked(status, {}, sent))
    assert getattr(raised.value, "code") == code  # noqa: B009


def test_successes_pass() -> None:
    for status in (200, 201, 202, 204, 304):
        raise_for(Asked(status, {}, b""))


def test_the_issuer_of_any_bytes_is_a_text(ours: Authority) -> None:
    der = ssl.PEM_cert_to_DER_cert(ours.root.decode())
    assert "org ours" in issuer_of(der)
    for end in range(0, len(der), 7):
        assert isinstance(issuer_of(der[:end]), str)
