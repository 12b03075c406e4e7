"""halocline user list: list the people who may use a hub."""

from halocline.cli.at_hub import Hub
from halocline.cli.output import Json, print_json, print_table


def list(*, hub: Hub = None, json: Json = False) -> int:  # noqa: A001 - named as its command
    """List the people who may use a hub, with their roles.

    Examples
    --------
    halocline user list
    """
    from halocline.cli.at_hub import open_hub, plain

    with open_hub(hub) as opened:
        people = opened.everyone()
    if json:
        print_json({"people": [plain(each) for each in people]})
    else:
        print_table(["name", "role", "site"], [[each.name, str(each.role), each.site] for each in people])
    return 0
