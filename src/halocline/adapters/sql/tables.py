"""The tables of the hub's database, as the newest migration leaves them."""

from typing import Final

from sqlalchemy import (
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

DEVICES: Final = Table(
    "devices",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("key", String(80), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("created_s", Double, nullable=False),
    Column("facts", Text, nullable=False),
    Column("code", String(32), nullable=False),
    Column("seen_s", Double),
    Column("boot", Integer, nullable=False),
    Column("cloned_s", Double),
    Column("replaces", String(32)),
    Column("desired_generation", Integer, nullable=False),
    Column("desired", Text, nullable=False),
    Column("reported", Text),
    Index("ix_devices_seen_s", "seen_s"),
)

LABELS: Final = Table(
    "device_labels",
    METADATA,
    Column("device", String(32), ForeignKey(DEVICES.c.id), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", String(255), nullable=False),
    Index("ix_device_labels_name", "name", "value"),
)

CERTIFICATES: Final = Table(
    "certificates",
    METADATA,
    Column("serial", String(64), primary_key=True),
    Column("device", String(32), ForeignKey(DEVICES.c.id), nullable=False),
    Column("not_before_s", Double, nullable=False),
    Column("not_after_s", Double, nullable=False),
    Column("state", String(16), nullable=False),
    Column("superseded_s", Double),
    Column("place", Integer, nullable=False),
    Index("ix_certificates_device", "device", "place"),
)

INVITES: Final = Table(
    "invites",
    METADATA,
    Column("digest", String(80), primary_key=True),
    Column("created_s", Double, nullable=False),
    Column("expires_s", Double, nullable=False),
    Column("uses", Integer, nullable=False),
    Column("used", Integer, nullable=False),
    Column("labels", Text, nullable=False),
    Column("serials", Text),
    Column("made_by", String(255), nullable=False),
)

PEOPLE: Final = Table(
    "people",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("site", String(64), nullable=False),
)

TOKENS: Final = Table(
    "tokens",
    METADATA,
    Column("digest", String(80), primary_key=True),
    Column("person", String(64), ForeignKey(PEOPLE.c.name), nullable=False),
    Column("created_s", Double, nullable=False),
    Column("expires_s", Double, nullable=False),
    Column("actions", Text),
    Column("labels", Text),
    Index("ix_tokens_person", "person"),
)

AUDIT: Final = Table(
    "audit",
    METADATA,
    Column("chain", String(64), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("entry", Text, nullable=False),
    Column("previous", String(80), nullable=False),
    Column("digest", String(80), nullable=False),
)

AUTHORITY: Final = Table("authority", METADATA, Column("root", String(80), primary_key=True))
"""One row: the newest root that the devices in this database trust."""
