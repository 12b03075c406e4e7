"""Bring a database to the newest schema: forward only, whole or not at all, one process at a time."""

from importlib.resources import as_file, files
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from halocline.adapters.sql.engine import changing, named
from halocline.errors import Misconfigured


def migrate(engine: Engine) -> None:
    """Run the migrations that are missing.

    Raises Misconfigured (HAL-705) where a newer halocline made the database, Transient (HAL-703).
    """
    with as_file(files("halocline.adapters.sql") / "migrations") as folder, changing(engine) as connection:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
        found = _revision(connection)
        if found is not None and found not in known:
            raise Misconfigured(
                "HAL-705",
                f"{named(engine)} is at schema {found!r}, made by a newer halocline. Install that one "
                f"again, or restore a backup from before",
            )
        command.upgrade(config, "head")


def newest() -> str:
    """The schema that this halocline brings a database to."""
    with as_file(files("halocline.adapters.sql") / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        return str(ScriptDirectory.from_config(config).get_current_head())


def _revision(connection: Connection) -> Any:
    return MigrationContext.configure(connection).get_current_revision()
