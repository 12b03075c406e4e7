"""halocline device wait: wait until devices have joined, or do what is wanted of them."""

import time
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from halocline.cli.at_hub import Several
from halocline.cli.output import Json, print_json
from halocline.errors import Misconfigured, Transient

if TYPE_CHECKING:
    from halocline.adapters.http.people import PeopleDoor
    from halocline.wire.people import DeviceReply

_LOOK_EACH_S = 1.0


def wait(
    *devices: str,
    until: Annotated[Literal["enrolled", "ready"], Parameter(name="--for")] = "ready",
    label: Several = None,
    count: int = 1,
    timeout: str = "2m",
    hub: str | None = None,
    json: Json = False,
) -> int:
    """Wait until devices have joined, or do what is wanted of them; exit code 4 where they do not in time.

    Examples
    --------
    halocline device wait --label type=cam --count 2 --for ready --timeout 1m

    Parameters
    ----------
    devices
        Their ids; without any, those with the labels.
    until
        enrolled: they are let in. ready: they have also applied the settings that are wanted.
    label
        KEY=VALUE of those to wait for; may be given again.
    count
        How many, where no ids are given.
    timeout
        How long at most: 30s, 10m, 1h.
    hub
        Another hub than the one signed in to last: its name or URL.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.at_hub import device_in, labels_in, open_hub, plain
    from halocline.cli.durations import read_duration

    ids = [device_in(each) for each in devices]
    labels = labels_in(label)
    if ids and labels:
        raise Misconfigured("HAL-102", "give the devices' ids, or --label, not both")
    if count < 1:
        raise Misconfigured("HAL-101", f"--count must be 1 or more, got {count}")
    wanted = len(dict.fromkeys(ids)) or count
    until_s = time.monotonic() + read_duration("--timeout", timeout)
    with open_hub(hub) as opened:
        while True:
            away: Transient | None = None
            there: list[DeviceReply] = []
            try:
                there = _there(opened, ids, labels, until)
            except Transient as error:  # it may be back before the time is over
                away = error
            if len(there) >= wanted:
                break
            if time.monotonic() >= until_s:
                raise away or Transient(
                    "HAL-758",
                    f"{len(there)} of {wanted} devices are {until} after {timeout}. "
                    "See: halocline device list",
                )
            time.sleep(min(_LOOK_EACH_S, max(until_s - time.monotonic(), 0.01)))
    if json:
        print_json({"devices": [plain(each) for each in there]})
    else:
        print(f"{until}: {', '.join(each.device.id for each in there)}")
    return 0


def _there(opened: "PeopleDoor", ids: list[str], labels: dict[str, str], until: str) -> "list[DeviceReply]":
    """The devices that are so far."""
    found = [opened.device(each) for each in dict.fromkeys(ids)] if ids else opened.devices(labels=labels)
    return [each for each in found if is_there(each, until)]


def is_there(reply: "DeviceReply", until: str) -> bool:
    """Whether a device is enrolled, or ready: heard of, and what is wanted is in force."""
    if reply.device.state != "enrolled":
        return False
    reported = reply.twin.reported
    return until == "enrolled" or (
        reported is not None
        and reported.state == "applied"
        and reported.generation >= reply.twin.desired.generation
    )
