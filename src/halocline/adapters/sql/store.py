"""The hub's store over SQL: what `halocline.hub.store` asks, the same on SQLite and PostgreSQL."""

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from halocline.adapters.sql import rows
from halocline.adapters.sql.engine import changing, engine_for, looking
from halocline.adapters.sql.migrate import migrate
from halocline.adapters.sql.tables import (
    AUDIT,
    AUTHORITY,
    CERTIFICATES,
    DEVICES,
    INVITES,
    LABELS,
    PEOPLE,
    TOKENS,
)
from halocline.decide import audit_chain
from halocline.fleet import (
    AuditEntry,
    Certificate,
    CertificateState,
    Desired,
    Device,
    DeviceState,
    Invite,
    Link,
    Person,
    Reported,
    Token,
    Twin,
)

# What every request of a device reads, put together once: that costs more than to run it.
_DEVICE: Final = select(DEVICES).where(DEVICES.c.id == bindparam("wanted"))
_LABELS: Final = select(LABELS).where(LABELS.c.device == bindparam("wanted")).order_by(LABELS.c.name)
_AT_ONCE: Final = 1000
"""So many ids stand in one statement."""
_CERTIFICATE: Final = select(CERTIFICATES).where(CERTIFICATES.c.serial == bindparam("wanted"))


def open_store(database: str | Path, chain: str = "hub") -> "SqlStore":
    """The store in this file of SQLite or at this `postgresql://…` URL, at the newest schema.

    `chain` names the audit chain that is written here: one for each process that writes at the same time.
    Raises Misconfigured (HAL-705: made by a newer halocline, HAL-706: no such kind of database) and
    Transient (HAL-703).
    """
    engine = engine_for(database)
    try:
        migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return SqlStore(engine, chain)


