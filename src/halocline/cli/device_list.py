"""halocline device list: list the devices of a hub."""

from typing import Literal

from halocline.cli.at_hub import Several
from halocline.cli.output import Json, print_json, print_table


def list(  # noqa: A001 - named as its command
    *,
    silent: str | None = None,
    label: Several = None,
    state: Literal["pending", "enrolled", "revoked", "replaced"] | None = None,
    hub: str | None = None,
    json: Json = False,
) -> int:
    """List the devices of a hub, with the age of their last contact.

    Examples
    --------
    halocline device list --silent 1h --label type=cam

    Parameters
    ----------
    silent
        Only those that were not heard of for so long: 30s, 10m, 1h, 30d.
    label
        Only those with this KEY=VALUE; may be given again.
    state
        Only those in this state.
    hub
        Another hub than the one signed in to last: its name or URL.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.at_hub import contact, labels_in, labels_said, open_hub, plain, twin_said
    from halocline.cli.durations import read_duration

    labels = labels_in(label)
    silent_s = None if silent is None else read_duration("--silent", silent)
    with open_hub(hub) as opened:
        found = opened.devices(labels=labels, silent_s=silent_s, states=[state] if state else [])
    if json:
        print_json({"devices": [plain(each) for each in found]})
    elif not found:
        asked = labels or silent or state
        print("no device is like that" if asked else "no device yet. Try: halocline device invite")
    else:
        rows = [
            [
                each.device.id,
                str(each.device.state) + (" CLONED" if each.device.cloned_s else ""),
                contact(each),
                twin_said(each.twin),
                labels_said(each.device),
            ]
            for each in found
        ]
        print_table(["device", "state", "contact", "twin", "labels"], rows)
    return 0
