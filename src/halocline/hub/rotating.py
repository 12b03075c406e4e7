"""Decide when the authority may be replaced: devices learn a new root before the old one goes."""

from collections.abc import Callable
from typing import Final

import msgspec

from halocline.errors import Misconfigured, Rejected
from halocline.fleet import AuditEntry, CertificateState, DeviceState
from halocline.hub.authority import Authority, Rotation
from halocline.hub.refusing import audited
from halocline.hub.store import Store, Transaction

ACTION: Final = "hub.rotate"
"""In the audit log."""
SHARED_S: Final = 60.0
"""By then every process of a hub signs under the new root; what was signed before may be under the old."""
_NAMED: Final = 3


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """A new root beside an old one."""

    old: list[str]
    """`sha256:…` of the old roots, the newest first."""
    since_s: float
    behind: list[str]
    """Ids of the enrolled devices that do not know the new root yet."""


def progress(store: Store, authority: Authority, *, slack_s: float = 0.0) -> Progress | None:
    """How far devices have followed to a new root; None where there is no old one.

    What was signed within `slack_s` of the change is not taken for a sign that a device knows the new root.
    """
    since_s = authority.rotating_since_s
    if since_s is None:
        return None
    with store.look() as tx:
        return Progress(
            old=authority.old_fingerprints, since_s=since_s, behind=_behind(tx, since_s + slack_s)
        )


def rotate(
    store: Store,
    authority: Authority,
    turn: Callable[[Rotation], None],
    what: Rotation,
    *,
    actor: str,
    reason: str,
    anyway: bool = False,
    slack_s: float = 0.0,
    now_s: float,
) -> None:
    """Replace, and write it down. `turn` does it, and raises where it cannot be.

    Raises Rejected (HAL-782), where `anyway` does not stand, for an old root that devices need still.
    """
    with audited(store, actor=actor, action=ACTION, about=what.value, now_s=now_s):
        found = progress(store, authority, slack_s=slack_s)
        if what is Rotation.RETIRE and found is not None and found.behind and not anyway:
            raise Rejected("HAL-782", _locked_out(found.behind))
        # Before the change, not in it: `turn` waits for others who start, and they may wait for the database.
        turn(what)
        with store.change() as tx:
            tx.put_root(authority.fingerprint)
            _write(tx, authority, what, actor=actor, reason=reason, now_s=now_s)


def bind(store: Store, authority: Authority, *, now_s: float) -> None:
    """See that the store's devices trust this authority, and write down where they follow to a new root.

    Raises Misconfigured (HAL-783).
    """
    with store.change() as tx:
        known = tx.root()
        if known == authority.fingerprint:
            return
        if known is not None and known not in authority.old_fingerprints:
            raise Misconfigured(
                "HAL-783",
                f"the devices in this database trust the root {known}, and this hub has "
                f"{authority.fingerprint}. Start it with the state folder (or --issuer-cert) of that root, "
                "which all hubs on one database share, or give another --database",
            )
        tx.put_root(authority.fingerprint)
        if known is not None:  # a process died between the change of the folder and that of the database
            _write(tx, authority, Rotation.ROOT, actor="hub", reason="found at a start", now_s=now_s)


def _write(
    tx: Transaction, authority: Authority, what: Rotation, *, actor: str, reason: str, now_s: float
) -> None:
    details = {"root": authority.fingerprint, "old": authority.old_fingerprints}
    tx.append(
        AuditEntry(at_s=now_s, actor=actor, action=ACTION, object=what.value, reason=reason, details=details)
    )


def _behind(tx: Transaction, since_s: float) -> list[str]:
    """Who uses no certificate that came with the new root."""
    return [
        device.id
        for device in tx.devices()
        if device.state is DeviceState.ENROLLED
        and not any(
            each.not_before_s > since_s and each.state is not CertificateState.ISSUED
            for each in tx.certificates(device.id)
        )
    ]


def _locked_out(behind: list[str]) -> str:
    named = ", ".join(behind[:_NAMED]) + (", …" if len(behind) > _NAMED else "")
    return (
        f"{len(behind)} devices do not know the new root yet, and would not find back: {named}. They learn "
        "it as they renew, within a day; see halocline hub status. To leave them behind: --anyway"
    )
