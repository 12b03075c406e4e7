"""`halocline agent status`: who this device is, and what it last heard from its hub."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from halocline.cli.output import Json, print_json, print_pairs
from halocline.errors import Misconfigured
from halocline.extras import need
from halocline.folders import agent_folder

_REFUSED: Final = {
    "web_page": "from web pages",
    "other_host": "under another host's name",
    "no_token": "without the token",
}


def status(*, state: Path | None = None, json: Json = False) -> int:
    """Show a device's identity, its certificate's end and the settings in force; nothing is asked.

    Parameters
    ----------
    state
        The folder of this device's identity. Default: HALOCLINE_STATE, or a data folder of this user.
    json
        Print one JSON object.

    Examples
    --------
    halocline agent status --state dev1
    """
    need("agent", "cryptography", what="a device's identity")
    from halocline.adapters.device_folder.folder import attempt_in, is_held
    from halocline.adapters.device_folder.identity import read_identity
    from halocline.adapters.device_folder.memory import FILE, DeviceMemory
    from halocline.adapters.device_folder.refused import read_refused
    from halocline.fleet import Desired

    folder = state or agent_folder()
    identity = read_identity(folder)
    asked = None if identity is not None else attempt_in(folder)
    if asked is not None:
        raise Misconfigured(
            "HAL-726",
            f"{folder} holds no identity yet: it asked to join {asked.join}, and nobody has accepted it. See "
            "there: halocline device pending, device accept DEVICE; then run the same agent join again",
        )
    if identity is None:
        raise Misconfigured(
            "HAL-726", f"{folder} holds no identity. Join a hub: halocline agent join INVITE --state {folder}"
        )
    boot, applied, reported = 0, Desired(), None
    if (folder / FILE).is_file():
        memory = DeviceMemory(folder / FILE, readonly=True)
        boot, applied, reported = memory.boot, memory.applied(), memory.reported()
        memory.close()
    refused = read_refused(folder)
    if json:
        print_json(
            {
                "device": identity.places.device,
                "hub": identity.places.channel,
                "join": identity.places.join,
                "certificate": {
                    "serial": identity.serial,
                    "not_before_s": identity.not_before_s,
                    "not_after_s": identity.not_after_s,
                },
                "running": is_held(folder),
                "boot": boot,
                "applied": msgspec.to_builtins(applied),
                "reported": msgspec.to_builtins(reported),
                "refused": None
                if refused is None
                else {"since_s": refused.since_s, "last_s": refused.last_s, "counts": refused.counts},
            }
        )
        return 0
    last = "nothing yet"
    if reported is not None:
        last = f"generation {reported.generation} {reported.state}{reported.reason and ': '}{reported.reason}"
    turned_away = []
    if refused is not None:
        counts = ", ".join(f"{count} {_REFUSED.get(cause, cause)}" for cause, count in refused.counts.items())
        turned_away = [("refused here", f"{counts}; last {_moment(refused.last_s)}")]
    print_pairs(
        [
            ("device", identity.places.device),
            ("hub", identity.places.channel),
            ("certificate", f"{identity.serial}, until {_moment(identity.not_after_s)}"),
            ("agent", "runs" if is_held(folder) else "does not run"),
            ("settings", last),
            *turned_away,
        ]
    )
    return 0


def _moment(at_s: float) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M} UTC"
