"""`halocline agent run`: serve this device's models, and follow its hub."""

from pathlib import Path

from halocline.cli import agent_plainly
from halocline.cli.output import JsonToo


def run(*, config: Path = agent_plainly.CONFIG, state: Path | None = None, json: JsonToo = False) -> int:
    """Serve the models of this device to its own programs, until a signal ends it.

    Open Inference Protocol v2 on a Unix socket, or on 127.0.0.1 with a token. It starts from what is on disk,
    whether or not the hub can be reached; what the hub sets is put in force while it serves.

    Examples
    --------
    halocline agent run --config edge.toml --state dev1

    Parameters
    ----------
    config
        What is served, and what may leave this device; `halocline agent config` tells what is in force.
    state
        The folder of this device's identity. Default: HALOCLINE_STATE, or a data folder of this user.
    json
        Announce as one JSON object on stdout.
    """
    return agent_plainly.serve(config, state, json)
