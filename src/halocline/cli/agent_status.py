"""`halocline agent status`: who this device is, and what it last heard from its hub."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from halocline.cli.output import Json, print_json, print_pairs
from halocline.errors import Misconfigured
from halocline.extras import need
from halocline.folders import agent_folder


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
            }
        )
        return 0
    until = datetime.fromtimestamp(identity.not_after_s, UTC)
    last = "nothing yet"
    if reported is not None:
        last = f"generation {reported.generation} {reported.state}{reported.reason and ': '}{reported.reason}"
    print_pairs(
        [
            ("device", identity.places.device),
            ("hub", identity.places.channel),
            ("certificate", f"{identity.serial}, until {until:%Y-%m-%d %H:%M} UTC"),
            ("agent", "runs" if is_held(folder) else "does not run"),
            ("settings", last),
        ]
    )
    return 0
