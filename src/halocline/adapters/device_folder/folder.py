"""A device's state folder, held by one process at a time."""

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from halocline.adapters.device_folder import identity
from halocline.adapters.device_folder.files import failing
from halocline.adapters.device_folder.identity import Identity, Places
from halocline.adapters.device_folder.memory import FILE, DeviceMemory
from halocline.adapters.locks import is_locked
from halocline.errors import Misconfigured
from halocline.whole_files import PRIVATE, sync, write_folder

JOINING: Final = "joining"
LOCK: Final = "lock"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """With whom a device began to join."""

    join: str
    fingerprint: str


@contextlib.contextmanager
def held(state: Path) -> Iterator["DeviceFolder"]:
    """The folder, made where it is not there, held until the end; made for nothing, it goes again.

    Raises Misconfigured: HAL-724 where another process holds it, HAL-725 where it cannot be used.
    """
    is_new = not state.exists()
    with failing(state):
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(state / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    try:
        _take(state, lock)
        folder = DeviceFolder(state)
        folder.sweep()
        try:
            yield folder
        finally:
            folder.close()
            if is_new and os.listdir(state) == [LOCK]:
                (state / LOCK).unlink()
                state.rmdir()
    finally:
        os.close(lock)


class DeviceFolder:
    """The state folder of a device; take it by `held`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._memory: DeviceMemory | None = None

    @property
    def memory(self) -> DeviceMemory:
        """What outlives a restart; made at the first use."""
        if self._memory is None:
            with failing(self.path):
                (self.path / FILE).touch(mode=PRIVATE)
            self._memory = DeviceMemory(self.path / FILE)
        return self._memory

    def identity(self) -> Identity | None:
        """Who this device is; None before it has joined."""
        return identity.read_identity(self.path)

    def begin(self, attempt: Attempt, key: bytes) -> bytes:
        """The key to join that hub with: that of an attempt whose answer was lost, or `key`, kept now."""
        folder = self.path / JOINING
        with failing(self.path):
            if folder.is_dir():
                with contextlib.suppress(msgspec.DecodeError, FileNotFoundError):
                    if msgspec.json.decode((folder / "hub.json").read_bytes(), type=Attempt) == attempt:
                        return (folder / identity.KEY).read_bytes()
                shutil.rmtree(folder)
            write_folder(folder, {identity.KEY: key, "hub.json": msgspec.json.encode(attempt)})
        return key

    def give_up(self) -> None:
        """Forget an attempt to join."""
        with failing(self.path):
            shutil.rmtree(self.path / JOINING, ignore_errors=True)
            sync(self.path)

    def sweep(self) -> None:
        """Remove what a process that was killed left half-made."""
        with failing(self.path):
            half = [*self.path.glob(f".{identity.IDENTITY}.*"), *self.path.glob(f".{JOINING}.*")]
            half += [self.path / JOINING] if (self.path / identity.IDENTITY).is_dir() else []
            for folder in half:
                shutil.rmtree(folder, ignore_errors=True)
            for name in (identity.CHAIN, identity.CA):
                for file in (self.path / identity.IDENTITY).glob(f".{name}.*"):
                    file.unlink()

    def enrol(self, *, key: bytes, chain: str, ca: bytes, places: Places) -> None:
        """The hub has let us in: the identity is there from now on."""
        identity.write_identity(self.path, key=key, chain=chain, ca=ca, places=places)
        self.give_up()

    def replace_certificate(self, chain: str, roots: str = "") -> None:
        """Put a new certificate in the place of the old one, and trust these roots, where given."""
        identity.replace_certificate(self.path, chain, roots)

    def close(self) -> None:
        """End the use of the database."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None


def attempt_in(state: Path) -> Attempt | None:
    """The hub that this folder's device asked to join, while it waits for the answer."""
    try:
        return msgspec.json.decode((state / JOINING / "hub.json").read_bytes(), type=Attempt)
    except (OSError, msgspec.DecodeError):
        return None


def is_held(state: Path) -> bool:
    """Whether a process holds the folder now."""
    return is_locked(state / LOCK)


def _take(state: Path, lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            with failing(state):
                raise
        raise Misconfigured(
            "HAL-724",
            f"another process uses the state folder {state}, an agent that runs perhaps. Stop it, or give "
            "another folder: --state DIR",
        ) from None
