"""Open a queue's database, or set a damaged one aside and start another; count the start either way."""

import contextlib
import logging
from pathlib import Path
from typing import Final

from halocline.adapters.outbox import boots, database
from halocline.adapters.outbox.boots import Boots
from halocline.adapters.outbox.entry import MOST_BOOTS
from halocline.adapters.outbox.failures import ERRORS, Failure, failure_of
from halocline.adapters.outbox.spare import Spare
from halocline.adapters.outbox.store import Store
from halocline.errors import Misconfigured, Transient

FILE: Final = "outbox.db"
BOOTS: Final = "outbox.boots"
_log = logging.getLogger("halocline.outbox")


def open_store(
    folder: Path, spare: Spare, wal_pages: int, *, is_damaged: bool = False
) -> tuple[Store, Boots]:
    """The database in that folder and the count of starts. Raises Misconfigured (HAL-813) or Transient.

    `is_damaged` where it is known to be, though it may look whole from outside.
    """
    try:
        try:
            return _opened(folder, wal_pages, is_damaged)
        except ERRORS as error:
            if failure_of(error) is not Failure.FULL:
                raise
        spare.free()
        return _opened(folder, wal_pages, is_damaged)
    except ERRORS as error:
        raise _told(folder, error) from error


def _opened(folder: Path, wal_pages: int, is_damaged: bool) -> tuple[Store, Boots]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = boots.read(folder / BOOTS)
    store, kept = _store(folder / FILE, wal_pages, kept, is_damaged)
    try:
        return store, _started(folder, store, kept)
    except BaseException:
        store.close()
        raise


def _told(folder: Path, error: BaseException) -> Misconfigured | Transient:
    match failure_of(error):
        case Failure.FULL:
            return Transient(
                "HAL-814", f"the disk is full, and the outbox in {folder} cannot be opened. Free some space"
            )
        case Failure.TAKEN:
            what = "is open in another program, or twice in this one"
        case _:
            what = f"cannot be used: {error}"
    return Misconfigured(
        "HAL-813", f"the outbox in {folder} {what}. It needs a folder of its own that can be written"
    )


def _store(path: Path, wal_pages: int, kept: Boots, is_damaged: bool) -> tuple[Store, Boots]:
    try:
        if is_damaged:
            raise database.Damaged
        return Store(path, wal_pages), kept
    except ERRORS as error:
        if failure_of(error) is not Failure.DAMAGED:
            raise
    kept = Boots(kept.boot, kept.damaged + 1)
    aside = database.set_aside(path, kept.boot)
    _log.warning(
        "the outbox %s is damaged: it is kept as %s, and what waited in it is lost in unknown number",
        path,
        aside.name,
    )
    return Store(path, wal_pages), kept


def _started(folder: Path, store: Store, kept: Boots) -> Boots:
    """Count the start, first in the file beside the database, so that no boot is ever counted twice."""
    began = Boots((max(kept.boot, store.counters.boot) + 1) % MOST_BOOTS, kept.damaged)
    with contextlib.suppress(OSError):  # on a full disk the database alone knows
        boots.write(folder / BOOTS, began)
    with store.changing() as counters:
        counters.since_boot = counters.since_boot or began.boot
        counters.boot = began.boot
    return began
