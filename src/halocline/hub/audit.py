"""Decide when a head of the audit log is due, and say how far the log has come."""

from collections.abc import Callable

from halocline.decide.audit_chain import Head
from halocline.hub.store import Store


def newest_head(store: Store, chain: str, *, now_s: float) -> Head | None:
    """How far that chain has come; None while nothing stands in it. Raises Transient (HAL-703)."""
    with store.look() as tx:
        last = tx.newest_link(chain)
    if last is None:
        return None
    return Head(chain=chain, number=last.number, digest=last.digest, at_s=now_s)


class Notary:
    """Has a head of one chain kept whenever the chain has grown; `keep` signs it and puts it elsewhere."""

    def __init__(self, store: Store, chain: str, keep: Callable[[Head], object]) -> None:
        self._store = store
        self._chain = chain
        self._keep = keep
        self._kept = 0

    def note(self, *, now_s: float) -> Head | None:
        """The head that was kept; None where nothing was written since the last. Raises what `keep` does."""
        head = newest_head(self._store, self._chain, now_s=now_s)
        if head is None or head.number == self._kept:
            return None
        self._keep(head)
        self._kept = head.number
        return head
