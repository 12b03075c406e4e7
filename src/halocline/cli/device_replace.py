"""halocline device replace: put one device in the place of another."""

from halocline.cli.output import Json, print_json


def replace(old: str, new: str, /, *, reason: str = "", hub: str | None = None, json: Json = False) -> int:
    """Put a device that has joined in the place of another, which is out from its next request on.

    The new one takes the old one's labels and wanted settings, and says whom it replaces; the old one's
    entries in the audit log stay. There is no way back for the old identity.

    Examples
    --------
    halocline device replace dev-abcdefghij234567 dev-234567abcdefghij --reason "broken lens"

    Parameters
    ----------
    old
        The id of the device that goes, as device list shows it.
    new
        The id of the one that takes its place; it has joined already.
    reason
        Why, for the audit log.
    hub
        Another hub than the one signed in to last: its name or URL.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.at_hub import device_in, open_hub, plain, print_device

    old_id, new_id = device_in(old), device_in(new)
    with open_hub(hub) as opened:
        told = opened.replace(old_id, new_id, reason=reason)
    if json:
        print_json(plain(told))
    else:
        print_device(told)
    return 0
