"""halocline user remove: take a person's rights away, and all their tokens."""

from halocline.cli.output import Json, print_json


def remove(name: str, /, *, reason: str = "", hub: str | None = None, json: Json = False) -> int:
    """Take a person's rights away, and all their tokens, at once.

    Examples
    --------
    halocline user remove anna --reason left

    Parameters
    ----------
    name
        As user list shows it.
    reason
        Why, for the audit log.
    hub
        Another hub than the one signed in to last: its name or URL.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.at_hub import name_in, open_hub

    called = name_in("person", name)
    with open_hub(hub) as opened:
        opened.remove_person(called, reason=reason)
    if json:
        print_json({"removed": called})
    else:
        print(f"{called} may not use the hub any more")
    return 0
