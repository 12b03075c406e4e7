"""Note that two devices were seen with one identity, once a minute at most."""

from typing import Final

import msgspec

from halocline.decide.admission import goes_back
from halocline.fleet import AuditEntry, Device
from halocline.hub.store import Transaction

QUIET_S: Final = 60.0
"""A clone that goes on is one alert a minute, not one a request."""


def note(tx: Transaction, device: Device, cause: str, *, now_s: float) -> None:
    """Mark the device as cloned, and write why into the audit log."""
    if device.cloned_s is not None and now_s - device.cloned_s < QUIET_S:
        return
    tx.put_device(msgspec.structs.replace(device, cloned_s=now_s))
    tx.append(AuditEntry(at_s=now_s, actor="hub", action="device.clone", object=device.id, reason=cause))


def check_boot(tx: Transaction, device: Device, boot: int, *, now_s: float) -> None:
    """Note a clone where a boot counter goes back; which of the two is the real one nobody can tell.

    Belongs into the change that writes the counter, before `touch`.
    """
    if goes_back(device.boot, boot):
        note(tx, device, f"boot counter {boot} after {device.boot}", now_s=now_s)
