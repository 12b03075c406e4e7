"""halocline device revoke: let a device in no more."""

from halocline.cli.output import Json, print_json


def revoke(device: str, /, *, reason: str = "", hub: str | None = None, json: Json = False) -> int:
    """Let a device in no more, from its next request on. There is no way back for this identity.

    Examples
    --------
    halocline device revoke dev-abcdefghij234567 --reason stolen

    Parameters
    ----------
    device
        Its id, as device list shows it.
    reason
        Why, for the audit log.
    hub
        Another hub than the one signed in to last: its name or URL.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.at_hub import device_in, open_hub, plain

    device_id = device_in(device)
    with open_hub(hub) as opened:
        told = opened.revoke(device_id, reason=reason)
    if json:
        print_json(plain(told))
    else:
        print(f"{device_id} is {told.device.state}: nothing that it shows lets it in any more")
    return 0
