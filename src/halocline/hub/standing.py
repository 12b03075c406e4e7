"""What people do to a device's standing: accept it, revoke it, put another in its place."""

import msgspec

from halocline.errors import Rejected
from halocline.fleet import AuditEntry, Desired, Device, DeviceState
from halocline.hub.naming import check_labels
from halocline.hub.refusing import audited
from halocline.hub.store import Store, Transaction
from halocline.hub.twins import present


def accept(
    store: Store,
    device_id: str,
    *,
    actor: str,
    labels: dict[str, str] | None = None,
    as_asked: bool = False,
    reason: str = "",
    now_s: float,
) -> Device:
    """Let a pending device in: it gets its certificate when it asks again; accepting twice is once.

    It gets `labels`, and with `as_asked` those that it asks for.

    Raises Rejected: HAL-101, HAL-102 (labels), HAL-747 (it is out), HAL-748 (there is none).
    """
    with (
        audited(store, actor=actor, action="device.accept", about=device_id, now_s=now_s),
        store.change() as tx,
    ):
        device = present(tx, device_id)
        if device.state is DeviceState.ENROLLED:
            return device
        _refuse_out(device)
        given = {**(device.asked if as_asked else {}), **(labels or {})}
        both = {**device.labels, **given}
        check_labels(both)
        after = msgspec.structs.replace(device, state=DeviceState.ENROLLED, labels=both, asked={}, code="")
        tx.put_device(after)
        details = {"key": device.key, **({"labels": given} if given else {})}
        _write(tx, now_s, actor, "device.accept", device_id, reason, **details)
        return after


def revoke(store: Store, device_id: str, *, actor: str, reason: str = "", now_s: float) -> Device:
    """Shut a device out, from its next request on, whatever it shows; revoking twice is once.

    Raises Rejected (HAL-748) where there is no such device.
    """
    with (
        audited(store, actor=actor, action="device.revoke", about=device_id, now_s=now_s),
        store.change() as tx,
    ):
        device = present(tx, device_id)
        if device.state is DeviceState.REVOKED:
            return device
        after = msgspec.structs.replace(device, state=DeviceState.REVOKED, code="")
        tx.put_device(after)
        _write(tx, now_s, actor, "device.revoke", device_id, reason, was=str(device.state))
        return after


def replace(store: Store, old_id: str, new_id: str, *, actor: str, reason: str = "", now_s: float) -> Device:
    """Give a device's labels and desired state to another, which stands in its place from now on.

    Raises Rejected: HAL-747 (the new one is not enrolled, or has a past of its own), HAL-748, HAL-101
    (together they have too many labels).
    """
    with (
        audited(store, actor=actor, action="device.replace", about=old_id, now_s=now_s),
        store.change() as tx,
    ):
        old, new = present(tx, old_id), present(tx, new_id)
        if old.state is DeviceState.REPLACED and new.replaces == old_id:
            return new
        _check_pair(old, new)
        both = {**new.labels, **old.labels}
        check_labels(both)
        after = msgspec.structs.replace(new, labels=both, replaces=old_id)
        tx.put_device(msgspec.structs.replace(old, state=DeviceState.REPLACED, code=""))
        tx.put_device(after)
        _inherit(tx, old_id, new_id)
        _write(tx, now_s, actor, "device.replace", old_id, reason, by=new_id)
        return after


def _check_pair(old: Device, new: Device) -> None:
    if old.id == new.id:
        raise Rejected("HAL-747", f"{old.id} cannot replace itself: name the device that stands in its place")
    if old.state is DeviceState.REPLACED:
        raise Rejected("HAL-747", f"{old.id} was replaced already. See: halocline device show {old.id}")
    if new.state is not DeviceState.ENROLLED or new.replaces is not None:
        why = f"replaces {new.replaces} already" if new.replaces else f"is {new.state}, not enrolled"
        raise Rejected("HAL-747", f"{new.id} {why}. See: halocline device list")


def _inherit(tx: Transaction, old_id: str, new_id: str) -> None:
    wanted, own = tx.twin(old_id).desired, tx.twin(new_id).desired
    if wanted.generation and wanted.settings != own.settings:
        tx.put_desired(new_id, Desired(generation=own.generation + 1, settings=wanted.settings))


def _refuse_out(device: Device) -> None:
    if device.state in (DeviceState.REVOKED, DeviceState.REPLACED):
        raise Rejected(
            "HAL-747", f"{device.id} is {device.state}, for good. To let it in, join it anew with a new key"
        )


def _write(
    tx: Transaction, now_s: float, actor: str, action: str, about: str, reason: str, **details: object
) -> None:
    tx.append(
        AuditEntry(at_s=now_s, actor=actor, action=action, object=about, reason=reason, details=dict(details))
    )
