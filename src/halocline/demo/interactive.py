"""Let the viewer break it: one key cuts the link, one kills the cloud, and the answers go on."""

import itertools
import os
import select
import sys
import threading
import time
from collections import Counter, deque
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from halocline.demo.answer import Answer
from halocline.demo.caller import Caller, Row
from halocline.demo.sabotage import Delivery
from halocline.demo.stage import DEADLINE_S, Stage
from halocline.errors import HaloclineError, Misconfigured

PACE_S = 0.02
DRAW_EVERY_S = 0.2
RECENT = 50
"""So many of the last answers are summed up on the screen."""


def need_terminal() -> None:
    """Raise Misconfigured (HAL-109) where there is nobody to press keys."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Misconfigured(
            "HAL-109", "--interactive reads keys, and this is not a terminal. Leave the flag out, or use one"
        )


class Show:
    """Streams rows until `q`; `c` cuts and restores the link, `k` kills the cloud and starts it again."""

    def __init__(self, console: Console, *, seed: int) -> None:
        self._console = console
        self._seed = seed
        self._cut = False
        self._restart: threading.Thread | None = None
        self._note = ""
        self._recent: deque[str] = deque(maxlen=RECENT)
        self._asked = 0

    def play(self, stage: Stage, caller: Caller, delivery: Delivery) -> None:
        """Ask until the viewer has seen enough."""
        # One device is asked, so that its breaker can be watched at work.
        rows = itertools.cycle(row for row in stage.rows(self._seed) if row.fold == 0)
        drawn_s = 0.0
        try:
            with Keys() as keys, Live(console=self._console, auto_refresh=False, transient=True) as live:
                while (key := keys.pressed(PACE_S)) != "q":
                    self._obey(key, stage)
                    self._ask(next(rows), stage, caller, delivery)
                    if time.monotonic() - drawn_s > DRAW_EVERY_S:
                        live.update(self._panel(stage, caller), refresh=True)
                        drawn_s = time.monotonic()
        finally:
            if self._restart is not None:
                self._restart.join()
        if self._cut:
            stage.link.restore()
            caller.settle(1.0)

    def _obey(self, key: str, stage: Stage) -> None:
        if key == "c":
            self._cut = not self._cut
            if self._cut:
                stage.link.cut("freeze", "silence")
            else:
                stage.link.restore()
        elif key == "k" and (self._restart is None or not self._restart.is_alive()):
            if stage.cloud.is_running:
                stage.cloud.kill()
            else:
                # It takes a second to come up; callers do not wait for that.
                self._restart = threading.Thread(target=self._start, args=(stage,), name="cloud-restart")
                self._restart.start()

    def _start(self, stage: Stage) -> None:
        try:
            stage.cloud.start()
            self._note = ""
        except HaloclineError as error:
            self._note = str(error)

    def _ask(self, row: Row, stage: Stage, caller: Caller, delivery: Delivery) -> None:
        answer = caller.ask(
            stage.agent(0), row, phase="interactive", deadline_s=DEADLINE_S, delivery=delivery
        )
        self._asked += 1
        self._recent.append(_told(answer))

    def _panel(self, stage: Stage, caller: Caller) -> Panel:
        table = Table.grid(padding=(0, 2))
        cloud = f"process {stage.cloud.pid}" if stage.cloud.is_running else "[red]killed[/red]"
        table.add_row("link", "[red]cut[/red]" if self._cut else "[green]up[/green]")
        table.add_row("cloud", cloud)
        table.add_row("answered", f"{len(caller.received):,} of {self._asked:,}")
        table.add_row("corrected later", f"{len(caller.corrected):,}")
        last = ", ".join(f"{reason} {count}" for reason, count in Counter(self._recent).most_common())
        table.add_row(f"last {len(self._recent)}", last)
        if self._note:
            table.add_row("", f"[red]{self._note}[/red]")
        return Panel(table, title="c cuts the link · k kills the cloud · q ends", width=76)


def _told(answer: Answer | None) -> str:
    return "no reply" if answer is None else answer.reason


class Keys:
    """Single keys from the terminal, without Enter; the terminal is put back as it was."""

    def __init__(self) -> None:
        self._fd = sys.stdin.fileno()
        self._before: list[Any] = []

    def pressed(self, longest_s: float) -> str:
        """The key pressed within that time, in lower case; empty where none was."""
        ready, _, _ = select.select([self._fd], [], [], longest_s)
        if not ready:
            return ""
        # Not through sys.stdin: its buffer would hide further keys from select.
        return os.read(self._fd, 1).decode(errors="replace").lower()

    def __enter__(self) -> Self:
        import termios
        import tty

        self._before = termios.tcgetattr(self._fd)
        tty.setcbreak(self._fd)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import termios

        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
