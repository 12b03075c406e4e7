"""Run the cloud models in a process of their own, and end it whatever happens."""

import contextlib
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import msgspec

from halocline.demo.evidence import Ran
from halocline.errors import Transient

START_S = 30.0
STOP_S = 5.0


class CloudProcess:
    """`halocline serve` over a folder of models, with an access log that an observer can read.

    It ends with this process, even where that is killed (see `child.py`).
    """

    def __init__(self, served: Path, folder: Path) -> None:
        self._served = served
        self._log = folder / "access.jsonl"
        self._stderr = folder / "cloud.txt"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def pid(self) -> int:
        """The process's id; 0 while there is none."""
        return self._process.pid if self.is_running and self._process is not None else 0

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and wait until it serves; a second start takes the same port.

        Raises Transient (HAL-404) with what the process said where it does not come up.
        """
        command = [sys.executable, "-m", "halocline.demo.child", "serve", str(self._served), "--json"]
        command += ["--threads", "1", "--port", str(self.port), "--access-log", str(self._log)]
        with self._stderr.open("ab") as stderr:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr
            )
        # Reading ends when the process announces itself, or at its end: a timer makes sure that it ends.
        timer = threading.Timer(START_S, self._process.kill)
        timer.start()
        try:
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
            timer.join()
        try:
            self.port = urlsplit(msgspec.json.decode(line, type=_Announced).url).port or 0
        except msgspec.DecodeError:
            self.stop()
            raise Transient("HAL-404", f"the cloud process did not start: {self._last_words()}") from None

    def kill(self) -> None:
        """End it without a word, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._reap(self._process, STOP_S)

    def stop(self) -> None:
        """Let it drain, end it if it does not; no process is left. May be called again."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._reap(self._process, STOP_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            self.kill()

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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _reap(self, process: subprocess.Popen[bytes], longest_s: float) -> None:
        process.wait(longest_s)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def _last_words(self) -> str:
        said = self._stderr.read_text(errors="replace").strip().splitlines()
        return said[-1] if said else "it said nothing"


class _Announced(msgspec.Struct):
    url: str


class _Logged(msgspec.Struct):
    id: str
    rows: int
