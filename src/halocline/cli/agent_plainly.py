"""Run the agent without the parser of command lines: its 7 MiB would stay for as long as the agent runs."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from halocline.folders import agent_folder

CONFIG = Path("edge.toml")
_PATHS = ("config", "state")


def told(words: Sequence[str]) -> dict[str, Any] | None:
    """What the words after `agent run` say, in their plain form; None where the parser must look at them."""
    said: dict[str, Any] = {}
    left = iter(words)
    for word in left:
        name = word.removeprefix("--")
        if name == word or name in said:
            return None
        if name == "json":
            said[name] = True
            continue
        value = next(left, "")
        if name not in _PATHS or not value or value.startswith("-"):
            return None
        said[name] = Path(value)
    return said


def serve(config: Path = CONFIG, state: Path | None = None, json: bool = False) -> int:
    """Serve until a signal ends it; see `halocline.cli.agent_run`."""
    from halocline.assemble_agent import AgentOptions, run_agent
    from halocline.wire.agent_file import read_agent_file

    read = read_agent_file(config, os.environ)
    return run_agent(AgentOptions(state=state or agent_folder(), config=read, json=json))
