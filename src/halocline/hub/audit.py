"""Look things up in the audit log, say how far it has come, and when a head of it is due."""

from collections.abc import Callable
from typing import Final

import msgspec

from halocline.decide.audit_chain import Head
from halocline.fleet import AuditEntry, Link
from halocline.hub.store import Store

PAGE: Final = 1000
_DIGEST: Final = "sha256:"
_STEP: Final = 2000
_STEPS: Final = 5
"""So many entries are looked at for one page at most: nobody's question keeps the database for long."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries someone asks for; what is empty asks nothing."""

    since_s: float | None = None
    actor: str = ""
    """`person:ann`, or `ann` alone."""
    object: str = ""
    """Of a digest, a start is enough."""

    def fits(self, entry: AuditEntry) -> bool:
        """Whether the entry is one of them."""
        return (
            (self.since_s is None or entry.at_s >= self.since_s)
            and (not self.actor or self.actor in (entry.actor, entry.actor.partition(":")[2]))
            and (not self.object or self._is_about(entry.object))
        )

    def _is_about(self, about: str) -> bool:
        return about == self.object or (self.object.startswith(_DIGEST) and about.startswith(self.object))


class Page(msgspec.Struct, frozen=True):
    """Some entries of one chain, oldest first."""

    links: list[Link]
    next: int | None
    """After which number the next page begins; None where this is the last one."""


def page(store: Store, chain: str, *, after: int, wanted: Wanted) -> Page:
    """What is wanted of the chain after that number; fewer than there are, and even none, where it is long.

    Raises Transient (HAL-703).
    """
    found: list[Link] = []
    with store.look() as tx:
        for _ in range(_STEPS):
            links = tx.audit(after=after, limit=_STEP, chain=chain)
            for link in links:
                if len(found) == PAGE:
                    return Page(found, after)
                after = link.number
                if wanted.fits(link.entry):
                    found.append(link)
            if len(links) < _STEP:
                return Page(found, None)
    return Page(found, after)


def newest_head(store: Store, chain: str, *, now_s: float) -> Head | None:
    """How far that chain has come; None while nothing stands in it. Raises Transient (HAL-703)."""
    with store.look() as tx:
        last = tx.newest_link(chain)
    if last is None:
        return None
    return Head(chain=chain, number=last.number, digest=last.digest, at_s=now_s)


def holds(store: Store, head: Head) -> bool:
    """Whether the log has what the head pins. Raises Transient (HAL-703)."""
    with store.look() as tx:
        links = tx.audit(after=head.number - 1, limit=1, chain=head.chain)
    return [(link.number, link.digest) for link in links] == [(head.number, head.digest)]


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
