"""What people call devices by: labels are set and taken away, in one change with its audit entry."""

from collections.abc import Mapping, Sequence

import msgspec

from halocline.fleet import AuditEntry, Device
from halocline.hub.naming import check_labels
from halocline.hub.store import Store
from halocline.hub.twins import present


def set_labels(
    store: Store,
    device_id: str,
    labels: Mapping[str, str],
    remove: Sequence[str],
    *,
    actor: str,
    reason: str,
    now_s: float,
) -> Device:
    """Set these labels, take away those in `remove`. Raises Rejected (HAL-101, HAL-102, HAL-748)."""
    with store.change() as tx:
        before = present(tx, device_id)
        kept = {name: value for name, value in before.labels.items() if name not in remove}
        after = msgspec.structs.replace(before, labels={**kept, **labels})
        check_labels(after.labels)
        if after == before:
            return before
        tx.put_device(after)
        tx.append(
            AuditEntry(
                at_s=now_s,
                actor=actor,
                action="device.label",
                object=device_id,
                reason=reason,
                details={"labels": dict(labels), "remove": list(remove)},
            )
        )
        return after
