"""halocline alert list: list what is wrong at a hub now."""

from halocline.cli.at_hub import Hub
from halocline.cli.output import Json, print_json, print_table


def list(*, hub: Hub = None, json: Json = False) -> int:  # noqa: A001 - named as its command
    """List what is wrong at a hub now: silent devices, clones, a disk that is nearly full.

    Examples
    --------
    halocline alert list
    """
    from halocline.cli.at_hub import moment, open_hub, plain

    with open_hub(hub) as opened:
        told = opened.alerts()
    if json:
        print_json(plain(told))
    elif not told.alerts:
        print("nothing is wrong")
    else:
        print_table(
            ["since", "alert", "cause", "what to do"],
            [[moment(each.since_s), str(each.kind), each.cause, each.todo] for each in told.alerts],
        )
    return 0
