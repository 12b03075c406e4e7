"""Every command that the page on running a hub shows is one: its flags are known and its values are read."""

import re
import shlex
from pathlib import Path

import pytest

from halocline.cli.app import _app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "run-a-hub.md"
TEXT = re.sub(r"\\\n\s*", "", PAGE.read_text(encoding="utf-8"))  # a command that goes on in the next line
SHOWN = list(dict.fromkeys(re.findall(r"^\$ halocline (.+)$", TEXT, re.MULTILINE)))


def test_the_page_shows_commands() -> None:
    assert len(SHOWN) > 15


@pytest.mark.parametrize("command", SHOWN)
def test_a_shown_command_is_understood(command: str) -> None:
    _app().parse_args(shlex.split(command), exit_on_error=False, print_error=False)
