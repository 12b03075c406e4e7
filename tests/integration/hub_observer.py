"""Say from outside whether a hub and its devices still know each other: by their files, without our code."""

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
from cryptography import x509


class Acknowledged(msgspec.Struct):
    """What a device or a person was told has happened; None where no answer came."""

    joined: bool = False
    used: bool = False
    desired: tuple[int, float] | None = None
    """The generation, and the threshold that it holds."""
    reported: int | None = None
    """The generation that was reported."""


@contextmanager
def database(state: Path) -> Iterator[sqlite3.Connection]:
    """A copy of the hub's database as it lies on the disk: looking at it repairs nothing."""
    with tempfile.TemporaryDirectory() as folder:
        for file in state.glob("hub.db*"):
            if not file.name.endswith("-shm"):
                shutil.copy(file, folder)
        with closing(sqlite3.connect(Path(folder) / "hub.db")) as connection:
            connection.row_factory = sqlite3.Row
            yield connection


def enrolled_as(device: Path) -> tuple[str, str] | None:
    """The name and the certificate's serial number in a device's folder; None before it has joined."""
    identity = device / "identity"
    if not identity.is_dir():
        return None
    name = json.loads((identity / "hub.json").read_bytes())["device"]
    certificate = x509.load_pem_x509_certificate((identity / "certificate.pem").read_bytes())
    return name, f"{certificate.serial_number:x}"


def faults(state: Path, devices: dict[Path, Acknowledged], *, at_rest: bool) -> list[str]:
    """What is wrong; nothing while each device is as before or enrolled, and what was told is there.

    `at_rest`: every device has come back since, so that none may be half-way any more.
    """
    with database(state) as connection:
        found = [
            *_broken(connection),
            *_uncounted(connection),
            *_torn_log(connection),
        ]
        for device, told in devices.items():
            found += [f"{device.name}: {fault}" for fault in _of_device(connection, device, told, at_rest)]
    return found


def _broken(connection: sqlite3.Connection) -> Iterator[str]:
    (said,) = connection.execute("PRAGMA integrity_check").fetchone()
    if said != "ok":
        yield f"the database is damaged: {said}"
    several = "SELECT device FROM certificates WHERE state = 'current' GROUP BY device HAVING count(*) > 1"
    for row in connection.execute(several):
        yield f"{row['device']} has several current certificates"


def _uncounted(connection: sqlite3.Connection) -> Iterator[str]:
    """Each invite of these is for one device, and says so in a label."""
    (used,) = connection.execute("SELECT coalesce(sum(used), 0) FROM invites").fetchone()
    (there,) = connection.execute("SELECT count(*) FROM devices").fetchone()
    if used != there:
        yield f"invites were used {used} times, and {there} devices are there"
    for row in connection.execute("SELECT * FROM invites WHERE used > uses"):
        yield f"an invite for {row['uses']} was used {row['used']} times"


def _torn_log(connection: sqlite3.Connection) -> Iterator[str]:
    last: dict[str, tuple[int, str]] = {}
    for row in connection.execute("SELECT * FROM audit ORDER BY chain, number"):
        number, digest = last.get(row["chain"], (0, row["previous"]))
        if (row["number"], row["previous"]) != (number + 1, digest):
            yield f"the audit log is torn before entry {row['number']} of {row['chain']}"
        last[row["chain"]] = (row["number"], row["digest"])


def _of_device(
    connection: sqlite3.Connection, device: Path, told: Acknowledged, at_rest: bool
) -> Iterator[str]:
    enrolled = enrolled_as(device)
    if enrolled is None:
        if told.joined or at_rest:
            yield "it has no identity"
        return
    name, serial = enrolled
    row = connection.execute("SELECT * FROM devices WHERE id = ?", (name,)).fetchone()
    shown = connection.execute("SELECT * FROM certificates WHERE serial = ?", (serial,)).fetchone()
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
