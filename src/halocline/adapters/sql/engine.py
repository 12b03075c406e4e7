"""Open a database so that a change is durable, whole, and alone while it lasts."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError

from halocline.errors import Misconfigured, Rejected, Transient

_BUSY_S: Final = 10.0
_CHANGES: Final = 0x48414C4F
"""The PostgreSQL advisory lock that every change takes: one at a time, as in SQLite, so that none ever has
to be done again because of another (see ADR 0014)."""
_IS_CHANGE: Final = "halocline_change"


def engine_for(database: str | Path) -> Engine:
    """The engine for a `postgresql://…` URL, or for a file of SQLite. Raises Misconfigured (HAL-706)."""
    if isinstance(database, Path) or "://" not in database:
        return _sqlite(Path(database))
    try:
        url = make_url(database)
    except ArgumentError as error:
        raise _unknown(database.partition("://")[0]) from error
    if url.get_backend_name() == "sqlite" and url.database:
        return _sqlite(Path(url.database))
    if url.get_backend_name() != "postgresql":
        raise _unknown(url.drivername)
    return create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True, pool_timeout=_BUSY_S)


@contextlib.contextmanager
def changing(engine: Engine) -> Iterator[Connection]:
    """A transaction that is alone among changes, and durable at its end. Raises as `translated`."""
    with translated(engine), engine.connect() as bare:
        connection = bare.execution_options(**{_IS_CHANGE: True})
        with connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CHANGES})
            yield connection


@contextlib.contextmanager
def looking(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state of everything and leaves nothing behind. Raises as `translated`."""
    with translated(engine), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin() as transaction:
            yield connection
            transaction.rollback()


@contextlib.contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """Database errors in our words: Rejected (HAL-704) for what it cannot take, else Transient (HAL-703)."""
    try:
        yield
    except (DataError, OverflowError, UnicodeEncodeError) as error:
        cause = " ".join(str(getattr(error, "orig", None) or error).split())
        raise Rejected("HAL-704", f"{named(engine)} cannot hold a value: {cause}") from error
    except IntegrityError as error:
        cause = " ".join(str(error.orig).split())
        raise Rejected("HAL-704", f"{named(engine)} holds something else there already: {cause}") from error
    except (DBAPIError, SQLAlchemyError) as error:
        cause = " ".join(str(getattr(error, "orig", None) or error).split())
        raise Transient("HAL-703", f"{named(engine)} cannot be used now: {cause}") from error


def named(engine: Engine) -> str:
    """The database as people know it, without a password."""
    return f"the database {engine.url.render_as_string(hide_password=True)}"


def _sqlite(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path.expanduser().absolute()}",
        connect_args={"timeout": _BUSY_S, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say, and as we say
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        is_change = connection.get_execution_options().get(_IS_CHANGE)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_change else "BEGIN")

    return engine


def _unknown(scheme: str) -> Misconfigured:
    return Misconfigured(
        "HAL-706", f"a hub's database is a file of SQLite or postgresql://USER@HOST/NAME, got {scheme}://…"
    )
