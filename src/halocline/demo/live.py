"""Show the run while it goes on: a bar for the phase that runs, and a line for each that is done."""

from collections import Counter
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from halocline.demo.answer import Answer
from halocline.demo.play import Phase

UPDATE_EVERY = 10
"""Requests between two updates: drawing must not slow down what is being timed."""


class Live:
    """What happens now and why replies were what they were. A context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.fields[name]:<10}", style="bold"),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TextColumn("[dim]{task.fields[say]}[/dim]\n{task.fields[reasons]}"),
            console=console,
            refresh_per_second=5,
            transient=True,
            disable=not console.is_terminal,
        )
        self._phase: Phase | None = None
        self._reasons: Counter[str] = Counter()
        self._count = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finish()
        self._progress.stop()

    def say(self, line: str) -> None:
        """Print a line above the bars."""
        self._console.print(line, highlight=False)

    def phase(self, phase: Phase, requests: int) -> None:
        """Begin a phase."""
        self._finish()
        self._phase, self._count, self._reasons = phase, 0, Counter()
        self._bar = self._progress.add_task("", total=requests, name=phase.name, say=phase.say, reasons="")

    def step(self, answer: Answer | None) -> None:
        """Count one request."""
        self._count += 1
        self._reasons[answer.reason if answer is not None else "no reply"] += 1
        if self._count % UPDATE_EVERY == 0:
            self._progress.update(self._bar, completed=self._count, reasons=self._said())

    def _finish(self) -> None:
        if self._phase is None:
            return
        self._progress.remove_task(self._bar)
        self.say(f"{self._phase.name:<10} {self._count:>5} requests: {self._said()}")
        self._phase = None

    def _said(self) -> str:
        return ", ".join(f"{reason} {count}" for reason, count in self._reasons.most_common(4))
