"""halocline policy diff: say what changed from one policy file to another, for a person who reviews it."""

from pathlib import Path

from halocline.cli.output import Json, print_json


def diff(old: Path, new: Path, /, *, json: Json = False) -> int:
    """Say what changed from one policy file to another, one line a setting.

    The exit code is 0 whether or not something changed.

    Examples
    --------
    halocline policy diff policy.toml candidate.toml

    Parameters
    ----------
    old
        The policy file to compare with.
    new
        The policy file to look at.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.words import short_digests
    from halocline.wire.policy_file import diff_policy, read_policy

    changes = diff_policy(read_policy(old), read_policy(new))
    if json:
        print_json({"old": str(old), "new": str(new), "changes": changes})
    else:
        print("\n".join(map(short_digests, changes)) or "nothing changed")
    return 0
