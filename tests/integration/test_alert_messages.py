"""Alerts reach their receiver signed, in order, and again where it was away; people read them at the hub."""

import contextlib
import http.server
import json
import ssl
import threading
import time
import urllib.request

import msgspec
import pytest
from hub_process import hub_process
from people_hub import people_hub
from terminal import Terminal

from halocline.adapters.http.webhook import Webhook
from halocline.adapters.sql import open_store
from halocline.assemble_alerts import AlertWatch, webhook_of
from halocline.decide.alerts import Alert, AlertKind
from halocline.errors import Misconfigured
from halocline.fleet import Device, DeviceState
from halocline.testing.memory_store import MemoryStore
from halocline.wire.alert import AlertMessage, sign

SECRET = "a secret of enough characters"
CLONED = Device(
    id="dev-abcdefghij234567", key="sha256:k", state=DeviceState.ENROLLED, created_s=1.0, cloned_s=1.0
)


@contextlib.contextmanager
def receiver(*statuses: int):
    """Takes posts on loopback; the first ones are answered by these statuses."""
    came: list[tuple[dict[str, str], bytes]] = []
    left = list(statuses)

    class Taken(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            came.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(left.pop(0) if left else 204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taken)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/alerts?team=1", came
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def until(holds) -> None:
    end_s = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.01)


@pytest.fixture
def secret(monkeypatch) -> str:
    monkeypatch.setenv("ALERT_SECRET", SECRET)
    return "env:ALERT_SECRET"


def message(number: int) -> AlertMessage:
    alert = Alert(id=f"a{number}", kind=AlertKind.DISK, since_s=1.0, cause="c", todo="t")
    return AlertMessage(event="opened", at_s=1.0, hub="https://localhost:1", alert=alert)


def test_messages_are_signed_and_come_in_order_also_after_failures(secret):
    with receiver(500, 503) as (url, came):
        webhook = Webhook(url, secret, first_s=0.01)
        try:
            for number in range(3):
                webhook.send(message(number))
            until(lambda: len(came) == 5)
        finally:
            webhook.close()
    assert [json.loads(body)["alert"]["id"] for _, body in came] == ["a0", "a0", "a0", "a1", "a2"]
    for headers, body in came:
        stamp = headers["halocline-timestamp"]
        assert headers["halocline-signature"] == sign(SECRET.encode(), stamp, body)
        assert abs(time.time() - float(stamp)) < 120
    assert len({headers["halocline-delivery"] for headers, _ in came}) == 3


def test_one_message_an_opening_and_one_a_closing(secret, tmp_path):
    store = MemoryStore()
    with store.change() as tx:
        tx.put_device(msgspec.structs.replace(CLONED, seen_s=time.time(), cloned_s=time.time()))
    with receiver() as (url, came), webhook_of(url, secret) as webhook:
        watch = AlertWatch(store, tmp_path, "https://localhost:1", webhook)
        watch.look()
        watch.look()
        clones = [each for each in watch.open() if each.kind is AlertKind.CLONE]
        assert len(clones) == 1
        with store.change() as tx:
            tx.put_device(msgspec.structs.replace(CLONED, state=DeviceState.REVOKED))
        watch.look()

        def events() -> list[str]:
            told = [msgspec.json.decode(body, type=AlertMessage) for _, body in came]
            return [each.event for each in told if each.alert.kind is AlertKind.CLONE]

        until(lambda: len(events()) == 2)
        assert events() == ["opened", "closed"]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://example.org/x", "must be https://"),
        ("ftp://example.org/x", "https://HOST"),
        ("https://me:pw@example.org/", "user name"),
        ("https://h:99999/", "no URL"),
        (None, "--alert-webhook is missing"),
    ],
)
def test_a_webhook_that_would_not_be_safe_is_refused(secret, url, says):
    with pytest.raises(Misconfigured, match="HAL-763") as caught, webhook_of(url, secret):
        pass
    assert says in str(caught.value)


def test_a_short_secret_is_refused(monkeypatch):
    monkeypatch.setenv("SHORT", "1234")
    with pytest.raises(Misconfigured, match="at least 16"):
        Webhook("https://localhost/", "env:SHORT")


def test_people_read_what_is_open(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HALOCLINE_CONFIG", str(tmp_path / "config"))
    says = Terminal(capsys).says
    is_open: list[Alert] = []
    with people_hub(tmp_path, alerts=lambda: is_open) as hub:
        says("login", hub.url, "--ca", str(hub.ca), "--token", f"file:{hub.token}")
        assert says("alert", "list") == "nothing is wrong"
        is_open.append(message(1).alert)
        assert json.loads(says("alert", "list", "--json"))["alerts"][0]["id"] == "a1"
        assert "hub.disk" in says("alert", "list")


def test_a_hub_that_runs_tells_of_a_clone_on_all_its_ways(secret, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HALOCLINE_CONFIG", str(tmp_path / "config"))
    folder = tmp_path / "hub"
    with hub_process(folder):
        pass
    store = open_store(str(next(folder.glob("*.db"))), "test")
    with store.change() as tx:
        tx.put_device(msgspec.structs.replace(CLONED, seen_s=time.time(), cloned_s=time.time()))
    store.close()
    with (
        receiver() as (url, came),
        hub_process(folder, "--alert-webhook", url, "--alert-secret", secret) as hub,
    ):
        people, ca = hub.people, hub.told["ca"]
        until(lambda: any(b"device.clone" in body for _, body in came))
        says = Terminal(capsys).says
        says("login", people, "--ca", ca, "--token", f"file:{folder / 'admin.token'}")
        kinds = [each["kind"] for each in json.loads(says("alert", "list", "--json"))["alerts"]]
        assert "device.clone" in kinds
        trusted = ssl.create_default_context(cafile=ca)
        with urllib.request.urlopen(people, context=trusted, timeout=30) as page:
            assert b"Your token" in page.read()
    assert hub.process.returncode == 0


def test_the_receiver_of_the_docs_tells_the_hubs_messages_from_others(request):
    text = (request.config.rootpath / "docs" / "how-to" / "be-alerted.md").read_text(encoding="utf-8")
    names: dict = {}
    exec(text.partition("```python\n")[2].partition("```")[0], names)
    is_from_the_hub = names["is_from_the_hub"]

    def signed(stamp: str, secret: str = SECRET) -> dict[str, str]:
        return {
            "Halocline-Timestamp": stamp,
            "Halocline-Signature": sign(secret.encode(), stamp, b"{}"),
        }

    now = f"{time.time():.0f}"
    assert is_from_the_hub(SECRET, signed(now), b"{}")
    assert not is_from_the_hub(SECRET, signed(now), b"{ }")
    assert not is_from_the_hub(SECRET, signed(now, "another"), b"{}")
    assert not is_from_the_hub(SECRET, signed("1000"), b"{}")
