"""A hub's state folder: who holds it, and files that are whole or not there and nobody else's to read."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from halocline.adapters.locks import is_locked
from halocline.errors import Misconfigured
from halocline.whole_files import PRIVATE, write_file

PRIVATE_UMASK: Final = 0o077
"""Of a process that writes here: SQLite makes its own files beside the database."""


@contextlib.contextmanager
def held(path: Path, *, alone: bool) -> Iterator["HubFolder"]:
    """The folder, made where it is not there, held until the end; `alone`, by one process at a time.

    Raises Misconfigured: HAL-744 where another process holds it, HAL-745 where it cannot be used.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        _take(path, lock, alone=alone)
        yield HubFolder(path)
    finally:
        os.close(lock)


class HubFolder:
    """The folder of a hub; take it by `held`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def database(self) -> Path:
        """Where the database lies, where it is a file."""
        return self.path / "hub.db"

    @property
    def ca(self) -> Path:
        """The root authority's certificate, for everyone to have."""
        return self.path / "ca.pem"

    @property
    def server(self) -> Path:
        """The doors' own certificate chain and key, PEM."""
        return self.path / "server.pem"

    @property
    def admin_token(self) -> Path:
        """What the first person signs in with."""
        return self.path / "admin.token"

    @property
    def audit_key(self) -> Path:
        """What heads of the audit log are signed with: never in the database that they vouch for."""
        return self.path / "audit.key"

    @property
    def audit_public(self) -> Path:
        """What those signatures are checked with, for everyone to have."""
        return self.path / "audit.pub"

    @property
    def audit_heads(self) -> Path:
        """Where heads are put unless another place is given."""
        return self.path / "heads"

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """Of several processes that share the folder, one at a time makes what is not there yet."""
        with self._failing(), (self.path / "starting.lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def write(self, path: Path, data: bytes, mode: int = PRIVATE) -> None:
        """Put a file there: after a crash it is the old one or the new one, whole. Raises HAL-745."""
        with self._failing():
            write_file(path, data, mode)

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _unusable(self.path, error) from error


def is_held(path: Path) -> bool:
    """Whether a hub process holds the folder now."""
    return is_locked(path / "lock")


def _take(path: Path, lock: int, *, alone: bool) -> None:
    try:
        fcntl.flock(lock, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise _unusable(path, error) from error
        raise Misconfigured(
            "HAL-744",
            f"another hub process uses the state folder {path}. Stop it, give another --state, "
            f"or let them share a PostgreSQL by --database",
        ) from None


def _unusable(path: Path, error: OSError) -> Misconfigured:
    where = error.filename or path
    return Misconfigured(
        "HAL-745",
        f"the state folder {path} cannot be used: {error.strerror or error} ({where}). "
        f"Give a folder that this user may write",
    )
