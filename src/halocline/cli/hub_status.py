"""halocline hub status: say how a hub is."""

from typing import TYPE_CHECKING

from halocline.cli.output import Json, print_json, print_pairs

if TYPE_CHECKING:
    from halocline.wire.people import StatusReply


def status(*, hub: str | None = None, json: Json = False) -> int:
    """Say how a hub is: its version, its devices by state, its models and its authority.

    Examples
    --------
    halocline hub status

    Parameters
    ----------
    hub
        Another hub than the one signed in to last: its name or URL.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.at_hub import moment, open_hub, plain

    with open_hub(hub) as opened:
        told = opened.status()
        url = opened.door.url
    if json:
        print_json({"url": url, **plain(told)})
        return 0
    devices = ", ".join(f"{count} {state}" for state, count in told.devices.items() if count)
    print_pairs(
        [
            ("hub", url),
            ("version", told.hub_version),
            ("time", moment(told.now_s)),
            ("devices", devices or "none yet. Try: halocline device invite"),
            *([("waiting", f"{told.waiting} for a change")] if told.waiting else []),
            ("models", ", ".join(told.models) or "none"),
            ("database", told.database),
            ("authority", told.ca_fingerprint),
            *_rotation(told),
        ]
    )
    return 0


def _rotation(told: "StatusReply") -> list[tuple[str, str]]:
    """How far devices have followed to a new root, where there is an old one."""
    from halocline.cli.at_hub import moment

    state = told.rotation
    if state is None:
        return []
    known = f"{state.behind} devices know no other" if state.behind else "no device needs it"
    return [("old root", f"{old}, replaced {moment(state.since_s)}; {known}") for old in state.old]
