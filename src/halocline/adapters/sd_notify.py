"""Tell systemd that we are ready, alive, or stopping (sd_notify(3)); where it does not ask, say nothing."""

import contextlib
import os
import socket
from collections.abc import Mapping
from typing import Final

_MICROSECONDS: Final = 1_000_000


class Supervisor:
    """Whoever started this program, as `environment` names it; without one every method does nothing.

    A word that does not get through is lost: a program does not end for its supervisor's sake. Not
    thread-safe: one thread, the one whose life counts, calls `alive`.
    """

    def __init__(self, environment: Mapping[str, str], pid: int | None = None) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._every_s = _every_s(environment, os.getpid() if pid is None else pid)
        self._told_s: float | None = None

    @property
    def watchdog_s(self) -> float | None:
        """How often `alive` tells that we live: half of what the supervisor waits; None: it does not ask."""
        return None if self._address is None else self._every_s

    def ready(self) -> None:
        """Tell that the start is complete."""
        self._tell(b"READY=1")

    def stopping(self) -> None:
        """Tell that the end has begun."""
        self._tell(b"STOPPING=1")

    def alive(self, now_s: float) -> None:
        """Tell that we live, where it is time to; to be called more often, `now_s` on `time.monotonic`."""
        every_s = self.watchdog_s
        if every_s is not None and (self._told_s is None or now_s - self._told_s >= every_s):
            self._told_s = now_s
            self._tell(b"WATCHDOG=1")

    def _tell(self, word: bytes) -> None:
        if self._address is None:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock,
        ):
            sock.setblocking(False)  # a supervisor that does not read must not hold us up
            sock.sendto(word, self._address)


def _address(named: str) -> str | bytes | None:
    """A path, or a name in the abstract space, which is written with @; None for what is neither."""
    if named.startswith("/"):
        return named
    return b"\0" + os.fsencode(named[1:]) if named.startswith("@") and len(named) > 1 else None


def _every_s(environment: Mapping[str, str], pid: int) -> float | None:
    stated = environment.get("WATCHDOG_USEC", "")
    meant = environment.get("WATCHDOG_PID", "") or str(pid)
    if not stated.isdecimal() or int(stated) == 0 or meant != str(pid):
        return None
    return int(stated) / _MICROSECONDS / 2
