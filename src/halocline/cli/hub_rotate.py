"""halocline hub rotate: replace a hub's authority while its devices go on."""

from halocline.cli.output import Json, print_json
from halocline.errors import Misconfigured


def rotate(
    *,
    root: bool = False,
    retire: bool = False,
    anyway: bool = False,
    reason: str = "",
    hub: str | None = None,
    json: Json = False,
) -> int:
    """Replace a hub's issuing authority, or its root, while its devices go on.

    Without a flag a new issuing authority takes over under the same root, and nobody notices. With --root a
    new root stands beside the old one, which signs it; devices learn it as they renew, within a day, and
    who was away comes home by the old one. --retire then ends the old root.

    Examples
    --------
    halocline hub rotate --root --reason "every five years"

    Parameters
    ----------
    root
        Make a new root, beside the old one.
    retire
        End the old root; refused while enrolled devices know no other.
    anyway
        Retire it all the same: devices that know no other must join anew.
    reason
        Why, for the audit log.
    hub
        Another hub than the one signed in to last: its name or URL.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.at_hub import open_hub, plain
    from halocline.hub.authority import Rotation

    if root and retire:
        raise Misconfigured("HAL-102", "--root comes first, and --retire when devices know the new root")
    if anyway and not retire:
        raise Misconfigured("HAL-102", "--anyway is for --retire alone")
    what = Rotation.ROOT if root else Rotation.RETIRE if retire else Rotation.ISSUING
    with open_hub(hub) as opened:
        told = opened.rotate(what, reason=reason, anyway=anyway)
    if json:
        print_json(plain(told))
    elif what is Rotation.ISSUING:
        print("a new issuing authority signs from now on")
    elif what is Rotation.RETIRE:
        print(f"{told.ca_fingerprint} is the only root")
    else:
        print(
            f"{told.ca_fingerprint} is the new root, beside the old one\n"
            "next: halocline hub status, and once no device needs the old one: halocline hub rotate --retire"
        )
    return 0
