"""A hub's door for people on loopback: the real server, routes and TLS over SQLite."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from doors import authority

from halocline.adapters.asgi.doors.hub import Hub
from halocline.adapters.asgi.doors.people_door import people_door
from halocline.adapters.asgi.listen import Listen, opened
from halocline.adapters.asgi.server import Server, run
from halocline.adapters.asgi.tls import Tls
from halocline.adapters.certificates.authority import CertificateAuthority
from halocline.adapters.sql import open_store
from halocline.hub.people import first_admin
from halocline.hub.store import Store
from halocline.serving.admission import Admission


class Running(NamedTuple):
    """What runs, and how an admin comes in."""

    url: str
    ca: Path
    fingerprint: str
    token: Path
    store: Store
    authority: CertificateAuthority


@contextlib.contextmanager
def people_hub(
    folder: Path,
    *,
    clock: Callable[[], float] = time.time,
    alerts: Callable[[], list] = list,
    requires_reason: bool = False,
) -> Iterator[Running]:
    """A hub until the block ends."""
    mine = authority(folder, "hub")
    store = open_store(str(folder / "hub.db"), "test")
    ca, token = folder / "ca.pem", folder / "admin.token"
    ca.write_bytes(mine.root)
    text = first_admin(store, os.urandom(32), now_s=clock())
    if text is not None:
        token.write_text(text + "\n")
    signs = CertificateAuthority.open(folder / "ca", now_s=clock())
    hub = Hub(
        store=store,
        authority=signs,
        rotate=lambda what: signs.rotate(what, now_s=clock()),
        clock=clock,
        channel_url="https://localhost:8443",
        join_url="https://localhost:8445",
        database="sqlite",
        models=("cloud",),
        alerts=alerts,
        requires_reason=requires_reason,
    )
    admission = Admission(max_queue=64, max_body_bytes=1 << 16, max_held_bytes=1 << 25)
    admission.ready = True
    listen = Listen(port=0, tls=Tls(mine.chain, mine.key))
    started = threading.Event()
    with ThreadPoolExecutor(4) as pool, opened(listen) as bound:
        door = people_door(hub, admission, pool)
        server = Server(door, admission, listen, tells=True, on_started=started.set)
        thread = threading.Thread(target=run, args=(server, listen, bound))
        thread.start()
        assert started.wait(30)
        try:
            yield Running(
                f"https://localhost:{bound.getsockname()[1]}", ca, mine.fingerprint, token, store, signs
            )
        finally:
            server.drain()
            thread.join(30)
            assert not thread.is_alive()
            store.close()
