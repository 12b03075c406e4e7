"""halocline audit list: who did what at a hub, and what it refused."""

import time

from halocline.cli.at_hub import Hub
from halocline.cli.output import Json, print_json, print_table
from halocline.errors import Rejected

_SHOWN = 19
"""Characters of a digest: enough to find it by."""


def list(  # noqa: A001 - named as its command
    *,
    since: str | None = None,
    actor: str = "",
    object: str = "",  # noqa: A002 - the audit log's word
    last: int = 100,
    hub: Hub = None,
    json: Json = False,
) -> int:
    """List who did what at a hub, and what it refused, oldest first.

    Examples
    --------
    halocline audit list --since 1d --actor person:ann

    Parameters
    ----------
    since
        Only what is no older than this: 30s, 10m, 1h, 30d, by this machine's clock.
    actor
        Only what person:NAME, device:ID or hub did; the name or id alone is enough.
    object
        Only what was done to this device, person or invite; the start of a digest is enough.
    last
        The newest so many of them.
    """
    from collections import deque

    from halocline.cli.at_hub import moment, open_hub, plain
    from halocline.cli.durations import read_duration
    from halocline.fleet import Link

    if last < 1:
        raise Rejected("HAL-101", f"--last must be 1 or more, got {last}")
    since_s = None if since is None else time.time() - read_duration("--since", since)
    with open_hub(hub) as opened:
        newest: dict[str, deque[Link]] = {}
        for chain, links in opened.audit(since_s=since_s, actor=actor, about=object):
            newest.setdefault(chain, deque(maxlen=last)).extend(links)
    found = sorted(
        (link for links in newest.values() for link in links),
        key=lambda link: (link.entry.at_s, link.chain, link.number),
    )[-last:]
    if json:
        print_json({"entries": [plain(each) for each in found]})
    elif not found:
        print("nothing in the log is like that")
    else:
        rows = [
            [
                moment(each.entry.at_s),
                each.entry.actor,
                each.entry.action + (" REFUSED" if each.entry.outcome == "refused" else ""),
                each.entry.object[:_SHOWN] if each.entry.object.startswith("sha256:") else each.entry.object,
                each.entry.reason,
            ]
            for each in found
        ]
        print_table(["when", "who", "what", "on", "why"], rows)
    return 0
