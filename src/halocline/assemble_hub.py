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
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec

from halocline.errors import HaloclineError, Misconfigured
from halocline.extras import need

if TYPE_CHECKING:
    from halocline.adapters.audit_heads import HeadFolder, HeadKey
    from halocline.adapters.certificates.authority import CertificateAuthority
    from halocline.adapters.hub_folder import HubFolder
    from halocline.adapters.sql import SqlStore
    from halocline.hub.audit import Notary
    from halocline.hub.store import Store
    from halocline.serving.tiers import Elsewhere

_MODULES: Final = ("uvicorn", "prometheus_client", "cryptography", "sqlalchemy", "alembic")
_MIB: Final = 1_048_576
_WORKERS: Final = 16
"""Threads that answer at the doors: most of their time they wait for the database."""
_MAX_QUEUE: Final = 1024
_JOIN_BURST: Final = 200
"""So many devices behind one address may join at once."""
_RENEW_EVERY_S: Final = 3600.0
"""How often the hub looks whether its own certificate is half over."""
_ANY: Final = ("0.0.0.0", "::")  # noqa: S104  # they are asked for, not chosen here
_ANY_OR_OWN: Final = (*_ANY, "localhost", "127.0.0.1", "::1")
_LEAST_HEADS_S: Final = 1.0
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
    device_url: str | None = None
    """Where devices are told that their door stands, if not at the first name and the port listened on."""
    people_url: str | None = None
    join_url: str | None = None
    cloud_models: tuple[str, ...] = ()
    """`NAME=PATH`, a path, or `NAME=URL` of a model on another server."""
    cloud_deadline_s: float = 10.0
    """So long a model on another server may take to answer."""
    ca_passphrase: str | None = None
    alert_webhook: str | None = None
    """Where alerts are sent."""
    alert_secret: str | None = None
    """A reference, env:NAME or file:PATH."""
    joins_per_s: float = 20.0
    max_connections: int = 8192
    max_waiting: int = 1000
    """So many devices may wait for a change at once."""
    drain_s: float = 30.0
    audit_heads: str | None = None
    """Where signed heads of the audit log go; a folder in the state folder where none is given."""
    audit_heads_every_s: float = 3600.0
    json: bool = False


_T = TypeVar("_T")


class _Doors(msgspec.Struct, Generic[_T], frozen=True):
    """Something of each of a hub's three doors."""

    device: _T
    people: _T
    join: _T


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
    from halocline.hub.audit import Notary

    _check(options)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    os.umask(hub_folder.PRIVATE_UMASK)
    with hub_folder.held(Path(options.state).expanduser(), alone=options.database is None) as folder:
        chain = "hub" if options.database is None else f"hub-{secrets.token_hex(4)}"
        store = open_store(options.database or folder.database, chain)
        try:
            with folder.starting():
                authority = _authority(folder, options)
                audit_key = _audit_key(folder)
                is_new = _prepare(folder, authority, store)
            heads = _heads(folder, options)
            notary = Notary(store, chain, lambda head: heads.put(audit_key.sign(head)))
            _compare(heads, store, chain)
            notary.note(now_s=time.time())
            return _serve(options, folder, authority, store, notary, is_new=is_new)
        finally:
            store.close()


