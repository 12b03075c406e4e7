"""Turn settings into a running hub: its database, its authority and its three doors."""

import asyncio
import contextlib
import logging
import os
import secrets
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from halocline.errors import Misconfigured
from halocline.extras import need
from halocline.records import ModelRef

if TYPE_CHECKING:
    from halocline.adapters.certificates.authority import CertificateAuthority
    from halocline.adapters.hub_folder import HubFolder
    from halocline.adapters.onnxruntime import OnnxModel
    from halocline.adapters.sql import SqlStore
    from halocline.hub.store import Store

_MODULES: Final = ("uvicorn", "prometheus_client", "cryptography", "sqlalchemy", "alembic")
_MIB: Final = 1_048_576
_WORKERS: Final = 16
"""Threads that answer at the doors: most of their time they wait for the database."""
_MAX_QUEUE: Final = 1024
_JOIN_BURST: Final = 200
"""So many devices behind one address may join at once."""
_RENEW_EVERY_S: Final = 3600.0
"""How often the hub looks whether its own certificate is half over."""
CA: Final = "ca"
"""The authority's folder in the state folder."""


class HubOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `halocline hub serve` can be told."""

    state: str
    database: str | None = None
    host: str = "127.0.0.1"
    device_port: int = 8443
    people_port: int = 8444
    join_port: int = 8445
    names: tuple[str, ...] = ()
    """Host names and addresses by which others reach this machine; the first is told to devices."""
    cloud_models: tuple[str, ...] = ()
    """`NAME=PATH`, or a path."""
    ca_passphrase: str | None = None
    alert_webhook: str | None = None
    """Where alerts are sent."""
    alert_secret: str | None = None
    """A reference, env:NAME or file:PATH."""
    joins_per_s: float = 20.0
    max_connections: int = 8192
    drain_s: float = 30.0
    json: bool = False


class _Doors(msgspec.Struct, frozen=True):
    """The addresses of a hub's three doors."""

    device: str
    people: str
    join: str


def serve(options: HubOptions) -> int:
    """Run a hub until a signal ends it; 0 when every request was answered.

    Raises Misconfigured where an option, the state folder, the database, an address or a model cannot be
    used; nothing listens then.
    """
    need(
        "hub",
        "uvicorn",
        "prometheus_client",
        "cryptography",
        "sqlalchemy",
        "alembic",
        what="halocline hub serve",
    )
    from halocline.adapters import hub_folder
    from halocline.adapters.sql import open_store

    _check(options)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    os.umask(hub_folder.PRIVATE_UMASK)
    with hub_folder.held(Path(options.state).expanduser(), alone=options.database is None) as folder:
        with folder.starting():
            authority = _authority(folder, options)
        chain = "hub" if options.database is None else f"hub-{secrets.token_hex(4)}"
        store = open_store(options.database or folder.database, chain)
        try:
            is_first = _prepare(folder, authority, store)
            return _serve(options, folder, authority, store, is_first=is_first)
        finally:
            store.close()


def _serve(
    options: HubOptions,
    folder: "HubFolder",
    authority: "CertificateAuthority",
    store: "SqlStore",
    *,
    is_first: bool,
) -> int:
    from halocline.adapters.asgi import app, listen, server
    from halocline.adapters.asgi.doors.device import DeviceDoor
    from halocline.adapters.asgi.doors.hub import Hub
    from halocline.adapters.asgi.doors.join import join_door
    from halocline.adapters.asgi.doors.people_door import people_door
    from halocline.adapters.prometheus import expose
    from halocline.assemble_alerts import AlertWatch, webhook_of
    from halocline.serving.admission import Admission
    from halocline.serving.table import ModelTable

    shown = _Shown(folder, authority, _names(options))
    where = [
        listen.Listen(host=options.host, port=port, allow_plaintext=True)  # TLS comes as a context
        for port in (options.device_port, options.people_port, options.join_port)
    ]
    admissions = [
        Admission(max_queue=_MAX_QUEUE, max_body_bytes=64 * _MIB, max_held_bytes=512 * _MIB) for _ in where
    ]
    models = _cloud_models(options)
    with contextlib.ExitStack() as open_now:
        bound = [open_now.enter_context(listen.opened(each)) for each in where]
        doors = _Doors(*(_url(options, each.getsockname()[1]) for each in bound))
        pool = open_now.enter_context(ThreadPoolExecutor(_WORKERS, thread_name_prefix="halocline-door"))
        webhook = open_now.enter_context(webhook_of(options.alert_webhook, options.alert_secret))
        table = open_now.enter_context(ModelTable(models)) if models else None
        watch = AlertWatch(store, folder.path, doors.people, webhook)
        hub = Hub(
            store=store,
            authority=authority,
            clock=time.time,
            channel_url=doors.device,
            join_url=doors.join,
            database=store.kind,
            models=tuple(table.names) if table is not None else (),
            alerts=watch.open,
        )
        served = None if table is None else app.App(table, admissions[0], expose=expose)
        for each in admissions:
            each.ready = True
        started = _Started(
            options, folder, authority, doors, hub.models, is_first=is_first, doors_left=len(where)
        )
        applications: tuple[tuple[server.Application, ssl.SSLContext], ...] = (
            (DeviceDoor(hub, admissions[0], pool, served), shown.for_devices),
            (people_door(hub, admissions[1], pool), shown.for_others),
            (
                join_door(hub, admissions[2], pool, per_s=options.joins_per_s, burst=_JOIN_BURST),
                shown.for_others,
            ),
        )
        servers = [
            server.Server(
                application,
                admission,
                place,
                context=context,
                tells=True,
                max_connections=options.max_connections,
                drain_s=options.drain_s,
                on_started=started.one,
            )
            for (application, context), admission, place in zip(applications, admissions, where, strict=True)
        ]

        async def beside() -> None:
            await asyncio.gather(shown.renew_forever(), watch.forever())

        server.run_all(list(zip(servers, where, bound, strict=True)), beside)
    abandoned = sum(each.abandoned for each in servers)
    if abandoned:
        logging.error("stopped with %d requests unanswered", abandoned)
        os._exit(1)
    return 0


