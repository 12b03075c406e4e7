"""What systemd hears of us, over a real datagram socket."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import identity, serving

from halocline.adapters.sd_notify import Supervisor


@contextlib.contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(address)
        sock.settimeout(10)
        yield sock


def heard(sock: socket.socket) -> list[bytes]:
    """All that has come: a datagram on this machine is there once it was sent."""
    words = []
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            words.append(sock.recv(4096))
    return words


@pytest.fixture(params=["path", "abstract"])
def notified(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    if request.param == "path":
        name = bound = str(tmp_path / "notify")
    else:
        unique = f"halocline-test-{os.getpid()}"
        name, bound = f"@{unique}", f"\0{unique}"
    with listening(bound) as sock:
        yield name, sock


def test_ready_and_stopping_are_told(notified: tuple[str, socket.socket]) -> None:
    name, sock = notified
    supervisor = Supervisor({"NOTIFY_SOCKET": name})
    supervisor.ready()
    supervisor.stopping()
    assert heard(sock) == [b"READY=1", b"STOPPING=1"]


def test_that_we_live_is_told_at_half_of_the_time_that_is_waited(notified: tuple[str, socket.socket]) -> None:
    name, sock = notified
    supervisor = Supervisor({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "7"}, pid=7)
    assert supervisor.watchdog_s == 10.0
    told = []
    for tenth in range(400):  # 40 s, as a server's ticks come
        supervisor.alive(1000.0 + tenth / 10)
        told += [(tenth, word) for word in heard(sock)]
    assert told == [(at, b"WATCHDOG=1") for at in (0, 100, 200, 300)]


@pytest.mark.parametrize(
    "watchdog",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "-5"},
     {"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "8"}],
)  # fmt: skip
def test_where_no_sign_of_life_is_asked_for_none_is_given(
    notified: tuple[str, socket.socket], watchdog: dict[str, str]
) -> None:
    name, sock = notified
    supervisor = Supervisor({"NOTIFY_SOCKET": name, **watchdog}, pid=7)
    supervisor.alive(1000.0)
    assert supervisor.watchdog_s is None
    assert heard(sock) == []


@pytest.mark.parametrize("name", ["", "@", "relative", "vsock:2:1234", "/nowhere/at/all", "/" + "x" * 300])
def test_a_supervisor_that_is_not_there_stops_nothing(name: str) -> None:
    supervisor = Supervisor({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "2"})
    supervisor.ready()
    supervisor.alive(1.0)
    supervisor.stopping()


def test_a_supervisor_that_does_not_read_holds_nobody_up(notified: tuple[str, socket.socket]) -> None:
    name, sock = notified
    supervisor = Supervisor({"NOTIFY_SOCKET": name})
    for _ in range(5000):  # more than its queue takes
        supervisor.ready()
    assert 0 < len(heard(sock)) < 5000


def test_a_server_tells_when_it_listens_that_it_lives_and_when_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = identity(tmp_path, "FP32")
    with listening(str(tmp_path / "notify")) as sock:
        sock.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "400000")
        with serving(model) as server:
            words = [sock.recv(4096) for _ in range(4)]
            assert server.get("/v2/health/live")[0] == 200
        while words[-1] != b"STOPPING=1":
            words.append(sock.recv(4096))
    assert words.count(b"READY=1") == 1
    assert set(words) == {b"READY=1", b"WATCHDOG=1", b"STOPPING=1"}
