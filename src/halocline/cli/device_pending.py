"""halocline device pending: list the devices that wait to be let in."""

from halocline.cli.at_hub import Hub
from halocline.cli.output import Json, print_json, print_table


def pending(*, hub: Hub = None, json: Json = False) -> int:
    """List the devices that wait to be let in, each with the code that it shows.

    Compare the code with the one on the device, then let it in: halocline device accept DEVICE. What a device
    asks to be labelled is not true before someone accepts it --as-asked.

    Examples
    --------
    halocline device pending
    """
    from halocline.cli.at_hub import asked_said, labels_said, moment, open_hub, plain

    with open_hub(hub) as opened:
        waiting = opened.devices(labels={}, states=["pending"])
    if json:
        print_json({"devices": [plain(each) for each in waiting]})
    elif not waiting:
        print("no device waits")
    else:
        rows = [
            [
                each.device.id,
                each.device.code,
                moment(each.device.created_s),
                each.device.facts.serial,
                each.device.facts.machine,
                labels_said(each.device),
                asked_said(each.device),
            ]
            for each in waiting
        ]
        print_table(["device", "code", "since", "serial", "machine", "labels", "asks for"], rows)
    return 0
