"""`halocline agent config`: what an agent's configuration says, and where each value came from."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from halocline.cli.output import Json, print_json, print_table
from halocline.errors import Misconfigured

if TYPE_CHECKING:
    from halocline.wire.agent_file import AgentConfig

Flag = Annotated[bool, Parameter(negative="", show_default=False)]


def config(
    config: Path = Path("edge.toml"),
    *,
    check: Flag = False,
    example: Flag = False,
    json: Json = False,
) -> int:
    """Show the configuration in force: each value, and whether file, environment or default gave it.

    A variable goes before the file: HALOCLINE_AGENT_LISTEN for listen in [agent],
    HALOCLINE_MODEL_EDGE_THRESHOLD for threshold in [model.edge].

    Examples
    --------
    halocline agent config edge.toml

    Parameters
    ----------
    config
        The configuration, TOML.
    check
        Say nothing where it is right and its files are there.
    example
        Print a commented configuration with every key, to start from.
    json
        Print one JSON object.
    """
    from halocline.wire.agent_file import read_agent_file, starter, told

    if example:
        print(starter(), end="")
        return 0
    read = read_agent_file(config, os.environ)
    if check:
        check_files(read)
        return 0
    lines = list(told(read))
    if json:
        print_json({"values": {name: {"value": value, "from": source} for name, value, source in lines}})
        return 0
    print_table(
        ("key", "value", "from"),
        [(name, "not set" if value in (None, "") else str(value), source) for name, value, source in lines],
    )
    return 0


def check_files(config: "AgentConfig") -> None:
    """Raise Misconfigured (HAL-728) for a file that is named and not there."""
    for model, read in config.models.items():
        for key in ("edge", "cloud", "policy", "labels"):
            named = getattr(read, key)
            if named and "://" not in named and not named.startswith("hub:") and not Path(named).exists():
                raise Misconfigured("HAL-728", f"model.{model}.{key}: {named} does not exist")
