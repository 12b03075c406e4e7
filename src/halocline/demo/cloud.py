"""Run the cloud models in a process of their own, which logs what it was asked."""

import contextlib
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import msgspec

from halocline.demo.evidence import Ran
from halocline.demo.program import Program


class CloudProcess(Program):
    """`halocline serve` over a folder of models, with an access log that an observer can read."""

    def __init__(self, served: Path, folder: Path) -> None:
        super().__init__("cloud process", folder)
        self._served = served
        self._log = folder / "access.jsonl"
        self.port = 0

    def start(self) -> None:
        """Start it and wait until it serves; a second start takes the same port. Raises as `announced`."""
        arguments = ["serve", str(self._served), "--threads", "1", "--port", str(self.port)]
        told = self.announced([*arguments, "--access-log", str(self._log)], _Announced)
        self.port = urlsplit(told.url).port or 0

    def read_log(self) -> list[Ran]:
        """What its models ran, by its own log; a line that a kill cut off is left out."""
        with contextlib.suppress(FileNotFoundError):
            lines = self._log.read_bytes().split(b"\n")[:-1]
            logged = [msgspec.json.decode(line, type=_Logged) for line in lines]
            return [Ran(entry.id, entry.rows) for entry in logged if entry.rows]
        return []

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self


class _Announced(msgspec.Struct):
    url: str


class _Logged(msgspec.Struct):
    id: str
    rows: int
