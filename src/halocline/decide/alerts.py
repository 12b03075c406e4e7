"""Decide which alerts of a hub are open: silent devices, clones, a full disk, a failed backup."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from halocline.fleet import Device, DeviceState

POLL_S: Final = 60.0
"""How often a device looks where nothing else was set."""


class AlertKind(StrEnum):
    """What can be wrong that somebody should get up for."""

    SILENT = "device.silent"
    CLONE = "device.clone"
    DISK = "hub.disk"
    BACKUP = "hub.backup"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong now."""

    id: str
    """The kind, and the device where there is one: the same as long as it is the same trouble."""
    kind: AlertKind
    since_s: float
    """When the trouble began, seconds since 1970: earlier than it was noticed."""
    cause: str
    todo: str
    """What to do about it."""
    device: str = ""
    clear_s: float | None = None
    """Since when the trouble is over; the alert closes once that has lasted."""


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """The file system that the hub writes to."""

    total_bytes: int
    free_bytes: int


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Something that failed, and since when it does."""

    since_s: float
    cause: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known at one moment."""

    devices: Sequence[Device] = ()
    poll_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """How often a device looks, by its id, where that is set."""
    disk: Disk | None = None
    backup: Failure | None = None
    watched_since_s: float = 0.0
    """Since when the hub listens: what was silent while it was away itself is not held against it."""


class AlertRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner of the hub decides about alerts."""

    silent_s: float = 900.0
    """A device is silent after so long without contact,"""
    silent_polls: float = 5.0
    """and after so many of its polls: whichever is longer."""
    clone_s: float = 86_400.0
    """A clone is an alert until it was not seen for so long, or its device is out."""
    disk_share: float = 0.1
    """The disk is nearly full with less than this share of it free,"""
    disk_bytes: int = 5 << 30
    """and less than so much: of a large disk a tenth is plenty."""
    disk_clear: float = 1.5
    """It is so no more with so many times that free."""
    settle_s: float = 120.0
    """An alert closes once its trouble was over for so long: one that comes and goes is one alert."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """The alerts that are open now, and what changed: a message each."""

    open: dict[str, Alert]
    opened: list[Alert]
    closed: list[Alert]


def judge(was_open: Mapping[str, Alert], facts: Facts, rules: AlertRules, *, now_s: float) -> Judged:
    """What is open now, after what was open before."""
    wrong = {each.id: each for each in _wrong(was_open, facts, rules, now_s)}
    still: dict[str, Alert] = {}
    closed: list[Alert] = []
    for name, before in was_open.items():
        if name in wrong:
            still[name] = msgspec.structs.replace(wrong[name], since_s=before.since_s)
            continue
        clear_s = now_s if before.clear_s is None else before.clear_s
        if now_s - clear_s >= rules.settle_s or _is_settled(before, facts):
            closed.append(msgspec.structs.replace(before, clear_s=clear_s))
        else:
            still[name] = msgspec.structs.replace(before, clear_s=clear_s)
    opened = [each for name, each in wrong.items() if name not in was_open]
    return Judged(open=still | {each.id: each for each in opened}, opened=opened, closed=closed)


def _wrong(was_open: Mapping[str, Alert], facts: Facts, rules: AlertRules, now_s: float) -> list[Alert]:
    found = []
    for device in facts.devices:
        if device.state is DeviceState.ENROLLED:
            found += [_silent(device, facts, rules, now_s), _clone(device, rules, now_s)]
    found += [_disk(was_open, facts, rules, now_s), _backup(facts)]
    return [each for each in found if each is not None]


def _silent(device: Device, facts: Facts, rules: AlertRules, now_s: float) -> Alert | None:
    limit_s = max(rules.silent_s, rules.silent_polls * facts.poll_s.get(device.id, POLL_S))
    heard_s = device.created_s if device.seen_s is None else device.seen_s
    if now_s - max(heard_s, facts.watched_since_s) < limit_s:
        return None
    heard = "never heard of since it joined" if device.seen_s is None else "not heard of"
    return Alert(
        id=f"{AlertKind.SILENT}:{device.id}",
        kind=AlertKind.SILENT,
        device=device.id,
        since_s=heard_s,
        cause=f"{device.id} was {heard} for more than {limit_s / 60:.0f} min",
        todo="Look at its power and network; on the device: halocline agent status. A device that is gone "
        f"for good: halocline device revoke {device.id}",
    )


def _clone(device: Device, rules: AlertRules, now_s: float) -> Alert | None:
    if device.cloned_s is None or now_s - device.cloned_s >= rules.clone_s:
        return None
    return Alert(
        id=f"{AlertKind.CLONE}:{device.id}",
        kind=AlertKind.CLONE,
        device=device.id,
        since_s=device.cloned_s,
        cause=f"the identity of {device.id} was used by two at once, or by a copy of its disk",
        todo=f"Find out which is the real one; stop both with: halocline device revoke {device.id} "
        "and let the real one join anew",
    )


def _disk(was_open: Mapping[str, Alert], facts: Facts, rules: AlertRules, now_s: float) -> Alert | None:
    if facts.disk is None:
        return None
    least_bytes = min(rules.disk_share * facts.disk.total_bytes, rules.disk_bytes)
    if AlertKind.DISK in was_open:
        least_bytes *= rules.disk_clear
    if facts.disk.free_bytes >= least_bytes:
        return None
    mib = 1 << 20
    return Alert(
        id=AlertKind.DISK,
        kind=AlertKind.DISK,
        since_s=now_s,
        cause=f"{facts.disk.free_bytes / mib:,.0f} MiB of {facts.disk.total_bytes / mib:,.0f} MiB are free "
        "where the hub keeps its state",
        todo="Make room there, or move the state folder; with a full disk no device can join or report",
    )


def _backup(facts: Facts) -> Alert | None:
    if facts.backup is None:
        return None
    return Alert(
        id=AlertKind.BACKUP,
        kind=AlertKind.BACKUP,
        since_s=facts.backup.since_s,
        cause=f"the backup failed: {facts.backup.cause}",
        todo="Put right what the message names, and back up by hand",
    )


def _is_settled(alert: Alert, facts: Facts) -> bool:
    """Whether somebody dealt with it: the device is out, and cannot come and go."""
    return alert.device != "" and not any(
        each.id == alert.device and each.state is DeviceState.ENROLLED for each in facts.devices
    )
