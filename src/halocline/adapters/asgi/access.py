"""Write one JSON line for each inference request: what an observer needs who trusts no counter of ours."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from halocline.adapters.asgi.answers import LOG
from halocline.errors import Misconfigured
from halocline.records import ModelRef


class Access(msgspec.Struct, frozen=True, gc=False):
    """One answered request; `received_s` is seconds since the epoch, `rows` those that got a prediction."""

    id: str
    model: str
    version: str
    rows: int
    status: int
    received_s: float
    seconds: float


class AccessLog:
    """Appends lines to a file; each is handed to the system whole, before the answer is sent."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise Misconfigured(
                "HAL-101", f"--access-log: {path} cannot be written: {error.strerror}. Choose another file"
            ) from error

    def write(
        self, request_id: str, ref: ModelRef, rows: int, status: int, received_s: float, elapsed_s: float
    ) -> None:
        """Append one line."""
        line = msgspec.json.encode(
            Access(request_id, ref.name, ref.version, rows, status, round(received_s, 6), round(elapsed_s, 6))
        )
        try:
            self._file.write(line + b"\n")
        except OSError as error:
            LOG.error("a line of the access log is lost: %s", error)

    @classmethod
    @contextlib.contextmanager
    def opened(cls, path: Path | None) -> "Iterator[AccessLog | None]":
        """The log in a file, closed at the end; None where no file is wanted."""
        if path is None:
            yield None
            return
        log = cls(path)
        with log._file:
            yield log
