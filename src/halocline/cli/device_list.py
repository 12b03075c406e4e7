"""halocline device list: list the devices of a hub."""

import builtins
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from halocline.cli.at_hub import Several
from halocline.cli.output import Json, print_json, print_table
from halocline.errors import Misconfigured
from halocline.wire.people import MAX_PAGE

if TYPE_CHECKING:
    from halocline.adapters.http.people import PeopleDoor
    from halocline.wire.people import DeviceReply


def list(  # noqa: A001 - named as its command
    *,
    silent: str | None = None,
    label: Several = None,
    state: Literal["pending", "enrolled", "revoked", "replaced"] | None = None,
    limit: int | None = None,
    after: str | None = None,
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
    limit
        Only so many, and how to have those that follow; without it all are listed.
    after
        Only those behind this id, in the order of the ids.
    hub
        Another hub than the one signed in to last: its name or URL.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.at_hub import contact, device_in, labels_in, labels_said, open_hub, plain, twin_said
    from halocline.cli.durations import read_duration

    labels = labels_in(label)
    silent_s = None if silent is None else read_duration("--silent", silent)
    behind = device_in(after) if after else ""
    if limit is not None and limit < 1:
        raise Misconfigured("HAL-101", f"--limit must be 1 or more, got {limit}")
    with open_hub(hub) as opened:
        found, following = _listed(opened, labels, silent_s, [state] if state else [], behind, limit)
    if json:
        print_json({"devices": [plain(each) for each in found], "next": following})
    elif not found:
        asked = labels or silent or state or after
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
        if following:
            print(f"there are more: give --after {following} as well")
    return 0


def _listed(
    opened: "PeopleDoor",
    labels: dict[str, str],
    silent_s: float | None,
    states: Sequence[str],
    after: str,
    limit: int | None,
) -> "tuple[builtins.list[DeviceReply], str | None]":
    """The first `limit` devices behind that id, or all, page by page; and where the next ones begin."""
    found: builtins.list[DeviceReply] = []
    following: str | None = after
    while following is not None and (limit is None or len(found) < limit):
        at_once = None if limit is None else min(limit - len(found), MAX_PAGE)
        page = opened.device_page(
            labels=labels, silent_s=silent_s, states=states, after=following, limit=at_once
        )
        found += page.devices
        following = page.next
    return found, following
