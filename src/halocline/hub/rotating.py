"""Decide when the authority may be replaced: devices learn a new root before the old one goes."""

from collections.abc import Callable
from typing import Final

import msgspec

from halocline.errors import Misconfigured, Rejected
from halocline.fleet import AuditEntry, CertificateState, DeviceState
from halocline.hub.authority import Authority, Rotation
from halocline.hub.refusing import audited
from halocline.hub.store import Store, Transaction

_NAMED: Final = 3


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """A new root beside an old one."""

    old: list[str]
    """`sha256:…` of the old roots, the newest first."""
    since_s: float
    behind: list[str]
    """Ids of the enrolled devices that do not know the new root yet."""


def progress(store: Store, authority: Authority) -> Progress | None:
    """How far devices have followed to a new root; None where there is no old one."""
    since_s = authority.rotating_since_s
    if since_s is None:
        return None
    with store.look() as tx:
        return Progress(old=authority.old_fingerprints, since_s=since_s, behind=_behind(tx, since_s))


def rotate(
    store: Store,
    authority: Authority,
    turn: Callable[[Rotation], None],
    what: Rotation,
    *,
    actor: str,
    reason: str,
    anyway: bool = False,
    now_s: float,
) -> None:
    """Replace, and write it down. `turn` does it, and raises where it cannot be.

    Raises Rejected (HAL-782), where `anyway` does not stand, for an old root that devices need still.
    """
    with audited(store, actor=actor, action="hub.rotate", about=what.value, now_s=now_s):
        found = progress(store, authority)
        if what is Rotation.RETIRE and found is not None and found.behind and not anyway:
            raise Rejected("HAL-782", _locked_out(found.behind))
        with store.change() as tx:
            turn(what)
            tx.put_root(authority.fingerprint)
            tx.append(
                AuditEntry(
                    at_s=now_s,
                    actor=actor,
                    action="hub.rotate",
                    object=what.value,
                    reason=reason,
                    details={"root": authority.fingerprint, "old": authority.old_fingerprints},
                )
            )


def bind(store: Store, authority: Authority) -> None:
    """See that the store's devices trust this authority. Raises Misconfigured (HAL-783)."""
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
