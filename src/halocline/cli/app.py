"""The table of commands, and how a wrong word on the command line is answered."""

import inspect
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword

from cyclopts import App
from cyclopts.exceptions import CycloptsError

from halocline import __version__
from halocline.cli import WRONG_USE

COMMANDS = (
    "demo",
    "init",
    "serve",
    "infer",
    "try",
    "policy tune",
    "policy evaluate",
    "policy show",
    "policy diff",
    "data list",
    "data get",
    "data check",
    "model inspect",
    "hub serve",
    "hub status",
    "hub rotate",
    "hub backup",
    "hub restore",
    "login",
    "whoami",
    "device invite",
    "device pending",
    "device accept",
    "device list",
    "device show",
    "device label",
    "device set",
    "device revoke",
    "device replace",
    "device virtual",
    "device wait",
    "alert list",
    "user add",
    "user list",
    "user remove",
    "token create",
    "token list",
    "token revoke",
    "audit list",
    "audit export",
    "audit verify",
    "agent join",
    "agent run",
    "agent config",
    "agent status",
    "sample rules",
    "doctor",
    "support bundle",
    "explain",
)
"""In the order of `--help`; each a function of that last name in `halocline.cli.NAME`, with its example."""

ALIASES = {"tune": "policy tune", "evaluate": "policy evaluate"}
"""Short names; each is the command that it stands for."""

_ABOUT = "Hybrid edge-cloud AI: a small model on the device, a larger one elsewhere, one loop between them."
_EVERYWHERE = "Every command has --help with an example, and takes --debug to show where an error arose."
_GROUPS = {
    "alert": "See what is wrong at a hub.",
    "agent": "Join this device to a hub, and serve its models here.",
    "audit": "See, take away and check the log of who did what at a hub.",
    "data": "Get public sets, and look at your own.",
    "device": "See, invite and change the devices of a hub.",
    "hub": "Run a hub, and look at one.",
    "model": "Look at model files.",
    "policy": "Tune, evaluate, show and compare the policies of pairs of models.",
    "support": "Collect what helps others to help.",
    "sample": "See which samples rules would send.",
    "token": "Make, list and end the tokens by which people act.",
    "user": "Say who may use a hub.",
}
_EXAMPLES = re.compile(r"^Examples\n-+\n(.+?)(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)


def run(words: Sequence[str]) -> int:
    """Parse the words and run their command; the exit code. Raises what the command raises."""
    app = _app()
    try:
        result = app(list(words))
    except CycloptsError as exc:
        message = " ".join(str(exc).split()).replace("...", "…").rstrip(".")
        stop = "" if message.endswith(("?", "…")) else "."
        print(
            f"error: {message}{stop} See: {' '.join(['halocline', *_known(words)])} --help", file=sys.stderr
        )
        return WRONG_USE
    return result if isinstance(result, int) else 0


def _app() -> App:
    app = App(
        name="halocline",
        help=_ABOUT,
        help_epilogue=_EVERYWHERE,
        help_format="markdown",
        version=f"halocline {__version__}",
        version_flags=["--version", "-V"],
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
    )
    groups: dict[str, App] = {}
    for order, path in enumerate(COMMANDS):
        *parents, name = path.split()
        for short, stands_for in ALIASES.items():
            if stands_for == path:
                _add(app, short, path, order)
        home = app
        for parent in parents:
            if parent not in groups:
                groups[parent] = App(
                    name=parent, help=_GROUPS[parent], help_epilogue="", version_flags=[], sort_key=order
                )
                app.command(groups[parent])
            home = groups[parent]
        _add(home, name, path, order)
    return app


def _add(home: App, name: str, path: str, order: int) -> None:
    """Put the command of that path under that name, with its example."""
    word = path.split()[-1]
    keyword = "_" if iskeyword(word) else ""  # try is no name in Python
    function = getattr(import_module(f"halocline.cli.{path.replace(' ', '_')}{keyword}"), f"{word}{keyword}")
    found = _EXAMPLES.search(inspect.getdoc(function) or "")
    example = f"Example: {found[1]}" if found else ""
    if name != path.split()[-1] or home.name[0] == "halocline":
        example = example.replace(f"halocline {path}", f"halocline {name}")
    home.command(function, name=name, sort_key=order, version_flags=[], help_epilogue=example)


def _known(words: Sequence[str]) -> list[str]:
    """The command that the words name, as far as there is one."""
    for path in (*COMMANDS, *ALIASES):
        if list(words[: len(path.split())]) == path.split():
            return path.split()
    return [words[0]] if words and words[0] in _GROUPS else []
