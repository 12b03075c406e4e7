"""halocline token create: make a token, by which a person acts."""

from halocline.cli.at_hub import Several
from halocline.cli.output import Json, print_json


def create(
    *,
    user: str = "",
    ttl: str = "30d",
    scope: Several = None,
    label: Several = None,
    reason: str = "",
    hub: str | None = None,
    json: Json = False,
) -> int:
    """Make a token, by which a person acts; it is shown this once.

    One's own ends no later than the one in use; an admin makes any. A scope and labels narrow what it may
    do, and no token makes a broader one than itself.

    Examples
    --------
    halocline token create --user anna --ttl 30d

    Parameters
    ----------
    user
        Whose it is; oneself by default.
    ttl
        How long it is valid: 30s, 10m, 1h, 30d.
    scope
        An action that it may do, as in device.see; may be given again. Default: all that the role may do.
    label
        KEY=VALUE: it is for the devices with this label alone; may be given again.
    reason
        Why, for the audit log.
    hub
        Another hub than the one signed in to last: its name or URL.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.at_hub import labels_in, name_in, open_hub, plain
    from halocline.cli.durations import read_duration

    ttl_s = read_duration("--ttl", ttl)
    called = name_in("person", user) if user else ""
    labels = labels_in(label)
    with open_hub(hub) as opened:
        made = opened.create_token(called, ttl_s, reason=reason, actions=scope or (), labels=labels)
    if json:
        print_json({"token": made.token, **plain(made.known)})
    else:
        print(made.token)
    return 0
