"""Decide whether an audit log is what was written: each entry's digest covers the one before it.

As in a certificate-transparency log's chain of heads (RFC 9162, section 2): whoever kept a head sees a later
rewriting, a gap or a cut-off tail.
"""

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from halocline.fleet import AuditEntry, Link

START = "sha256:" + "0" * 64
"""What the first link of a chain has for the one before."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """How far a chain had come at a time; kept somewhere else, it pins everything before it."""

    chain: str
    number: int
    digest: str
    at_s: float


def link(chain: str, last: Link | None, entry: AuditEntry) -> Link:
    """The entry in its place behind the last one."""
    number = 1 if last is None else last.number + 1
    previous = START if last is None else last.digest
    return Link(
        chain=chain,
        number=number,
        entry=entry,
        previous=previous,
        digest=_digest(chain, number, previous, entry),
    )


def faults(links: Iterable[Link], heads: Sequence[Head] = ()) -> list[str]:
    """What is wrong with the links of any chains, in their order, and with heads that were kept of them."""
    found = []
    last: dict[str, Link] = {}
    pinned = {(head.chain, head.number) for head in heads}
    seen: dict[tuple[str, int], str] = {}
    for each in links:
        before = last.get(each.chain)
        expected = 1 if before is None else before.number + 1
        place = f"entry {each.number} of {each.chain}"
        if each.number != expected:
            found.append(f"{place}: entry {expected} should stand here")
        elif each.previous != (START if before is None else before.digest):
            found.append(f"{place}: the entry before it is not the one that it was written after")
        if each.digest != _digest(each.chain, each.number, each.previous, each.entry):
            found.append(f"{place}: it was changed after it was written")
        last[each.chain] = each
        if (each.chain, each.number) in pinned:
            seen[each.chain, each.number] = each.digest
    for head in heads:
        place = f"the head of {head.chain} at entry {head.number}"
        digest = seen.get((head.chain, head.number))
        if digest is None:
            found.append(f"{place}: the log ends before it")
        elif digest != head.digest:
            found.append(f"{place}: another entry stands there now")
    return found


def _digest(chain: str, number: int, previous: str, entry: AuditEntry) -> str:
    told = msgspec.json.encode([chain, number, previous, entry], order="deterministic")
    return "sha256:" + hashlib.sha256(told).hexdigest()
