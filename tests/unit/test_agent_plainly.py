"""The agent holds no parser of command lines, and whatever is not plain goes to the parser all the same."""

import subprocess
import sys
from pathlib import Path

import pytest

from halocline.cli.agent_plainly import told


def test_plain_words_are_understood() -> None:
    assert told([]) == {}
    assert told(["--json", "--state", "dev1"]) == {"json": True, "state": Path("dev1")}
    assert told(["--config", "a.toml", "--state", "d"]) == {"config": Path("a.toml"), "state": Path("d")}


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["-h"],
        ["--config"],
        ["--config=a.toml"],
        ["--config", ""],
        ["--config", "--json"],
        ["--json", "--json"],
        ["--state", "a", "--state", "b"],
        ["--port", "1"],
        ["a.toml"],
        ["--", "x"],
        ["--no-json"],
    ],
)
def test_whatever_else_goes_to_the_parser(words: list[str]) -> None:
    assert told(words) is None


def test_an_agent_that_runs_does_not_hold_the_parser(tmp_path: Path) -> None:
    script = (
        "import sys; from halocline.cli import main; "
        f"code = main(['agent', 'run', '--config', {str(tmp_path / 'none.toml')!r}]); "
        "print(code, 'cyclopts' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.split() == ["2", "False"], done.stderr
    assert "HAL-728" in done.stderr
