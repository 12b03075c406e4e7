"""halocline audit verify: say whether an exported audit log is what was written, without any hub."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from halocline.cli.output import Json, print_json
from halocline.errors import Rejected, Untrusted

if TYPE_CHECKING:
    from halocline.adapters.audit_heads import SignedHead
    from halocline.decide.audit_chain import Head

_MOST_TOLD = 20


def verify(
    file: Path,
    /,
    *,
    head: Annotated[list[Path] | None, Parameter(negative="", consume_multiple=True)] = None,
    key: Path | None = None,
    json: Json = False,
) -> int:
    """Say whether an exported audit log is what the hub wrote; this needs no hub and no network.

    Changed, missing and cut-off entries and heads with a wrong signature are told, and the exit code is 3.
    A log that was rewritten as a whole, or cut off, shows against heads alone that were kept elsewhere.

    Examples
    --------
    halocline audit verify audit.jsonl --head heads --key audit.pub

    Parameters
    ----------
    file
        What `halocline audit export` wrote.
    head
        Heads that the hub wrote, files or folders of them.
    key
        The file audit.pub of the hub's state folder, taken from there before anything happened. Without it
        anyone may have signed the heads.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.adapters.audit_export import Log
    from halocline.adapters.audit_heads import fingerprint, read_heads, read_public
    from halocline.decide.audit_chain import faults

    heads = read_heads(head or [])
    if head and not heads:
        raise Rejected("HAL-759", f"no head of an audit log is in {', '.join(map(str, head))}")
    bad, signed = _checked(heads, None if key is None else read_public(key))
    log = Log(file)
    found = faults(log.read(), signed)
    found += [f"line {number}: it is no entry" for number in log.unread] + bad
    if not log.entries and not heads:
        raise Rejected("HAL-759", f"{file} is empty. Try: halocline audit export --to {file}")
    pinned = {each.chain: max(h.number for h in signed if h.chain == each.chain) for each in signed}
    keys = sorted({fingerprint(each.key) for each in heads if each.head in signed})
    if json:
        print_json(
            {
                "entries": log.entries,
                "chains": {
                    name: {"entries": log.newest[name], "pinned": pinned.get(name)} for name in log.newest
                },
                "keys": keys,
                "key_checked": key is not None,
                "faults": found,
            }
        )
    else:
        for fault in found[:_MOST_TOLD]:
            print(fault)
        if len(found) > _MOST_TOLD:
            print(f"… and {len(found) - _MOST_TOLD} more")
        if any(pinned[chain] > log.newest.get(chain, 0) for chain in pinned):
            print("a log that was exported before a head was made ends before it, too: export it anew")
    if found:
        raise Untrusted("HAL-709", f"{file} is not what the hub wrote: {found[0]} (faults: {len(found)})")
    if not json:
        _tell(log.newest, pinned, keys, is_checked=key is not None)
    return 0


def _checked(heads: "Sequence[SignedHead]", key: str | None) -> "tuple[list[str], list[Head]]":
    """What is wrong with the signatures, and the heads whose signature is right."""
    from halocline.adapters.audit_heads import fingerprint, is_signed

    bad, right = [], []
    for each in heads:
        place = f"the head of {each.head.chain} at entry {each.head.number}"
        if not is_signed(each):
            bad.append(f"{place}: its signature is wrong")
        elif key is not None and each.key != key:
            bad.append(f"{place}: another key has signed it, {fingerprint(each.key)}")
        else:
            right.append(each.head)
    return bad, right


def _tell(newest: dict[str, int], pinned: dict[str, int], keys: Sequence[str], *, is_checked: bool) -> None:
    for chain, number in newest.items():
        if chain not in pinned:
            print(
                f"{chain}: {number} entries follow one another. No head was given: "
                "entries cut off at the end, or a log written anew as a whole, cannot be seen"
            )
        else:
            rest = "" if pinned[chain] >= number else f"; those after {pinned[chain]} stand on no head yet"
            print(f"{chain}: {number} entries, as the hub wrote them{rest}")
    if keys and not is_checked:
        print(f"the heads are signed by {', '.join(keys)}: give --key audit.pub to see that it is the hub's")
