"""The hub's database: SQLite, or PostgreSQL where one process is not enough."""

from halocline.adapters.sql.store import SqlStore, open_store

__all__ = ["SqlStore", "open_store"]
