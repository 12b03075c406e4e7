"""halocline device accept: let a device in that waits."""

from typing import Annotated

from cyclopts import Parameter

from halocline.cli.at_hub import Several
from halocline.cli.output import Json, print_json
from halocline.errors import Rejected


def accept(
    device: str,
    /,
    *,
    code: str | None = None,
    label: Several = None,
    as_asked: Annotated[bool, Parameter(negative="")] = False,
    reason: str = "",
    hub: str | None = None,
    json: Json = False,
) -> int:
    """Let a device in that waits, after comparing its code.

    Examples
    --------
    halocline device accept dev-abcdefghij234567 --label region=eu

    Parameters
    ----------
    device
        Its id, as device pending lists it.
    code
        The code that the device shows; where it differs from the one here, nothing is done.
    label
        KEY=VALUE that it gets; may be given again.
    as_asked
        Give it the labels that it asks for, as device pending shows them.
    reason
        Why, for the audit log.
    hub
        Another hub than the one signed in to last: its name or URL.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.at_hub import device_in, labels_in, open_hub, plain, print_device

    device_id, labels = device_in(device), labels_in(label)
    with open_hub(hub) as opened:
        if code is not None and (shown := opened.device(device_id).device.code) != code.strip():
            raise Rejected(
                "HAL-102", f"--code: {device_id} shows {shown}, not {code[:20]}: is it another device?"
            )
        told = opened.accept(device_id, labels=labels, as_asked=as_asked, reason=reason)
    if json:
        print_json(plain(told))
    else:
        print_device(told)
    return 0
