"""A hub's door for people on loopback: the real server, routes and TLS over a database in memory."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from doors import authority

from halocline.adapters.asgi.doors.door import Door, Route
from halocline.adapters.asgi.doors.people_routes import PEOPLE_ROUTES, guarded
from halocline.adapters.asgi.listen import Listen, opened
from halocline.adapters.asgi.server import Server, run
from halocline.adapters.asgi.tls import Tls
from halocline.hub.people import first_admin
from halocline.serving.admission import Admission
from memory_store import MemoryStore


class Hub(NamedTuple):
    """What runs, and how an admin comes in."""

    url: str
    ca: Path
    fingerprint: str
    token: Path
    store: MemoryStore


@contextlib.contextmanager
def people_hub(
    folder: Path, *, clock: Callable[[], float] = time.time, port: int = 0, store: MemoryStore | None = None
) -> Iterator[Hub]:
    """A hub until the block ends."""
    mine = authority(folder, "hub")
    store = store or MemoryStore()
    ca, token = folder / "ca.pem", folder / "admin.token"
    ca.write_bytes(mine.root)
    text = first_admin(store, os.urandom(32), now_s=clock())
    if text is not None:
        token.write_text(text + "\n")
    routes = [
        Route(method, path, guarded(store, clock, action, handler))
        for method, path, action, handler in PEOPLE_ROUTES
    ]
    admission = Admission(max_queue=64, max_body_bytes=1 << 16, max_held_bytes=1 << 20)
    admission.ready = True
    listen = Listen(port=port, tls=Tls(mine.chain, mine.key))
    started = threading.Event()
    with ThreadPoolExecutor(4) as pool, opened(listen) as bound:
        door = Door(routes, admission, pool)
        server = Server(door, admission, listen, tells=True, on_started=started.set)
        thread = threading.Thread(target=run, args=(server, listen, bound))
        thread.start()
        assert started.wait(30)
        try:
            yield Hub(f"https://localhost:{bound.getsockname()[1]}", ca, mine.fingerprint, token, store)
        finally:
            server.drain()
            thread.join(30)
            assert not thread.is_alive()