def _serve(
    options: HubOptions,
    folder: "HubFolder",
    authority: "CertificateAuthority",
    store: "SqlStore",
    notary: "Notary",
    *,
    is_new: bool,
) -> int:
    from halocline.adapters.asgi import app, listen, server
    from halocline.adapters.asgi.doors.device import DeviceDoor
    from halocline.adapters.asgi.doors.hub import Hub
    from halocline.adapters.asgi.doors.join import join_door
    from halocline.adapters.asgi.doors.people_door import people_door
    from halocline.adapters.asgi.doors.waiting import WaitingRoom
    from halocline.adapters.asgi.handshakes import HandshakeWatch
    from halocline.adapters.prometheus import expose
    from halocline.assemble_alerts import AlertWatch, webhook_of
    from halocline.assemble_cloud import CloudModels
    from halocline.serving.admission import Admission
    from halocline.serving.table import ModelTable

    public = _public(options)
    names = _names(options, [host for _, host in public.values()])
    shown = _Shown(folder, authority, names)
    where = [
        # TLS comes as a context
        listen.Listen(host=options.host, port=port, allow_plaintext=True, port_said=f"--{door}-port")
        for door, port in (
            ("device", options.device_port),
            ("people", options.people_port),
            ("join", options.join_port),
        )
    ]
    admissions = [
        Admission(max_queue=_MAX_QUEUE, max_body_bytes=64 * _MIB, max_held_bytes=512 * _MIB) for _ in where
    ]
    with contextlib.ExitStack() as open_now:
        models = CloudModels(options.cloud_models, deadline_s=options.cloud_deadline_s, open_now=open_now)
        bound = [open_now.enter_context(listen.opened(each)) for each in where]
        listens = _Doors(*(each.getsockname()[1] for each in bound))
        doors = _told(public, names[0], listens)
        pool = open_now.enter_context(ThreadPoolExecutor(_WORKERS, thread_name_prefix="halocline-door"))
        webhook = open_now.enter_context(webhook_of(options.alert_webhook, options.alert_secret))
        names_awaited = models.awaited
        table = (
            open_now.enter_context(ModelTable(models.there, expected=names_awaited))
            if models.there or names_awaited
            else None
        )
        watch = AlertWatch(store, folder.path, doors.people, webhook)
        room = WaitingRoom(store, pool, most=options.max_waiting, is_stopping=lambda: admissions[0].draining)
        hub = Hub(
            store=store,
            authority=authority,
            clock=time.time,
            channel_url=doors.device,
            join_url=doors.join,
            database=store.kind,
            models=tuple(sorted({*table.names, *names_awaited})) if table is not None else (),
            awaited=lambda: models.awaited,
            alerts=watch.open,
            changed=room.changed,
            waiting=lambda: room.count,
        )
        served = None if table is None else app.App(table, admissions[0], expose=expose)
        for each in admissions:
            each.ready = True
        started = _Started(
            options, folder, authority, doors, listens, hub.models, is_new=is_new, doors_left=len(where)
        )
        applications: tuple[tuple[server.Application, ssl.SSLContext], ...] = (
            (DeviceDoor(hub, admissions[0], pool, served, room), shown.for_devices),
            (people_door(hub, admissions[1], pool), shown.for_people),
            (
                join_door(hub, admissions[2], pool, per_s=options.joins_per_s, burst=_JOIN_BURST),
                shown.for_joining,
            ),
        )
        handshakes = HandshakeWatch(store, hub.clock)
        for door, (_, context) in zip(("device", "people", "join"), applications, strict=True):
            handshakes.watch(context, door)
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

        def add(model: "Elsewhere") -> None:
            assert table is not None
            assert served is not None
            table.add(model)
            served.refresh()

        async def beside() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(shown.renew_forever())
                group.create_task(_note_forever(notary, options.audit_heads_every_s))
                group.create_task(watch.forever())
                group.create_task(models.await_all(add))
                group.create_task(handshakes.forever())

        server.run_all(list(zip(servers, where, bound, strict=True)), beside)
        handshakes.write(is_last=True)
    _note(notary)
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
        self.for_people = _context(None)
        self.for_joining = _context(None)
        self._renew()

    async def renew_forever(self) -> None:
        """Renew at half of its life; connections that are open stay as they are."""
        while True:
            await asyncio.sleep(_RENEW_EVERY_S)
            if time.time() >= self._renews_s:
                try:
                    self._renew()
                except (HaloclineError, OSError) as error:  # half of its life is left to put that right
                    logging.error("the hub's own certificate is not renewed yet: %s", error)

    def _renew(self) -> None:
        identity = self._authority.issue_server(self._names, now_s=time.time())
        self._folder.write(self._folder.server, (identity.chain + identity.key).encode())
        for context in (self.for_devices, self.for_people, self.for_joining):
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
        doors: "_Doors[str]",
        listens: "_Doors[int]",
        models: tuple[str, ...],
        *,
        is_new: bool,
        doors_left: int,
    ) -> None:
        self._options = options
        self._folder = folder
        self._fingerprint = authority.fingerprint
        self._doors = doors
        self._listens = listens
        self._models = models
        self._is_new = is_new
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
                "ports": self._listens,
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
        if self._is_new:
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
    """Put there what others need at the first start; whether what to do next is news still."""
    from halocline.hub.people import SECRET_BYTES, first_admin
    from halocline.whole_files import PUBLIC

    folder.write(folder.ca, authority.root_pem.encode(), PUBLIC)
    first_admin(
        store,
        secrets.token_bytes(SECRET_BYTES),
        now_s=time.time(),
        keep=lambda token: folder.write(folder.admin_token, f"{token}\n".encode()),
    )
    with store.look() as tx:
        return not tx.devices()


