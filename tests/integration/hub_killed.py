"""A hub that dies by kill -9 at a named point, in a process of its own: `run`.

A file names the point, once it is there. A point is STEP.PHASE. The steps are those that write; the phases
of a step's change of the database are `begun` (nothing written), `written` (all written, not committed),
and `committed` (not answered yet). A late hub, which is a fault on purpose, acknowledges a change of the
point's step first and commits it later.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from halocline.adapters.sql.engine import changing
from halocline.adapters.sql.store import SqlStore, SqlTransaction
from halocline.cli import main
from halocline.hub import joining, twins

STEPS: Final = {
    "join": (joining, "join"),
    "first-use": (joining, "admit"),
    "renew": (joining, "renew"),
    "set": (twins, "set_desired"),
    "report": (twins, "report"),
}
PHASES: Final = ("begun", "written", "committed")
LATE_S: Final = 0.3
_step = threading.local()


def named(step: str, plain: Callable[..., Any]) -> Callable[..., Any]:
    """The same function; what it changes is known to be of that step."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        _step.name = step
        try:
            return plain(*args, **kwargs)
        finally:
            _step.name = ""

    return wrapped


def point_in(file: Path) -> str:
    """The point that is named; empty while none is."""
    return file.read_text(encoding="utf-8") if file.exists() else ""


def dies_at(file: Path, phase: str, step: str) -> None:
    """Die here, where that is the point."""
    if step and point_in(file) == f"{step}.{phase}":
        os.kill(os.getpid(), signal.SIGKILL)


def change(file: Path) -> Callable[..., Any]:
    """`SqlStore.change` with the points in it."""

    @contextlib.contextmanager
    def changed(store: SqlStore) -> Iterator[SqlTransaction]:
        step = getattr(_step, "name", "")
        dies_at(file, "begun", step)
        with changing(store._engine) as connection:
            yield SqlTransaction(connection, store._chain)
            dies_at(file, "written", step)
        dies_at(file, "committed", step)

    return changed


def late_change(file: Path) -> Callable[..., Any]:
    """`SqlStore.change` as it must not be: who asked is answered before the commit."""
    right = change(file)

    @contextlib.contextmanager
    def changed(store: SqlStore) -> Iterator[SqlTransaction]:
        step = getattr(_step, "name", "")
        if not step or point_in(file).partition(".")[0] != step:
            with right(store) as transaction:
                yield transaction
            return
        with contextlib.ExitStack() as open_now:
            connection = open_now.enter_context(changing(store._engine))
            yield SqlTransaction(connection, store._chain)
            late = open_now.pop_all()

        def commit() -> None:
            dies_at(file, "written", step)
            late.close()

        threading.Timer(LATE_S, commit).start()

    return changed


def run(point: Path, is_late: bool, *words: str) -> None:
    """Run a command with the points in it."""
    for name, (module, function) in STEPS.items():
        setattr(module, function, named(name, getattr(module, function)))
    SqlStore.change = (late_change if is_late else change)(point)  # type: ignore[method-assign]
    sys.exit(main(words))
