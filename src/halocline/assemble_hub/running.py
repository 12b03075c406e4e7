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

from halocline.assemble_hub import first_start, heads
from halocline.assemble_hub.doors import Doors, names_of, public_urls, told_urls
from halocline.assemble_hub.models import cloud_models
from halocline.assemble_hub.options import HubOptions, check
from halocline.assemble_hub.shown import LOG as CERTIFICATES_LOG
from halocline.assemble_hub.shown import Shown
from halocline.assemble_hub.signer import Signer
from halocline.assemble_hub.started import Started
from halocline.extras import need

if TYPE_CHECKING:
    from halocline.adapters.asgi.tls import Tls
    from halocline.adapters.hub_folder import HubFolder
    from halocline.adapters.sql import SqlStore
    from halocline.hub.audit import Notary
    from halocline.hub.authority import Rotation

_MIB: Final = 1_048_576
_WORKERS: Final = 16
"""Threads that answer at the doors: most of their time they wait for the database."""
_MAX_QUEUE: Final = 1024
JOIN_BURST: Final = 200
"""So many devices behind one address may join at once."""


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
    from halocline.hub.rotating import bind

    check(options)
    public_urls(options)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    CERTIFICATES_LOG.setLevel(logging.INFO)
    os.umask(hub_folder.PRIVATE_UMASK)
    with hub_folder.held(Path(options.state).expanduser(), alone=options.database is None) as folder:
        chain = "hub" if options.database is None else f"hub-{secrets.token_hex(4)}"
        store = open_store(options.database or folder.database, chain)
        try:
            with folder.starting():
                signer = Signer(folder, options)
                bind(store, signer.authority)
                signer.tell()
                audit_key = first_start.audit_key_of(folder)
                is_new = first_start.prepare(folder, store)
            kept_heads = heads.heads_of(folder, options)
            notary = Notary(store, chain, lambda head: kept_heads.put(audit_key.sign(head)))
            heads.compare(kept_heads, store, chain)
            notary.note(now_s=time.time())
            return _serve(options, folder, signer, store, notary, is_new=is_new)
        finally:
            store.close()


def _serve(
    options: HubOptions,
    folder: "HubFolder",
    signer: Signer,
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
    from halocline.serving.admission import Admission
    from halocline.serving.table import ModelTable

    public = public_urls(options)
    names = names_of(options, [host for _, host in public.values()])
    shown = Shown(folder, signer, names, _people_tls(options))
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
        models = cloud_models(options, open_now)
        bound = [open_now.enter_context(listen.opened(each)) for each in where]
        listens = Doors(*(each.getsockname()[1] for each in bound))
        doors = told_urls(public, names[0], listens)
        pool = open_now.enter_context(ThreadPoolExecutor(_WORKERS, thread_name_prefix="halocline-door"))
        webhook = open_now.enter_context(webhook_of(options.alert_webhook, options.alert_secret))
        table = open_now.enter_context(ModelTable(models)) if models else None
        watch = AlertWatch(store, folder.path, doors.people, webhook)
        room = WaitingRoom(store, pool, most=options.max_waiting, is_stopping=lambda: admissions[0].draining)
        hub = Hub(
            store=store,
            authority=signer.authority,
            rotate=lambda what: _rotate(signer, shown, what),
            clock=time.time,
            channel_url=doors.device,
            join_url=doors.join,
            database=store.kind,
            models=tuple(table.names) if table is not None else (),
            alerts=watch.open,
            changed=room.changed,
            waiting=lambda: room.count,
            requires_reason=options.require_reason,
        )
        served = None if table is None else app.App(table, admissions[0], expose=expose)
        for each in admissions:
            each.ready = True
        started = Started(
            options,
            folder,
            signer.authority,
            doors,
            listens,
            hub.models,
            is_new=is_new,
            doors_left=len(where),
        )
        applications: tuple[tuple[server.Application, ssl.SSLContext], ...] = (
            (DeviceDoor(hub, admissions[0], pool, served, room), shown.for_devices),
            (people_door(hub, admissions[1], pool), shown.for_people),
            (
                join_door(hub, admissions[2], pool, per_s=options.joins_per_s, burst=JOIN_BURST),
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

        async def beside() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(shown.watch_forever())
                group.create_task(heads.note_forever(notary, options.audit_heads_every_s))
                group.create_task(watch.forever())
                group.create_task(handshakes.forever())

        server.run_all(list(zip(servers, where, bound, strict=True)), beside)
        handshakes.write(is_last=True)
    heads.note(notary)
    abandoned = sum(each.abandoned for each in servers)
    if abandoned:
        logging.error("stopped with %d requests unanswered", abandoned)
        os._exit(1)
    return 0


def _people_tls(options: HubOptions) -> "Tls | None":
    from halocline.adapters.asgi.tls import Tls

    if options.people_cert is None or options.people_key is None:
        return None
    return Tls(Path(options.people_cert).expanduser(), Path(options.people_key).expanduser())


def _rotate(signer: Signer, shown: Shown, what: "Rotation") -> None:
    signer.rotate(what)
    shown.renew()
