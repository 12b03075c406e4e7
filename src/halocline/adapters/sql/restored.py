"""Put a restored database in its place in time: what came after the backup must not be taken for new."""

from pathlib import Path
from typing import Final

from sqlalchemy import update

from halocline.adapters.sql.engine import changing, engine_for
from halocline.adapters.sql.migrate import migrate
from halocline.adapters.sql.store import SqlTransaction
from halocline.adapters.sql.tables import DEVICES
from halocline.fleet import AuditEntry

LEAP: Final = 1_000_000
"""Desired states leap by so many generations: a device may have followed some that the backup does not
know, and would take a new one of the same number for the one that it has."""


def mark_restored(database: Path, chain: str, *, made_s: float, now_s: float) -> None:
    """Write into the audit log that this is a backup's state, and make every device look anew.

    Raises Misconfigured (HAL-705: made by a newer halocline) and Transient (HAL-703).
    """
    engine = engine_for(database)
    try:
        migrate(engine)
        with changing(engine) as connection:
            leapt = DEVICES.c.desired_generation + LEAP
            connection.execute(update(DEVICES).values(desired_generation=leapt))
            SqlTransaction(connection, chain).append(
                AuditEntry(at_s=now_s, actor="hub", action="hub.restore", details={"made_s": made_s})
            )
    finally:
        engine.dispose()
