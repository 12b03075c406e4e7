"""What the hub wants of a device and what the device says became of it."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

import msgspec

from halocline.decide.device_settings import fault
from halocline.decide.rights import covers
from halocline.errors import Rejected, Transient
from halocline.fleet import (
    AuditEntry,
    Desired,
    Device,
    DeviceState,
    ModelSettings,
    Person,
    Reported,
    Settings,
)
from halocline.hub import clones
from halocline.hub.naming import check_name
from halocline.hub.starts import Starts
from halocline.hub.store import Store, Transaction

MAX_COUNT: Final = 2**31 - 1
"""The largest boot counter or generation: what every database holds in an integer column."""
MAX_MODELS: Final = 64
"""The most model pairs that one device is told of, or tells of."""
MAX_REASON_CHARS: Final = 500


def merged(settings: Settings, change: Settings) -> Settings:
    """The settings with a change laid over them: what the change leaves None stays as it is."""
    models = dict(settings.models)
    for name, wanted in change.models.items():
        known = models.get(name, ModelSettings())
        models[name] = ModelSettings(
            threshold=known.threshold if wanted.threshold is None else wanted.threshold,
            deadline_s=known.deadline_s if wanted.deadline_s is None else wanted.deadline_s,
        )
    return Settings(
        models=models,
        poll_s=settings.poll_s if change.poll_s is None else change.poll_s,
        long_poll_s=settings.long_poll_s if change.long_poll_s is None else change.long_poll_s,
    )


def check(settings: Settings) -> None:
    """Raise Rejected (HAL-101, HAL-102) for a value that no device can use."""
    if len(settings.models) > MAX_MODELS:
        raise Rejected("HAL-101", f"{len(settings.models)} models are set; a device takes {MAX_MODELS}")
    for name in settings.models:
        check_name("model", name)
    reason = fault(settings)
    if reason:
        raise Rejected("HAL-101", reason)


def without(settings: Settings, names: Sequence[str]) -> Settings:
    """The settings without those of these models. Raises Rejected (HAL-102) where nothing is set for one."""
    for name in names:
        if name not in settings.models:
            there = ", ".join(sorted(settings.models)) or "none"
            raise Rejected("HAL-102", f"nothing is set for the model {name[:80]!r}; set are: {there}")
    kept = {name: wanted for name, wanted in settings.models.items() if name not in names}
    return msgspec.structs.replace(settings, models=kept)


def set_desired(
    store: Store,
    device_id: str,
    change: Settings,
    *,
    unset: Sequence[str] = (),
    force: bool = False,
    actor: str,
    reason: str,
    now_s: float,
) -> Desired:
    """Lay a change over what is desired, less the models of `unset`; a new generation where that changed it.

    With `force` also of a model that the device, by its own report, does not serve. Raises Rejected:
    HAL-101, HAL-102 (a value), HAL-747 (the device is out), HAL-748 (there is none), HAL-778 (no such model).
    """
    check(change)
    with store.change() as tx:
        device = present(tx, device_id)
        if device.state in (DeviceState.REVOKED, DeviceState.REPLACED):
            raise Rejected("HAL-747", f"{device_id} is {device.state}: it is told nothing any more")
        twin = tx.twin(device_id)
        if not force:
            _check_served(device_id, twin.reported, change)
        before = twin.desired
        settings = merged(without(before.settings, unset), change)
        check(settings)
        if settings == before.settings:
            return before
        after = Desired(generation=before.generation + 1, settings=settings)
        if not tx.put_desired(device_id, after):
            raise Transient("HAL-746", f"{device_id} was changed by someone else meanwhile: try again")
        tx.append(
            AuditEntry(
                at_s=now_s,
                actor=actor,
                action="twin.set",
                object=device_id,
                reason=reason,
                details={
                    "generation": after.generation,
                    "change": msgspec.to_builtins(change),
                    **({"unset": list(unset)} if unset else {}),
                },
            )
        )
        return after


def report(store: Store, device_id: str, reported: Reported, *, now_s: float) -> Reported:
    """Keep what a device says of itself, under the hub's time.

    Raises Rejected: HAL-101, HAL-102 (a value), HAL-748 (there is no such device).
    """
    if len(reported.models) > MAX_MODELS:
        raise Rejected("HAL-101", f"{len(reported.models)} models are reported; the hub keeps {MAX_MODELS}")
    for name in reported.models:
        check_name("model", name)
    for name, count in (("generation", reported.generation), ("boot", reported.boot)):
        if not 0 <= count <= MAX_COUNT:
            raise Rejected("HAL-101", f"{name} of a report must be in [0, {MAX_COUNT}], got {count}")
    kept = msgspec.structs.replace(reported, at_s=now_s, reason=reported.reason[:MAX_REASON_CHARS])
    with store.change() as tx:
        clones.check_boot(tx, present(tx, device_id), kept.boot, now_s=now_s)
        before = tx.twin(device_id).reported
        tx.put_reported(device_id, kept)
        tx.touch(device_id, seen_s=now_s, boot=kept.boot)
        if before is None or (before.generation, before.state) != (kept.generation, kept.state):
            tx.append(
                AuditEntry(
                    at_s=now_s,
                    actor=f"device:{device_id}",
                    action="twin.report",
                    object=device_id,
                    outcome="done",
                    reason=kept.reason,
                    details={"generation": kept.generation, "state": str(kept.state)},
                )
            )
    return kept


def hear(store: Store, starts: Starts, device: Device, boot: int, start: str, *, now_s: float) -> None:
    """Note which start of a device asks, and a clone where two take turns. Raises Rejected (HAL-101)."""
    if boot > MAX_COUNT:
        raise Rejected("HAL-101", f"boot must be in [0, {MAX_COUNT}], got {boot}")
    is_two = starts.comes_again(device.id, start)
    if not is_two and boot == device.boot:
        return  # by far the most: nothing is written
    with store.change() as tx:
        known = present(tx, device.id)
        if is_two:
            clones.note(tx, known, f"two starts with boot counter {boot} take turns", now_s=now_s)
        else:
            clones.check_boot(tx, known, boot, now_s=now_s)
        tx.touch(device.id, seen_s=now_s, boot=boot)


def present(tx: Transaction, device_id: str) -> Device:
    """The device. Raises Rejected (HAL-748) where there is none."""
    device = tx.device(device_id)
    if device is None:
        raise Rejected("HAL-748", f"no device {device_id} here. See: halocline device list")
    return device


def visible(tx: Transaction, person: Person, device_id: str) -> Device:
    """The device, where this person may know of it: an installer knows those of one site, some tokens fewer.

    Raises Rejected (HAL-748) where there is none for them.
    """
    device = present(tx, device_id)
    if not covers(person, device.labels):
        raise Rejected("HAL-748", f"no device {device_id} here. See: halocline device list")
    return device


def etag(generation: int) -> str:
    """The entity tag of a generation (RFC 9110, section 8.8.3)."""
    return f'"{generation}"'


def is_known(generation: int, if_none_match: str) -> bool:
    """Whether a client that sent this `If-None-Match` has the generation already."""
    return etag(generation) in [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]


def _check_served(device_id: str, reported: Reported | None, change: Settings) -> None:
    """A model that is not there would stand in the way: a device takes all that is wanted, or nothing."""
    if reported is None or not reported.models:
        return  # what it serves is not known
    for name in sorted(change.models.keys() - reported.models.keys()):
        near = get_close_matches(name, reported.models, 1, 0.6)
        meant = f"Did you mean {near[0]}?" if near else "Is it another device?"
        raise Rejected(
            "HAL-778",
            f"{device_id} serves no model {name!r}, it serves {', '.join(sorted(reported.models))}. {meant} "
            "If it is to serve it soon: --force",
        )
