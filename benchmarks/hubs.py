"""Run a hub and let devices join it, as the programs that users start, and speak to it as a device does."""

import contextlib
import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psutil

from halocline.adapters.certificates.request import make_key, make_request
from halocline.adapters.http.door import Door
from halocline.adapters.http.people import PeopleDoor
from halocline.wire import channel, people
from halocline.wire.invite import decode_invite

MIB = 1 << 20
END_S = 30.0


class Running(NamedTuple):
    """A program of ours, and what it announced on its first line."""

    process: psutil.Process
    told: dict[str, Any]

    def cpu_s(self) -> float:
        """CPU seconds that it and its children have used."""
        total = 0.0
        for each in (self.process, *self.process.children(recursive=True)):
            times = each.cpu_times()
            total += times.user + times.system
        return total

    def memory_mib(self) -> tuple[float, float]:
        """RSS and PSS of it and its children; what they share with other programs counts in RSS whole."""
        all_of_it = [self.process, *self.process.children(recursive=True)]
        full = [each.memory_full_info() for each in all_of_it]
        return sum(each.rss for each in full) / MIB, sum(each.pss for each in full) / MIB


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[Running]:
    """`halocline ARGUMENTS --json`, up to its end by SIGTERM."""
    command = [sys.executable, "-m", "halocline", *arguments, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as started:
        try:
            assert started.stdout is not None
            line = started.stdout.readline()
            if not line:
                raise SystemExit(f"{' '.join(command)} did not start")
            yield Running(psutil.Process(started.pid), json.loads(line))
        finally:
            started.terminate()
            try:
                started.wait(END_S)
            except subprocess.TimeoutExpired:
                started.kill()


@contextlib.contextmanager
def hub(state: Path, *more: str, ports: Sequence[int] = (0, 0, 0)) -> Iterator[Running]:
    """A hub with its database in a file, as durable as ever; it lets one address join without end."""
    doors = zip(("--device-port", "--people-port", "--join-port"), map(str, ports), strict=True)
    told = [text for pair in doors for text in pair]
    with running("hub", "serve", "--state", str(state), *told, "--joins-per-s", "1000000", *more) as started:
        yield started


def ports_of(started: Running) -> list[int]:
    """The ports of a hub's doors: devices, people, joining."""
    return [urlsplit(started.told["urls"][name]).port or 0 for name in ("device", "people", "join")]


def invite(state: Path, started: Running, uses: int) -> str:
    """An invite for so many devices, made over the people's door with the admin's token."""
    token = (state / "admin.token").read_text().strip()
    door = Door(started.told["urls"]["people"], ca=(state / "ca.pem").read_bytes(), token=token)
    with PeopleDoor(door) as asked:
        return asked.invite(people.InviteRequest(uses=uses, ttl_s=3600.0, labels={"type": "cam"})).invite


def join_device(state: Path, invited: str) -> None:
    """`halocline agent join`."""
    command = [sys.executable, "-m", "halocline", "agent", "join", invited, "--state", str(state)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Newcomer(NamedTuple):
    """A device before it joins: its key, and the whole request."""

    key: bytes
    request: bytes


def newcomer(invited: str) -> Newcomer:
    """A new key, and the request to join by that invite; the connection ends with the answer."""
    key = make_key()
    asked = channel.JoinRequest(csr=make_request(key), invite=decode_invite(invited).shown)
    return Newcomer(key, request("POST", "/v1/join", channel.encode(asked), "Connection: close"))


def request(method: str, path: str, body: bytes = b"", *headers: str) -> bytes:
    """A whole request."""
    fields = ["Host: localhost", *headers]
    if body:
        fields.append(f"Content-Length: {len(body)}")
    return "\r\n".join([f"{method} {path} HTTP/1.1", *fields, "", ""]).encode() + body


def trusting(ca: Path, pair: Path | None = None) -> ssl.SSLContext:
    """TLS 1.3 with that authority, and the certificate and key in a file."""
    context = ssl.create_default_context(cafile=str(ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if pair is not None:
        context.load_cert_chain(pair)
    return context


class Line:
    """One connection that is kept: to a port of this machine, or a Unix socket; with TLS where told so."""

    def __init__(self, address: int | Path, tls: ssl.SSLContext | None = None) -> None:
        if isinstance(address, Path):
            plain = socket.socket(socket.AF_UNIX)
            plain.connect(str(address))
        else:
            plain = socket.create_connection(("127.0.0.1", address), 30.0)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = plain if tls is None else tls.wrap_socket(plain, server_hostname="localhost")

    def ask(self, asked: bytes, status: int = 200) -> bytes:
        """The answer's body; any other status ends the benchmark."""
        self._socket.sendall(asked)
        data = self._socket.recv(65_536)
        while b"\r\n\r\n" not in data:
            more = self._socket.recv(65_536)
            if not more:
                raise SystemExit(f"the connection ended within an answer: {data[:300]!r}")
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 %d " % status):
            raise SystemExit(f"expected {status}, got {data[:300]!r}")
        at = head.lower().find(b"content-length: ")
        length = int(head[at + 16 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        while len(body) < length:
            body += self._socket.recv(65_536)
        return body

    def close(self) -> None:
        """End it."""
        self._socket.close()

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def enrol(port: int, tls: ssl.SSLContext, new: Newcomer) -> channel.JoinReply:
    """Join over a connection of its own."""
    with Line(port, tls) as line:
        return channel.decode(line.ask(new.request), channel.JoinReply)


def keep_pair(path: Path, new: Newcomer, reply: channel.JoinReply) -> Path:
    """A device's certificate and key in one file."""
    path.touch(mode=0o600)
    path.write_bytes(reply.certificate.encode() + new.key)
    return path


def until(true: Any, what: str, patience_s: float = 60.0) -> None:
    """Wait for what must come."""
    until_s = time.monotonic() + patience_s
    while not true():
        if time.monotonic() > until_s:
            raise SystemExit(f"{what} did not come about within {patience_s:g} s")
        time.sleep(0.1)


if __name__ == "__main__":
    print("This file holds what hub.py and agent.py share; run one of those.", file=sys.stderr)
    sys.exit(2)
