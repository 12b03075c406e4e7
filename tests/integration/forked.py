"""Start a program by a fork of a process that has imported it: its own process, without a second of imports.

`python -m halocline …` as users type it is for the tests of starts. A fork has the same standard streams,
signals and end; what it was told to run is any function of a module that the tests can import.
"""

import io
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

_FORKS: Final = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "__main__",  # every fork would import it again
        "halocline.cli.app",
        "halocline.cli",
        "halocline.adapters.asgi.doors.device",
        "halocline.adapters.asgi.doors.people_door",
        "halocline.adapters.asgi.doors.join",
        "halocline.adapters.asgi.server",
        "halocline.adapters.certificates.authority",
        "halocline.adapters.http.hub_link",
        "halocline.adapters.prometheus",
        "halocline.adapters.sql.migrate",
        "halocline.adapters.sql.store",
        "halocline.assemble",
        "halocline.assemble_agent",
        "halocline.assemble_alerts",
        "halocline.assemble_hub",
        "halocline.testing.memory_store",
        "alembic.command",
        "cryptography.hazmat.backends.openssl.backend",
        "sqlalchemy.dialects.sqlite",
        "uvicorn",
        "uvicorn.protocols.http.httptools_impl",
        "uvloop",
    ]
)


class Forked:
    """A process that runs `target(*arguments)`, under the names of `subprocess.Popen`."""

    def __init__(self, target: Callable[..., Any], *arguments: Any, stderr: Path) -> None:
        receiving, sending = _FORKS.Pipe(duplex=False)
        self._process = _FORKS.Process(
            target=_run, args=(target, arguments, sending, str(stderr), dict(os.environ))
        )
        self._process.start()
        sending.close()
        self.stdout = io.FileIO(os.dup(receiving.fileno()))
        receiving.close()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        """As it ended; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same."""
        return self._process.exitcode

    def wait(self, timeout_s: float) -> int:
        """As it ended, waited for."""
        self._process.join(timeout_s)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired("forked", timeout_s)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal; nothing where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """End it as an operator does."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut does."""
        self.send_signal(signal.SIGKILL)


def halocline(*words: str, stderr: Path) -> Forked:
    """A process of `halocline WORDS`."""
    return Forked(command, *words, stderr=stderr)


def command(*words: str) -> None:
    """Run a command, in the process that is its own."""
    from halocline.cli import main

    sys.exit(main(words))


def model_server(options: str) -> None:
    """Serve models by these options, JSON, in the process that is its own."""
    import msgspec

    from halocline.assemble import ServeOptions, serve
    from halocline.errors import HaloclineError

    try:
        sys.exit(serve(msgspec.json.decode(options, type=ServeOptions)))
    except HaloclineError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def impatient_server(options: str) -> None:
    """The same, but a head has to come in half a second."""
    from halocline.adapters.asgi import protocol

    protocol.HEAD_TIMEOUT_S = 0.5  # type: ignore[misc]
    model_server(options)


def _run(
    target: Callable[..., Any], arguments: tuple[Any, ...], out: Connection, err: str, env: dict[str, str]
) -> None:
    os.dup2(out.fileno(), 1)
    out.close()
    log = os.open(err, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 2)
    os.close(log)
    os.environ.clear()
    os.environ.update(env)
    target(*arguments)
