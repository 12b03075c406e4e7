"""Hubs as processes of their own, and devices and people who ask them over their real doors."""

import contextlib
import os
import selectors
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Self

import msgspec
from forked import Forked, command

from halocline.adapters.device_folder import folder as device_folder
from halocline.adapters.device_folder.folder import DeviceFolder
from halocline.adapters.device_folder.identity import IDENTITY, PLACES, Places
from halocline.adapters.http import joining
from halocline.adapters.http.door import Door
from halocline.adapters.http.people import PeopleDoor
from halocline.wire.invite import decode_invite

PATIENCE_S: Final = 60.0
PORTS_0: Final = ("--device-port", "0", "--people-port", "0", "--join-port", "0")


class Urls(msgspec.Struct):
    device: str
    people: str
    join: str


class _Told(msgspec.Struct):
    urls: Urls


class HubProcess:
    """A running hub; `urls` are its three doors."""

    def __init__(self, state: Path, *more: str, run: Callable[..., Any] = command) -> None:
        self.state = state
        self._log = state.parent / f"{state.name}.log"
        self.process = Forked(run, "hub", "serve", "--state", str(state), *more, "--json", stderr=self._log)
        try:
            self.urls = msgspec.json.decode(self._first_line(), type=_Told).urls
        except BaseException:
            self.kill()
            raise

    def people(self) -> PeopleDoor:
        """The people's door, as the first admin."""
        token = (self.state / "admin.token").read_text(encoding="utf-8").strip()
        ca = (self.state / "ca.pem").read_bytes()
        return PeopleDoor(Door(self.urls.people, ca=ca, token=token, timeout_s=PATIENCE_S))

    def stop(self) -> int:
        """End it as an operator does; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self._ended()

    def kill(self) -> int:
        """End it as a power cut does."""
        self.process.kill()
        return self._ended()

    def died(self) -> int:
        """Wait until it has ended by itself; the exit status."""
        return self._ended()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
        self._ended()

    def _ended(self) -> int:
        code = self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        return code

    def _first_line(self) -> bytes:
        with selectors.DefaultSelector() as ready:
            ready.register(self.process.stdout, selectors.EVENT_READ)
            assert ready.select(PATIENCE_S), "the hub did not say where it is"
        line = self.process.stdout.readline()
        assert line, self._log.read_text(encoding="utf-8")[-2000:]
        return line


@contextlib.contextmanager
def device(path: Path) -> Iterator[DeviceFolder]:
    """A device's state folder, held."""
    with device_folder.held(path) as folder:
        yield folder


def join(folder: DeviceFolder, invite: str, *, at: str | None = None) -> Places:
    """Join the invite's hub, or, by the same invite, another process of it at that joining door."""
    meant = decode_invite(invite)
    wanted = joining.Wanted(url=at or meant.url, fingerprint=meant.fingerprint, secret=meant.shown)
    return joining.join(folder, wanted, wait_s=0.0, waits=lambda _: None, timeout_s=PATIENCE_S)


def point_at(path: Path, urls: Urls) -> None:
    """Let the device in that folder ask another process from now on."""
    file = path / IDENTITY / PLACES
    known = msgspec.json.decode(file.read_bytes(), type=Places)
    moved = msgspec.structs.replace(known, channel=urls.device, join=urls.join)
    beside = file.with_suffix(".new")
    beside.write_bytes(msgspec.json.encode(moved))
    os.replace(beside, file)


def free_ports(count: int) -> list[int]:
    """So many ports that nobody uses now, for a hub that must be found again after a restart."""
    with contextlib.ExitStack() as open_now:
        socks = [open_now.enter_context(socket.socket()) for _ in range(count)]
        for each in socks:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in socks]
