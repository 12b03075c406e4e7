"""Run a command in this process, as a person types it."""

from typing import Any

import pytest

from halocline.cli import main


def run(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> Any:
    """What it printed, `out` and `err`; it must end with that exit code."""
    assert main([str(word) for word in words]) == code, capsys.readouterr().err
    return capsys.readouterr()


def output(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> str:
    """What it printed to standard output."""
    printed: str = run(capsys, *words, code=code).out
    return printed
