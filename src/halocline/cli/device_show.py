"""halocline device show: show one device."""

from halocline.cli.output import Json, print_json


def show(device: str, /, *, hub: str | None = None, json: Json = False) -> int:
    """Show one device: its state, its labels, what is wanted of it and what is in force.

    Examples
    --------
    halocline device show dev-abcdefghij234567

    Parameters
    ----------
    device
        Its id, as device list shows it.
    hub
        Another hub than the one signed in to last: its name or URL.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.at_hub import device_in, open_hub, plain, print_device

    device_id = device_in(device)
    with open_hub(hub) as opened:
        told = opened.device(device_id)
    if json:
        print_json(plain(told))
    else:
        print_device(told)
    return 0
