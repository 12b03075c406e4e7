"""An audit log shows what was done to it: rewriting, gaps, a cut-off tail."""

import msgspec
import pytest

from halocline.decide.audit_chain import Head, faults, link
from halocline.fleet import AuditEntry, Link


def chain(name: str = "hub", entries: int = 5) -> list[Link]:
    links: list[Link] = []
    for at in range(entries):
        entry = AuditEntry(at_s=float(at), actor="person:ann", action="device.set", object=f"dev-{at}")
        links.append(link(name, links[-1] if links else None, entry))
    return links


def head(of: Link) -> Head:
    return Head(chain=of.chain, number=of.number, digest=of.digest, at_s=9.0)


def test_a_log_that_nobody_touched_has_no_fault() -> None:
    links = chain()
    assert faults(links, [head(links[-1]), head(links[1])]) == []
    assert faults([*chain("a"), *chain("b")]) == []
    assert faults([]) == []


def test_a_changed_entry_is_found() -> None:
    links = chain()
    forged = msgspec.structs.replace(links[2].entry, actor="person:eve")
    links[2] = msgspec.structs.replace(links[2], entry=forged)
    assert faults(links) == ["entry 3 of hub: it was changed after it was written"]


def test_an_entry_that_was_rewritten_with_its_digest_is_found_at_the_next() -> None:
    links = chain()
    forged = msgspec.structs.replace(links[2].entry, actor="person:eve")
    links[2] = link("hub", links[1], forged)
    assert faults(links) == ["entry 4 of hub: the entry before it is not the one that it was written after"]


def test_a_missing_entry_is_found() -> None:
    links = chain()
    del links[2]
    assert faults(links)[0] == "entry 4 of hub: entry 3 should stand here"


@pytest.mark.parametrize("kept", [0, 4])
def test_a_cut_off_tail_is_found_by_a_head_that_was_kept(kept: int) -> None:
    links = chain()
    assert faults(links[:kept]) == []
    assert faults(links[:kept], [head(links[-1])]) == ["the head of hub at entry 5: the log ends before it"]


def test_a_log_that_was_written_anew_from_some_point_on_is_found_by_a_head_that_was_kept() -> None:
    links = chain()
    forged = msgspec.structs.replace(links[3].entry, actor="person:eve")
    anew = [*links[:3], link("hub", links[2], forged)]
    anew.append(link("hub", anew[-1], links[4].entry))
    assert faults(anew) == []
    assert faults(anew, [head(links[-1])]) == ["the head of hub at entry 5: another entry stands there now"]