class _Shown:
    """The certificate that the doors show, renewed before it ends without a restart."""

    def __init__(self, folder: "HubFolder", authority: "CertificateAuthority", names: list[str]) -> None:
        self._folder = folder
        self._authority = authority
        self._names = names
        self._renews_s = 0.0
        self.for_devices = _context(authority.root_pem)
        """Asks a device for its certificate, and checks it against the root."""
        self.for_others = _context(None)
        self._renew()

    async def renew_forever(self) -> None:
        """Renew at half of its life; connections that are open stay as they are."""
        while True:
            await asyncio.sleep(_RENEW_EVERY_S)
            if time.time() >= self._renews_s:
                self._renew()

    def _renew(self) -> None:
        identity = self._authority.issue_server(self._names, now_s=time.time())
        self._folder.write(self._folder.server, (identity.chain + identity.key).encode())
        for context in (self.for_devices, self.for_others):
            context.load_cert_chain(self._folder.server)
        self._renews_s = (identity.not_before_s + identity.not_after_s) / 2


def _context(client_ca: str | None) -> ssl.SSLContext:
    """TLS 1.3 alone, and no tickets: a resumed session would pass over what was revoked since."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_ca)
    return context


class _Started:
    """Tells where the hub is, once all its doors are open."""

    def __init__(
        self,
        options: HubOptions,
        folder: "HubFolder",
        authority: "CertificateAuthority",
        doors: _Doors,
        models: tuple[str, ...],
        *,
        is_first: bool,
        doors_left: int,
    ) -> None:
        self._options = options
        self._folder = folder
        self._fingerprint = authority.fingerprint
        self._doors = doors
        self._models = models
        self._is_first = is_first
        self._left = doors_left

    def one(self) -> None:
        """One more door is open."""
        self._left -= 1
        if self._left == 0:
            self._tell()

    def _tell(self) -> None:
        if self._options.json:
            told = {
                "version": 1,
                "pid": os.getpid(),
                "urls": self._doors,
                "ca": str(self._folder.ca),
                "fingerprint": self._fingerprint,
                "models": self._models,
            }
            print(msgspec.json.encode(told).decode(), flush=True)
            return
        served = ", ".join(self._models) or "no cloud model"
        print(
            f"hub for devices on {self._doors.device}, for people on {self._doors.people}, for joining on "
            f"{self._doors.join}, serving {served} (PID {os.getpid()}; Ctrl-C drains and stops)"
        )
        if self._is_first:
            print(
                f"  1. sign in:        halocline login {self._doors.people} --ca {self._folder.ca} "
                f"--token file:{self._folder.admin_token}\n"
                f"  2. invite devices: halocline device invite --ttl 1h --uses 10\n"
                f"  3. on a device:    halocline agent join INVITE"
            )
        print(end="", flush=True)


def _authority(folder: "HubFolder", options: HubOptions) -> "CertificateAuthority":
    from halocline.adapters.certificates.authority import CertificateAuthority

    return CertificateAuthority.open(folder.path / CA, now_s=time.time(), passphrase=options.ca_passphrase)


def _prepare(folder: "HubFolder", authority: "CertificateAuthority", store: "Store") -> bool:
    """Put there what others need at the first start; whether this was it."""
    from halocline.adapters.hub_folder import PUBLIC_MODE
    from halocline.hub.people import first_admin

    folder.write(folder.ca, authority.root_pem.encode(), PUBLIC_MODE)
    token = first_admin(store, secrets.token_bytes(32), now_s=time.time())
    if token is None:
        return False
    folder.write(folder.admin_token, f"{token}\n".encode())
    return True


def _names(options: HubOptions) -> list[str]:
    """All by which this machine is reached, for its certificate."""
    return list(dict.fromkeys([*options.names, "localhost", "127.0.0.1", "::1"]))


def _url(options: HubOptions, port: int) -> str:
    name = options.names[0] if options.names else "localhost"
    return f"https://{f'[{name}]' if ':' in name else name}:{port}"


def _cloud_models(options: HubOptions) -> "list[OnnxModel]":
    from halocline.serving.layout import find_models

    if not options.cloud_models:
        return []
    from halocline.adapters.onnxruntime import load

    def loaded(path: Path, ref: ModelRef) -> "OnnxModel":
        return load(path, name=ref.name, version=ref.version)

    return [loaded(file.path, file.ref) for file in find_models(options.cloud_models)]


def _check(options: HubOptions) -> None:
    """Raise Misconfigured (HAL-101) for a number out of its range."""
    for name in ("device_port", "people_port", "join_port"):
        port = getattr(options, name)
        if not 0 <= port <= 65_535:
            raise Misconfigured("HAL-101", f"--{name.replace('_', '-')} must be in [0, 65535], got {port}")
    for name, least in (("joins_per_s", 0.01), ("max_connections", 1), ("drain_s", 0)):
        value = getattr(options, name)
        if not least <= value < float("inf"):
            raise Misconfigured(
                "HAL-101", f"--{name.replace('_', '-')} must be {least} or more and finite, got {value}"
            )
