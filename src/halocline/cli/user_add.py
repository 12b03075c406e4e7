"""halocline user add: let a person use a hub."""

from typing import Literal

from halocline.cli.output import Json, print_json


def add(
    name: str,
    /,
    *,
    role: Literal["viewer", "operator", "admin", "auditor", "installer"],
    site: str = "",
    reason: str = "",
    hub: str | None = None,
    json: Json = False,
) -> int:
    """Let a person use a hub, as viewer, operator, admin, auditor or installer.

    They act by a token: halocline token create --user NAME.

    Examples
    --------
    halocline user add anna --role operator

    Parameters
    ----------
    name
        Letters, digits and . _ -.
    role
        viewer sees devices; operator changes and invites them; auditor sees the audit log too; installer
        accepts the devices of one site; admin may do everything.
    site
        An installer's: the label `site` of their devices.
    reason
        Why, for the audit log.
    hub
        Another hub than the one signed in to last: its name or URL.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.at_hub import name_in, open_hub, plain
    from halocline.fleet import Role

    called = name_in("person", name)
    with open_hub(hub) as opened:
        person = opened.add_person(called, Role(role), site=site, reason=reason)
    if json:
        print_json(plain(person))
    else:
        print(f"{person.name} is {person.role} here. Next: halocline token create --user {person.name}")
    return 0
