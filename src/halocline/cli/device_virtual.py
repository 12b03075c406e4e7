"""halocline device virtual: fill a hub with devices that have no machine of their own."""

import contextlib
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from halocline.cli.at_hub import Several
from halocline.cli.output import Json, print_json
from halocline.errors import HaloclineError, Misconfigured

if TYPE_CHECKING:
    from halocline.adapters.http.people import PeopleDoor

MOST: Final = 200
"""Each is a thread and a connection to the hub."""
_TTL_S: Final = 600.0


def virtual(
    *,
    count: int = 3,
    label: Several = None,
    model: Several = None,
    poll_s: float = 10.0,
    state: Path | None = None,
    once: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    hub: str | None = None,
    json: Json = False,
) -> int:
    """Fill a hub with virtual devices, to try what one does with a fleet; Ctrl-C ends them.

    Each makes a key, joins by an invite, follows its twin and reports, as a machine does; it serves nobody.
    They have the label virtual=yes. At the end they are revoked, unless --state keeps them.

    Examples
    --------
    halocline device virtual --count 3 --label site=north

    Parameters
    ----------
    count
        How many, 1 to 200.
    label
        KEY=VALUE that they get; may be given again.
    model
        A model that they say they serve; may be given again. By default edge.
    poll_s
        How often each looks for changes, in seconds.
    state
        A folder for their identities: the same devices come again by it.
    once
        End when each has joined and reported; they stay at the hub, and grow silent.
    hub
        Another hub than the one signed in to last: its name or URL.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.assemble_virtual import LABEL, until_signal, virtual_devices
    from halocline.cli.at_hub import labels_in, name_in, open_hub
    from halocline.decide.device_settings import LEAST_POLL_S, MOST_POLL_S
    from halocline.extras import need
    from halocline.wire.invite import decode_invite
    from halocline.wire.people import InviteRequest

    need("agent", "cryptography", what="a virtual device")
    labels = {**labels_in(label), **LABEL}
    models = tuple(name_in("model", each) for each in model or ["edge"])
    _check("--count", count, 1, MOST)
    _check("--poll-s", poll_s, LEAST_POLL_S, MOST_POLL_S)
    with contextlib.ExitStack() as ending:
        opened = ending.enter_context(open_hub(hub))
        made = opened.invite(InviteRequest(ttl_s=_TTL_S, uses=count, labels=labels, reason="virtual devices"))
        where = state or Path(ending.enter_context(TemporaryDirectory(prefix="halocline-virtual-")))
        folders = [where / f"device-{place:03}" for place in range(1, count + 1)]
        told = virtual_devices(
            decode_invite(made.invite), folders, models=models, poll_s=poll_s, stay=not once
        )
        with told as ids:
            _tell(ids, once=once, json=json)
            if not once:
                until_signal()
        if not once and state is None:
            _revoke(opened, ids)
    return 0


def _tell(ids: list[str], *, once: bool, json: bool) -> None:
    if json:
        print_json({"devices": ids})
    else:
        end = "" if once else "; Ctrl-C ends them"
        print(f"joined: {', '.join(ids)}{end}")
    sys.stdout.flush()


def _revoke(opened: "PeopleDoor", ids: list[str]) -> None:
    """Their keys are gone with their folder: a hub that listed them on would call them silent."""
    try:
        for each in ids:
            opened.revoke(each, reason="a virtual device that has ended")
    except HaloclineError as error:
        print(f"they stay at the hub, and grow silent: {error}", file=sys.stderr)


def _check(flag: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise Misconfigured("HAL-101", f"{flag} must be in [{least:g}, {most:g}], got {value:g}")