class SqlStore:
    """A Store over SQL."""

    def __init__(self, engine: Engine, chain: str) -> None:
        self._engine = engine
        self._chain = chain

    @property
    def kind(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextlib.contextmanager
    def change(self) -> Iterator["SqlTransaction"]:
        """See `Store.change`."""
        with changing(self._engine) as connection:
            yield SqlTransaction(connection, self._chain)

    @contextlib.contextmanager
    def look(self) -> Iterator["SqlTransaction"]:
        """See `Store.look`."""
        with looking(self._engine) as connection:
            yield SqlTransaction(connection, self._chain)

    def chains(self) -> Sequence[str]:
        """See `Store.chains`."""
        with looking(self._engine) as connection:
            names = connection.execute(select(AUDIT.c.chain).distinct().order_by(AUDIT.c.chain))
            return names.scalars().all()

    def close(self) -> None:
        """See `Store.close`."""
        self._engine.dispose()


class SqlTransaction:
    """A Transaction over one connection; each method is a statement or two (see `Transaction`)."""

    def __init__(self, connection: Connection, chain: str) -> None:
        self._connection = connection
        self._chain = chain

    # Invites

    def invite(self, digest: str) -> Invite | None:
        """See `Transaction`."""
        row = self._one(INVITES, INVITES.c.digest == digest)
        return None if row is None else rows.invite_of(row)

    def put_invite(self, invite: Invite) -> None:
        """See `Transaction`."""
        self._put(INVITES, INVITES.c.digest == invite.digest, rows.invite_row(invite))

    # Devices

    def device(self, device_id: str) -> Device | None:
        """See `Transaction`."""
        return self._device(self._read(_DEVICE, device_id))

    def device_by_key(self, key: str) -> Device | None:
        """See `Transaction`."""
        return self._device(self._one(DEVICES, DEVICES.c.key == key))

    def devices(
        self,
        *,
        labels: Mapping[str, str] | None = None,
        silent_since_s: float | None = None,
        states: Collection[DeviceState] = (),
        after: str = "",
        limit: int | None = None,
    ) -> list[Device]:
        """See `Transaction`."""
        asked = select(DEVICES).where(*_having(labels)).order_by(DEVICES.c.id).limit(limit)
        if silent_since_s is not None:
            asked = asked.where(or_(DEVICES.c.seen_s.is_(None), DEVICES.c.seen_s <= silent_since_s))
        if states:
            asked = asked.where(DEVICES.c.state.in_([state.value for state in states]))
        if after:
            asked = asked.where(DEVICES.c.id > after)
        found = self._connection.execute(asked).mappings().all()
        known = self._labels(row["id"] for row in found)
        return [rows.device_of(row, known.get(row["id"], {})) for row in found]

    def count_devices(self, *, labels: Mapping[str, str] | None = None) -> dict[DeviceState, int]:
        """See `Transaction`."""
        asked = select(DEVICES.c.state, func.count()).where(*_having(labels)).group_by(DEVICES.c.state)
        return {DeviceState(state): count for state, count in self._connection.execute(asked)}

    def put_device(self, device: Device) -> None:
        """See `Transaction`."""
        new = rows.desired_row(Desired())
        self._put(DEVICES, DEVICES.c.id == device.id, rows.device_row(device), **new)
        self._connection.execute(delete(LABELS).where(LABELS.c.device == device.id))
        if device.labels:
            self._connection.execute(
                insert(LABELS),
                [
                    {"device": device.id, "name": name, "value": value}
                    for name, value in device.labels.items()
                ],
            )

    def touch(self, device_id: str, *, seen_s: float, boot: int) -> None:
        """See `Transaction`."""
        row = self._read(_DEVICE, device_id)
        if row is None:
            return
        seen = {"seen_s": max(row["seen_s"] or seen_s, seen_s), "boot": max(row["boot"], boot)}
        self._connection.execute(update(DEVICES).where(DEVICES.c.id == device_id).values(seen))

    # Certificates

    def certificate(self, serial: str) -> Certificate | None:
        """See `Transaction`."""
        row = self._read(_CERTIFICATE, serial)
        return None if row is None else rows.certificate_of(row)

    def certificates(self, device_id: str) -> list[Certificate]:
        """See `Transaction`."""
        asked = select(CERTIFICATES).where(CERTIFICATES.c.device == device_id).order_by(CERTIFICATES.c.place)
        return [rows.certificate_of(row) for row in self._connection.execute(asked).mappings()]

    def put_certificate(self, certificate: Certificate) -> None:
        """See `Transaction`."""
        places = select(func.max(CERTIFICATES.c.place)).where(CERTIFICATES.c.device == certificate.device)
        place = (self._connection.execute(places).scalar() or 0) + 1
        is_it = CERTIFICATES.c.serial == certificate.serial
        self._put(CERTIFICATES, is_it, rows.certificate_row(certificate), place=place)

    def forget_certificates(self, device_id: str, *, ended_before_s: float) -> None:
        """See `Transaction`."""
        gone = and_(
            CERTIFICATES.c.device == device_id,
            CERTIFICATES.c.state == CertificateState.SUPERSEDED.value,
            CERTIFICATES.c.not_after_s < ended_before_s,
        )
        self._connection.execute(delete(CERTIFICATES).where(gone))

    # Twins

    def twin(self, device_id: str) -> Twin:
        """See `Transaction`."""
        row = self._read(_DEVICE, device_id)
        if row is None:
            raise KeyError(device_id)
        return rows.twin_of(row)

    def twins(self, device_ids: Collection[str]) -> dict[str, Twin]:
        """See `Transaction`."""
        found: dict[str, Twin] = {}
        for some in _batched(device_ids):
            asked = select(DEVICES).where(DEVICES.c.id.in_(some))
            found |= {row["id"]: rows.twin_of(row) for row in self._connection.execute(asked).mappings()}
        return found

    def generations(self, device_ids: Collection[str]) -> dict[str, int]:
        """See `Transaction`."""
        found: dict[str, int] = {}
        for some in _batched(device_ids):
            asked = select(DEVICES.c.id, DEVICES.c.desired_generation).where(DEVICES.c.id.in_(some))
            found |= {row.id: row.desired_generation for row in self._connection.execute(asked)}
        return found

    def put_desired(self, device_id: str, desired: Desired) -> bool:
        """See `Transaction`."""
        follows = and_(DEVICES.c.id == device_id, DEVICES.c.desired_generation == desired.generation - 1)
        done = self._connection.execute(update(DEVICES).where(follows).values(rows.desired_row(desired)))
        return done.rowcount == 1

    def put_reported(self, device_id: str, reported: Reported) -> None:
        """See `Transaction`."""
        changed = update(DEVICES).where(DEVICES.c.id == device_id).values(rows.reported_row(reported))
        self._connection.execute(changed)

    # People

    def person(self, name: str) -> Person | None:
        """See `Transaction`."""
        row = self._one(PEOPLE, PEOPLE.c.name == name)
        return None if row is None else rows.person_of(row)

    def people(self) -> list[Person]:
        """See `Transaction`."""
        found = self._connection.execute(select(PEOPLE).order_by(PEOPLE.c.name)).mappings()
        return [rows.person_of(row) for row in found]

    def put_person(self, person: Person) -> None:
        """See `Transaction`."""
        row = {"name": person.name, "role": person.role.value, "site": person.site}
        self._put(PEOPLE, PEOPLE.c.name == person.name, row)

    def remove_person(self, name: str) -> None:
        """See `Transaction`."""
        self._connection.execute(delete(TOKENS).where(TOKENS.c.person == name))
        self._connection.execute(delete(PEOPLE).where(PEOPLE.c.name == name))

    def token(self, digest: str) -> Token | None:
        """See `Transaction`."""
        row = self._one(TOKENS, TOKENS.c.digest == digest)
        return None if row is None else rows.token_of(row)

    def tokens(self, person: str) -> list[Token]:
        """See `Transaction`."""
        theirs = select(TOKENS).where(TOKENS.c.person == person).order_by(TOKENS.c.expires_s, TOKENS.c.digest)
        return [rows.token_of(row) for row in self._connection.execute(theirs).mappings()]

    def put_token(self, token: Token) -> None:
        """See `Transaction`."""
        self._put(TOKENS, TOKENS.c.digest == token.digest, rows.token_row(token))

    def remove_token(self, digest: str) -> None:
        """See `Transaction`."""
        self._connection.execute(delete(TOKENS).where(TOKENS.c.digest == digest))

    # The authority

    def root(self) -> str | None:
        """See `Transaction`."""
        found: str | None = self._connection.execute(select(AUTHORITY.c.root)).scalar()
        return found

    def put_root(self, fingerprint: str) -> None:
        """See `Transaction`."""
        self._connection.execute(delete(AUTHORITY))
        self._connection.execute(insert(AUTHORITY).values(root=fingerprint))

    # The audit log

    def append(self, entry: AuditEntry) -> Link:
        """See `Transaction`."""
        link = audit_chain.link(self._chain, self.newest_link(self._chain), entry)
        self._connection.execute(insert(AUDIT).values(rows.link_row(link)))
        return link

    def audit(self, *, after: int = 0, limit: int = 1000, chain: str | None = None) -> list[Link]:
        """See `Transaction`."""
        asked = (
            select(AUDIT).where(AUDIT.c.number > after).order_by(AUDIT.c.chain, AUDIT.c.number).limit(limit)
        )
        if chain is not None:
            asked = asked.where(AUDIT.c.chain == chain)
        return [rows.link_of(row) for row in self._connection.execute(asked).mappings()]

    def newest_link(self, chain: str) -> Link | None:
        """See `Transaction`."""
        newest = select(AUDIT).where(AUDIT.c.chain == chain).order_by(AUDIT.c.number.desc()).limit(1)
        row = self._connection.execute(newest).mappings().first()
        return None if row is None else rows.link_of(row)

    # Helpers

    def _device(self, row: RowMapping | None) -> Device | None:
        return None if row is None else rows.device_of(row, self._labels([row["id"]]).get(row["id"], {}))

    def _labels(self, devices: Iterable[str]) -> dict[str, dict[str, str]]:
        ids = list(devices)
        if len(ids) == 1:
            having = self._connection.execute(_LABELS, {"wanted": ids[0]})
        else:
            asked = select(LABELS).order_by(LABELS.c.name)
            having = self._connection.execute(
                asked.where(LABELS.c.device.in_(ids)) if len(ids) <= _AT_ONCE else asked
            )
        found: dict[str, dict[str, str]] = {}
        for row in having.mappings():
            found.setdefault(row["device"], {})[row["name"]] = row["value"]
        return found

    def _read(self, asked: Select[Any], wanted: str) -> RowMapping | None:
        return self._connection.execute(asked, {"wanted": wanted}).mappings().first()

    def _one(self, table: Table, which: ColumnElement[bool]) -> RowMapping | None:
        return self._connection.execute(select(table).where(which)).mappings().first()

    def _put(self, table: Table, which: ColumnElement[bool], row: Mapping[str, Any], **new: Any) -> None:
        """Replace the row, or add it with `new` beside it; as changes are alone, nothing comes between."""
        if self._connection.execute(update(table).where(which).values(row)).rowcount == 0:
            self._connection.execute(insert(table).values(**row, **new))


def _having(labels: Mapping[str, str] | None) -> list[ColumnElement[bool]]:
    """That a device has all these labels."""
    return [
        DEVICES.c.id.in_(select(LABELS.c.device).where(LABELS.c.name == name, LABELS.c.value == value))
        for name, value in (labels or {}).items()
    ]


def _batched(ids: Collection[str]) -> Iterator[list[str]]:
    """The ids, as many at a time as may stand in one statement."""
    left = list(ids)
    for at in range(0, len(left), _AT_ONCE):
        yield left[at : at + _AT_ONCE]