def _audit_key(folder: "HubFolder") -> "HeadKey":
    """The key that signs heads of the audit log, made at the first start."""
    from halocline.adapters.audit_heads import HeadKey
    from halocline.whole_files import PUBLIC

    if not folder.audit_key.exists():
        folder.write(folder.audit_key, HeadKey.make().private_pem)
    key = HeadKey.read(folder.audit_key)
    folder.write(folder.audit_public, key.public_pem, PUBLIC)
    return key


def _heads(folder: "HubFolder", options: HubOptions) -> "HeadFolder":
    from halocline.adapters.audit_heads import HeadFolder

    place = options.audit_heads
    return HeadFolder(folder.audit_heads if place is None else Path(place).expanduser())


def _compare(heads: "HeadFolder", store: "Store", chain: str) -> None:
    """Say so where the log is not what its last head pins; the hub starts: its devices need it."""
    from halocline.hub.audit import holds

    try:
        newest = heads.newest(chain)
    except HaloclineError as error:
        logging.error("the audit log could not be compared with its last head: %s", error)
        return
    if newest is not None and not holds(store, newest.head):
        logging.error(
            "the audit log is not the one whose entry %d was pinned in %s: the hub was restored from a "
            "backup, or someone wrote in its database. See: halocline audit verify",
            newest.head.number,
            heads.path,
        )


async def _note_forever(notary: "Notary", every_s: float) -> None:
    """Keep a head at an interval."""
    while True:
        await asyncio.sleep(every_s)
        await asyncio.to_thread(_note, notary)


def _note(notary: "Notary") -> None:
    """Keep a head; a place that is away now is no reason to stop the hub, and is tried again."""
    try:
        notary.note(now_s=time.time())
    except HaloclineError as error:
        logging.error("no head of the audit log was kept: %s", error)


def _public(options: HubOptions) -> dict[str, tuple[str, str]]:
    """By door, the URL that others are told and its host, where one was given. Raises HAL-780."""
    from halocline.adapters.asgi.doors.public import read_public

    given = {"device": options.device_url, "people": options.people_url, "join": options.join_url}
    return {door: read_public(f"--{door}-url", url) for door, url in given.items() if url is not None}


def _told(public: dict[str, tuple[str, str]], name: str, listens: _Doors[int]) -> _Doors[str]:
    """Where others are told that the doors stand."""
    from halocline.adapters.asgi.doors.public import url_at

    def url(door: str, port: int) -> str:
        return public[door][0] if door in public else url_at(name, port)

    return _Doors(url("device", listens.device), url("people", listens.people), url("join", listens.join))


def _names(options: HubOptions, public: list[str]) -> list[str]:
    """All by which this machine is reached, for its certificate; the first is told to devices."""
    first = [*options.names, *([] if options.host in _ANY_OR_OWN else [options.host])]
    if not first and not public and options.host in _ANY:
        logging.warning(
            "--host %s without --name: devices on other machines are told to come to localhost", options.host
        )
    return list(dict.fromkeys([*first, "localhost", "127.0.0.1", "::1", *public]))


def _check(options: HubOptions) -> None:
    """Raise Misconfigured for a number out of its range (HAL-101) or a URL of another form (HAL-780)."""
    _public(options)
    for name in ("device_port", "people_port", "join_port"):
        port = getattr(options, name)
        if not 0 <= port <= 65_535:
            raise Misconfigured("HAL-101", f"--{name.replace('_', '-')} must be in [0, 65535], got {port}")
    for name, least in (
        ("joins_per_s", 0.01),
        ("cloud_deadline_s", 0.001),
        ("max_connections", 1),
        ("max_waiting", 0),
        ("drain_s", 0),
        ("audit_heads_every_s", _LEAST_HEADS_S),
    ):
        value = getattr(options, name)
        if not least <= value < float("inf"):
            raise Misconfigured(
                "HAL-101", f"--{name.replace('_', '-')} must be {least} or more and finite, got {value}"
            )
