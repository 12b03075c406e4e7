"""halocline device label: set and take away a device's labels."""

from halocline.cli.at_hub import Several
from halocline.cli.output import Json, print_json
from halocline.errors import Misconfigured


def label(
    device: str,
    /,
    *labels: str,
    remove: Several = None,
    reason: str = "",
    hub: str | None = None,
    json: Json = False,
) -> int:
    """Set a device's labels, or take some away; the others stay.

    Examples
    --------
    halocline device label dev-abcdefghij234567 region=eu --remove old

    Parameters
    ----------
    device
        Its id, as device list shows it.
    labels
        KEY=VALUE, any number of them.
    remove
        The name of a label to take away; may be given again.
    reason
        Why, for the audit log.
    hub
        Another hub than the one signed in to last: its name or URL.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.at_hub import device_in, labels_in, name_in, open_hub, plain, print_device

    device_id, given = device_in(device), labels_in(labels)
    gone = [name_in("label", name) for name in remove or ()]
    if not given and not gone:
        raise Misconfigured("HAL-102", "nothing to change: give KEY=VALUE, or --remove KEY")
    with open_hub(hub) as opened:
        told = opened.label(device_id, labels=given, remove=gone, reason=reason)
    if json:
        print_json(plain(told))
    else:
        print_device(told)
    return 0
