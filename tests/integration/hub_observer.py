"""Say from outside whether a hub and its devices still know each other: by their files, without our code."""

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import msgspec
import psycopg
from cryptography import x509
from psycopg.rows import dict_row


class Acknowledged(msgspec.Struct):
    """What a device or a person was told has happened; None where no answer came."""

    joined: bool = False
    used: bool = False
    desired: tuple[int, float] | None = None
    """The generation, and the threshold that it holds."""
    reported: int | None = None
    """The generation that was reported."""


class Database(Protocol):
    """A hub's database, asked from outside."""

    def rows(self, asked: str, *values: object) -> list[dict[str, Any]]:
        """The rows of a SELECT whose values are marked by ?."""


class InFile:
    """A copy of a database in a file as it lies on the disk: looking at it repairs nothing."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        connection.row_factory = sqlite3.Row
        self._connection = connection

    def rows(self, asked: str, *values: object) -> list[dict[str, Any]]:
        return [dict(row) for row in self._connection.execute(asked, values)]


class AtServer:
    """A database of a PostgreSQL server."""

    def __init__(self, connection: "psycopg.Connection[dict[str, Any]]") -> None:
        self._connection = connection

    def rows(self, asked: str, *values: object) -> list[dict[str, Any]]:
        return self._connection.execute(asked.replace("?", "%s").encode(), values).fetchall()


@contextmanager
def database(state: Path, url: str | None) -> Iterator[Database]:
    """The database of the hub in that folder, or at that URL."""
    if url is not None:
        with psycopg.connect(url, row_factory=dict_row) as connection:
            yield AtServer(connection)
        return
    with tempfile.TemporaryDirectory() as folder:
        for file in state.glob("hub.db*"):
            if not file.name.endswith("-shm"):
                shutil.copy(file, folder)
        with closing(sqlite3.connect(Path(folder) / "hub.db")) as copied:
            yield InFile(copied)


def enrolled_as(device: Path) -> tuple[str, str] | None:
    """The name and the certificate's serial number in a device's folder; None before it has joined."""
    identity = device / "identity"
    if not identity.is_dir():
        return None
    name = json.loads((identity / "hub.json").read_bytes())["device"]
    certificate = x509.load_pem_x509_certificate((identity / "certificate.pem").read_bytes())
    return name, f"{certificate.serial_number:x}"


def faults(
    state: Path, devices: dict[Path, Acknowledged], *, at_rest: bool, url: str | None = None
) -> list[str]:
    """What is wrong; nothing while each device is as before or enrolled, and what was told is there.

    `at_rest`: every device has come back since, so that none may be half-way any more.
    """
    with database(state, url) as there:
        found = [
            *([] if url else _damaged(there)),
            *_broken(there),
            *_uncounted(there),
            *_torn_log(there),
        ]
        for device, told in devices.items():
            found += [f"{device.name}: {fault}" for fault in _of_device(there, device, told, at_rest)]
    return found


def _damaged(there: Database) -> Iterator[str]:
    (said,) = there.rows("PRAGMA integrity_check")
    if said != {"integrity_check": "ok"}:
        yield f"the database is damaged: {said}"


def _broken(there: Database) -> Iterator[str]:
    several = "SELECT device FROM certificates WHERE state = 'current' GROUP BY device HAVING count(*) > 1"
    for row in there.rows(several):
        yield f"{row['device']} has several current certificates"


def _uncounted(there: Database) -> Iterator[str]:
    """Each invite of these is for one device, and says so in a label."""
    (sums,) = there.rows("SELECT coalesce(sum(used), 0) AS used FROM invites")
    (devices,) = there.rows("SELECT count(*) AS there FROM devices")
    if sums["used"] != devices["there"]:
        yield f"invites were used {sums['used']} times, and {devices['there']} devices are there"
    for row in there.rows("SELECT * FROM invites WHERE used > uses"):
        yield f"an invite for {row['uses']} was used {row['used']} times"


def _torn_log(there: Database) -> Iterator[str]:
    last: dict[str, tuple[int, str]] = {}
    for row in there.rows("SELECT * FROM audit ORDER BY chain, number"):
        number, digest = last.get(row["chain"], (0, row["previous"]))
        if (row["number"], row["previous"]) != (number + 1, digest):
            yield f"the audit log is torn before entry {row['number']} of {row['chain']}"
        last[row["chain"]] = (row["number"], row["digest"])


def _of_device(there: Database, device: Path, told: Acknowledged, at_rest: bool) -> Iterator[str]:
    enrolled = enrolled_as(device)
    if enrolled is None:
        if told.joined or at_rest:
            yield "it has no identity"
        return
    name, serial = enrolled
    row = next(iter(there.rows("SELECT * FROM devices WHERE id = ?", name)), None)
    shown = next(iter(there.rows("SELECT * FROM certificates WHERE serial = ?", serial)), None)
    if row is None or shown is None:
        yield f"locked out: the hub does not know {name} or its certificate"
        return
    if row["state"] != "enrolled" or shown["device"] != name or shown["state"] == "superseded":
        yield f"locked out: {name} is {row['state']}, its certificate {shown['state']}"
    if (told.used or at_rest) and shown["state"] != "current":
        yield f"its certificate was used, and is {shown['state']}"
    if told.desired is not None:
        generation, threshold = told.desired
        wanted = json.loads(row["desired"]).get("models", {}).get("edge", {}).get("threshold")
        if row["desired_generation"] < generation:
            yield f"generation {generation} of its settings was acknowledged and is gone"
        elif row["desired_generation"] == generation and wanted != threshold:
            yield f"its threshold is {wanted}, and {threshold} was acknowledged"
    if told.reported is not None:
        kept = json.loads(row["reported"] or "{}").get("generation")
        if kept is None or kept < told.reported:
            yield f"a report of generation {told.reported} was acknowledged, and {kept} is kept"
