"""halocline policy show: say what a policy file does, promises and was made with."""

from pathlib import Path

from halocline.cli.output import Json, print_json


def show(policy: Path, /, *, json: Json = False) -> int:
    """Say what a policy file does, promises and was made with.

    Examples
    --------
    halocline policy show policy.toml

    Parameters
    ----------
    policy
        A policy file, as tune writes it.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.told_policy import policy_dict, policy_lines
    from halocline.cli.words import print_block
    from halocline.wire.policy_file import read_policy

    file = read_policy(policy)
    if json:
        print_json({"file": str(policy), **policy_dict(file)})
    else:
        print_block([("file", str(policy)), *policy_lines(file)])
    return 0
