"""Check a hub where it lies: its folder, database, authority, the doors' certificate, disk and ports."""

import contextlib
import socket
import sqlite3
import ssl
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from halocline.adapters.hub_folder import HubFolder, is_held
from halocline.cli.checks import Check, fail, ok, warn
from halocline.cli.checks.folders import check_modes, check_room

PORTS: Final = (8443, 8444, 8445)
_PUBLIC: Final = frozenset({"ca.pem", "audit.pub"})
_ENDS_SOON_S: Final = 90 * 86_400.0
_SERVER_SOON_S: Final = 7 * 86_400.0


def is_hub(state: Path) -> bool:
    """Whether a hub's state lies there."""
    return (state / "ca" / "issuing.pem").is_file()


def check_hub(state: Path, ports: Sequence[int] = PORTS, timeout_s: float = 5.0) -> Iterator[Check]:
    """Every check of the hub whose state this is; `ports` are those of devices, people and joining."""
    if not is_hub(state):
        yield fail(
            "hub folder",
            f"{state} holds no hub's authority",
            "give the folder of: halocline hub serve --state",
        )
        return
    folder = HubFolder(state)
    heads = {path.name for path in folder.audit_heads.glob("*")}
    yield check_modes("hub", state, _PUBLIC | heads)
    yield check_room("hub", state)
    yield _check_database(folder)
    for name, path in (("root", state / "ca" / "root.pem"), ("issuing", state / "ca" / "issuing.pem")):
        yield _check_authority(name, path)
    yield _check_shown(folder)
    running = is_held(state)
    yield ok("hub process", "runs" if running else "does not run now")
    for door, port in zip(("devices", "people", "joining"), ports, strict=True):
        yield _check_port(door, port, running, timeout_s)


def _check_database(folder: HubFolder) -> Check:
    if not folder.database.is_file():
        return ok("hub database", "no file here: it is elsewhere (--database), or the hub never started")
    from halocline.adapters.sql.migrate import newest

    try:
        found = schema_of(folder.database)
    except sqlite3.Error as error:
        return fail(
            "hub database", f"{folder.database} cannot be read: {error}", "restore it: halocline hub restore"
        )
    size = f"{folder.database.stat().st_size / 1024**2:.1f} MiB"
    if found == newest():
        return ok("hub database", f"schema {found}, {size}")
    return warn(
        "hub database",
        f"schema {found}, {size}; this halocline's is {newest()}",
        "start the hub: it brings an older one up to date, and says so where a newer halocline made it",
    )


def schema_of(database: Path) -> str:
    """The schema that a database of SQLite is at; "none" before the first start. Raises sqlite3.Error."""
    with contextlib.closing(
        sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
    ) as connection:
        there = connection.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if there else None
    return "none" if row is None else str(row[0])


def _check_authority(name: str, path: Path) -> Check:
    from cryptography import x509

    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        return fail(f"hub {name}", f"{path} is no certificate: {error}", "restore the folder from a backup")
    end_s = certificate.not_valid_after_utc.timestamp()
    shown = f"{certificate.subject.rfc4514_string()}, valid until {_day(end_s)}"
    left_s = end_s - time.time()
    if left_s <= 0:
        return fail(
            f"hub {name}", f"{shown}: it has ended", "check the clock; else devices have to join anew"
        )
    if left_s < _ENDS_SOON_S:
        return warn(
            f"hub {name}", shown, "start the hub with root.key in its ca folder: it renews the issuing one"
        )
    return ok(f"hub {name}", shown)


def _check_shown(folder: HubFolder) -> Check:
    """What the doors show, and by which names they may be called."""
    from cryptography import x509

    if not folder.server.is_file():
        return ok("hub names", "no certificate of the doors yet: the first start makes it")
    try:
        certificate = x509.load_pem_x509_certificate(folder.server.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound) as error:
        return fail(
            "hub names", f"{folder.server} holds no certificate: {error}", "restart the hub: it makes one"
        )
    called = ", ".join(str(each.value) for each in names)
    end_s = certificate.not_valid_after_utc.timestamp()
    shown = f"{called}, valid until {_day(end_s)}"
    if end_s - time.time() < _SERVER_SOON_S:
        return warn("hub names", shown, "restart the hub: it renews the certificate of its doors")
    if set(called.split(", ")) <= {"localhost", "127.0.0.1", "::1"}:
        return warn(
            "hub names",
            f"{shown}: other machines cannot call it so",
            "for devices on other machines: halocline hub serve --host 0.0.0.0 --name HOST",
        )
    return ok("hub names", shown)


def _check_port(door: str, port: int, running: bool, timeout_s: float) -> Check:
    """A hub that runs answers with TLS there; one that does not run finds the port free."""
    name, place = f"hub port {port}", f"127.0.0.1:{port}"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as sock,
            context.wrap_socket(sock) as secured,
        ):
            version = secured.version()
    except ConnectionRefusedError:
        if not running:
            return ok(name, f"free for {door}")
        return warn(name, f"the hub runs, and not on {place}", f"say which ports it has: --ports {port},…")
    except (OSError, ssl.SSLError) as error:
        why = f"{place} is taken by something that is no hub ({error})"
        return fail(name, why, "end what listens there, or give the hub another port")
    if not running:
        return warn(name, f"something answers on {place}, not this hub", "is another hub running here?")
    return ok(name, f"{place} answers {door}, {version}")


def _day(at_s: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at_s))
