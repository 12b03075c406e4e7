"""Keep signed heads of the audit log beside a hub, and compare the log with the last one at the start."""

import asyncio
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from halocline.assemble_hub.options import HubOptions
from halocline.errors import HaloclineError

if TYPE_CHECKING:
    from halocline.adapters.audit_heads import HeadFolder
    from halocline.adapters.hub_folder import HubFolder
    from halocline.hub.audit import Notary
    from halocline.hub.store import Store


def heads_of(folder: "HubFolder", options: HubOptions) -> "HeadFolder":
    """Where signed heads of the audit log go."""
    from halocline.adapters.audit_heads import HeadFolder

    place = options.audit_heads
    return HeadFolder(folder.audit_heads if place is None else Path(place).expanduser())


def compare(heads: "HeadFolder", store: "Store", chain: str) -> None:
    """Say so where the log is not what its last head pins; the hub starts: its devices need it."""
    from halocline.hub.audit import holds

    try:
        newest = heads.newest(chain)
    except HaloclineError as error:
        logging.error("the audit log could not be compared with its last head: %s", error)
        return
    if newest is not None and not holds(store, newest.head):
        logging.error(
            "the audit log is not the one whose entry %d was pinned in %s: the hub was restored from a "
            "backup, or someone wrote in its database. See: halocline audit verify",
            newest.head.number,
            heads.path,
        )


async def note_forever(notary: "Notary", every_s: float) -> None:
    """Keep a head at an interval."""
    while True:
        await asyncio.sleep(every_s)
        await asyncio.to_thread(note, notary)


def note(notary: "Notary") -> None:
    """Keep a head; a place that is away now is no reason to stop the hub, and is tried again."""
    try:
        notary.note(now_s=time.time())
    except HaloclineError as error:
        logging.error("no head of the audit log was kept: %s", error)
