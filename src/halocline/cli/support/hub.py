"""What a support bundle says of a hub: its devices by count, its alerts, database and certificates."""

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, inspect, select

from halocline.adapters.hub_folder import HubFolder, is_held
from halocline.adapters.sql.engine import engine_for, looking
from halocline.adapters.sql.migrate import newest
from halocline.adapters.sql.store import SqlStore
from halocline.adapters.sql.tables import METADATA
from halocline.cli.support import Part
from halocline.cli.support.certificates import facts_in
from halocline.decide.alerts import Disk
from halocline.errors import HaloclineError
from halocline.hub.alerting import AlertDesk


def hub_parts(state: Path, database: str | None) -> Iterator[Part]:
    """Of the hub whose state this is; its database is only read, and not brought up to date."""
    folder = HubFolder(state)
    yield Part(
        name="hub/certificates.json",
        about="names, issuers, serial numbers and times of the authority and of the doors; no key",
        content={
            name: facts_in(path)
            for name, path in (
                ("roots", folder.ca),
                ("issuing", state / "ca" / "issuing.pem"),
                ("doors", folder.server),
            )
        },
    )
    status: dict[str, Any] = {"running": is_held(state)}
    if database is None and not folder.database.is_file():
        status["database"] = "no file here: give --database, where it is elsewhere"
        yield _status(status)
        return
    try:
        engine = engine_for(database or folder.database)
    except HaloclineError as error:
        yield _status({**status, "database": str(error)})
        return
    try:
        yield _status({**status, **_counts(engine)})
        yield Part(
            name="hub/alerts.json", about="what is wrong at the hub now", content=_alerts(engine, state)
        )
        yield Part(
            name="hub/database.json",
            about="kind, schema, and rows of each table of its database; no row of it",
            content=_database(engine, folder),
        )
    finally:
        engine.dispose()


def _status(content: dict[str, Any]) -> Part:
    return Part(
        name="hub/status.json",
        about="whether it runs, and how many devices there are in each state, by version",
        content=content,
    )


def _counts(engine: Engine) -> dict[str, Any]:
    try:
        with SqlStore(engine, "hub").look() as tx:
            devices = tx.devices()
    except HaloclineError as error:
        return {"error": str(error)}
    return {
        "devices": Counter(str(each.state) for each in devices),
        "agents": Counter(each.facts.agent for each in devices),
        "cloned": sum(each.cloned_s is not None for each in devices),
        "last_contact_s": max((each.seen_s or 0.0 for each in devices), default=None),
    }


def _alerts(engine: Engine, state: Path) -> Any:
    used = shutil.disk_usage(state)
    desk = AlertDesk(SqlStore(engine, "hub"), since_s=0.0)
    try:
        desk.look(now_s=time.time(), disk=Disk(total_bytes=used.total, free_bytes=used.free))
    except HaloclineError as error:
        return {"error": str(error)}
    return {"alerts": desk.open()}


def _database(engine: Engine, folder: HubFolder) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": engine.dialect.name, "newest_schema": newest()}
    if engine.dialect.name == "sqlite":
        beside = folder.database.parent.glob(f"{folder.database.name}*")
        told["sizes_bytes"] = {path.name: path.stat().st_size for path in sorted(beside)}
    try:
        with looking(engine) as connection:
            there = set(inspect(connection).get_table_names())
            if "alembic_version" in there:
                told["schema"] = connection.exec_driver_sql(
                    "SELECT version_num FROM alembic_version"
                ).scalar()
            told["rows"] = {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar()
                for table in METADATA.sorted_tables
                if table.name in there
            }
    except HaloclineError as error:
        told["error"] = str(error)
    return told
