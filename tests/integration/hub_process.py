"""A hub in a process of its own, and raw clients of its doors."""

import contextlib
import http.client
import json
import ssl
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from forked import Forked, halocline

from halocline.adapters.certificates.request import make_key, make_request


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.body)


class Client:
    """One connection to a door, kept alive."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        host, _, port = url.removeprefix("https://").rpartition(":")
        self.connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=30)

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **more: Any
    ) -> Answer:
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        self.connection.request(method, path, data, headers or {}, **more)
        came = self.connection.getresponse()
        return Answer(came.status, {n.lower(): v for n, v in came.getheaders()}, came.read())

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()


class Joined(NamedTuple):
    """A device's identity, in files."""

    id: str
    key_pem: bytes
    cert: Path
    key: Path


class HubProcess:
    """A hub that runs."""

    def __init__(self, state: Path, told: dict[str, Any], process: Forked, log: Path) -> None:
        self.state = state
        self.process = process
        self.log = log
        self.device, self.people, self.join = (told["urls"][door] for door in ("device", "people", "join"))
        self.told = told

    @property
    def urls(self) -> dict[str, str]:
        return {"device": self.device, "people": self.people, "join": self.join}

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {(self.state / 'admin.token').read_text().strip()}"}

    def context(self, cert: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.state / "ca.pem"))
        if cert is not None:
            context.load_cert_chain(cert, key)
        return context

    def client(self, url: str, cert: Path | None = None, key: Path | None = None) -> Client:
        return Client(url, self.context(cert, key))

    def as_device(self, joined: Joined) -> Client:
        return self.client(self.device, joined.cert, joined.key)

    def as_admin(self, method: str, path: str, body: Any = None) -> Answer:
        with self.client(self.people) as client:
            return client.ask(method, path, body, self.bearer)

    def audit(self) -> list[dict[str, Any]]:
        return [line["entry"] for line in self.as_admin("GET", "/v1/audit").said["entries"]]

    def secret(self, **more: Any) -> str:
        """An invite's secret, as a join request carries it."""
        from halocline.wire.invite import decode_invite

        made = self.as_admin("POST", "/v1/invites", {"uses": 100, **more})
        assert made.status == 201, made
        return urlsafe_b64encode(decode_invite(made.said["invite"]).secret).decode()

    def enrolled(self, folder: Path, name: str = "dev") -> Joined:
        """A device that has just joined."""
        key_pem = make_key()
        with self.client(self.join) as client:
            asked = {"csr": make_request(key_pem), "invite": self.secret()}
            came = client.ask("POST", "/v1/join", asked)
        assert came.status == 200, came
        cert, key = folder / f"{name}.pem", folder / f"{name}.key"
        cert.write_text(came.said["certificate"])
        key.write_bytes(key_pem)
        return Joined(came.said["device"], key_pem, cert, key)


def words(state: Path, *flags: str, ports: tuple[int, int, int] = (0, 0, 0)) -> list[str]:
    """The words of a hub on free ports, or on these."""
    doors = [
        word
        for door, port in zip(("device", "people", "join"), ports, strict=True)
        for word in (f"--{door}-port", str(port))
    ]
    return ["hub", "serve", "--state", str(state), "--json", *doors, *flags]


def command(state: Path, *flags: str) -> list[str]:
    """A hub on free ports, as users start it."""
    return [sys.executable, "-m", "halocline", *words(state, *flags)]


@contextlib.contextmanager
def hub_process(state: Path, *flags: str, ports: tuple[int, int, int] = (0, 0, 0)) -> Iterator[HubProcess]:
    """A hub on free ports, or on these, until the block ends."""
    log = state.parent / f"{state.name}.log"
    process = halocline(*words(state, *flags, ports=ports), stderr=log)
    try:
        line = process.stdout.readline()
        assert line, log.read_text()
        yield HubProcess(state, json.loads(line), process, log)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)
        process.stdout.close()
