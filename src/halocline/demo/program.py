"""Run one program of the demo in a process of its own, and end it whatever happens."""

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TypeVar

import msgspec

from halocline.errors import Transient

START_S = 30.0
STOP_S = 5.0

_T = TypeVar("_T", bound=msgspec.Struct)


class Program:
    """`halocline` with arguments; it ends with this process, even where that is killed (see `child.py`).

    What it says on stderr stands in `NAME.txt` in the folder.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        self._stderr = folder / f"{name.replace(' ', '-')}.txt"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process's id; 0 while there is none."""
        return self._process.pid if self.is_running and self._process is not None else 0

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def announced(self, arguments: Sequence[str], form: type[_T]) -> _T:
        """Start it and wait until it announces itself, in that form.

        Raises Transient (HAL-404) with what it said where it does not come up.
        """
        self._process = self._opened(arguments)
        line = self._first_line(self._process)
        try:
            return msgspec.json.decode(line, type=form)
        except msgspec.DecodeError:
            self.stop()
            raise Transient("HAL-404", f"the {self.name} did not start: {self._last_words()}") from None

    def finished(self, arguments: Sequence[str], line: str) -> None:
        """Run it to its end, with a line on its stdin. Raises Transient (HAL-404) where it fails."""
        self._process = self._opened(arguments)
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()
        self._first_line(self._process)
        self._reap(self._process, START_S)
        if self._process.returncode:
            raise Transient("HAL-404", f"the {self.name} failed: {self._last_words()}")

    def ask_to_end(self) -> None:
        """Tell it to drain; `stop` waits for that."""
        if self._process is not None:
            self._process.terminate()

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _opened(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "halocline.demo.child", str(self._folder), *arguments, "--json"]
        with self._stderr.open("ab") as stderr:
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=_environment()
            )

    def _first_line(self, process: subprocess.Popen[bytes]) -> bytes:
        """Reading ends when the process says something, or at its end: a timer makes sure that it ends."""
        timer = threading.Timer(START_S, process.kill)
        timer.start()
        try:
            assert process.stdout is not None
            return process.stdout.readline()
        finally:
            timer.cancel()
            timer.join()

    def _reap(self, process: subprocess.Popen[bytes], longest_s: float) -> None:
        process.wait(longest_s)
        pipes: tuple[IO[Any] | None, ...] = (process.stdin, process.stdout)
        for pipe in pipes:
            if pipe is not None:
                pipe.close()

    def _last_words(self) -> str:
        said = self._stderr.read_text(errors="replace").strip().splitlines()
        return said[-1] if said else "it said nothing"


def _environment() -> dict[str, str]:
    """Ours without what would change the programs: their settings, and a proxy for this machine itself."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("HALOCLINE_") and not name.lower().endswith("_proxy")
    }
