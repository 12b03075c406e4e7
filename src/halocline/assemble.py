"""Turn settings into running programs: it picks the adapters."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from halocline.errors import Misconfigured
from halocline.extras import need
from halocline.records import ModelRef

if TYPE_CHECKING:
    from halocline.adapters.asgi.tls import Tls

_MIB = 1_048_576


class ServeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `halocline serve` can be told; durations are seconds, sizes bytes or rows."""

    models: tuple[str, ...]
    """`PATH`, `NAME=PATH`, or a folder laid out `NAME/VERSION/model.onnx`."""
    host: str = "127.0.0.1"
    port: int = 8000
    """0 takes any free port, which is then announced."""
    uds: str | None = None
    """The path of a Unix socket, instead of host and port."""
    cert: str | None = None
    key: str | None = None
    client_ca: str | None = None
    """With it, only clients with a certificate of this authority are let in."""
    allow_plaintext: bool = False
    max_batch: int = 64
    """The most rows that are put together for one run."""
    max_delay_s: float = 0.0
    """How long a run waits for more rows; 0 takes what is there."""
    max_rows: int = 4096
    """The most rows of one request."""
    max_body_bytes: int = 64 * _MIB
    max_held_bytes: int = 512 * _MIB
    """The most that the bodies of all waiting requests take."""
    max_queue: int = 256
    """The most requests inside at once; more are refused with 429."""
    max_connections: int = 1024
    body_timeout_s: float = 30.0
    drain_s: float = 30.0
    """How long requests inside are finished after SIGTERM."""
    threads: int | None = None
    """Threads of one run of a model; None leaves it to the runtime."""
    providers: tuple[str, ...] | None = None
    allow_nan: bool = False
    access_log: str | None = None
    """A file that gets one JSON line for each inference request."""
    json: bool = False
    """Announce as one JSON object instead of a line for people."""


def serve(options: ServeOptions) -> int:
    """Serve models until a signal ends it; 0 when every request was answered.

    Raises Misconfigured where an option, an address or a model is not usable; nothing listens then.
    """
    need("serve", "uvicorn", "prometheus_client", what="halocline serve")
    from halocline.adapters.asgi import access, app, listen, server
    from halocline.adapters.onnxruntime import load
    from halocline.adapters.prometheus import expose
    from halocline.serving.admission import Admission
    from halocline.serving.layout import find_models
    from halocline.serving.table import ModelTable

    _check(options)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    where = listen.Listen(
        host=options.host,
        port=options.port,
        uds=_path(options.uds),
        tls=_tls(options),
        allow_plaintext=options.allow_plaintext,
    )
    files = find_models(options.models)
    models = (
        load(
            file.path,
            name=file.ref.name,
            version=file.ref.version,
            providers=options.providers,
            threads=options.threads,
            allow_nan=options.allow_nan,
        )
        for file in files
    )
    admission = Admission(
        max_queue=options.max_queue,
        max_body_bytes=options.max_body_bytes,
        max_held_bytes=options.max_held_bytes,
    )
    with (
        listen.opened(where) as bound,
        access.AccessLog.opened(_path(options.access_log)) as log,
        ModelTable(
            models, max_batch=options.max_batch, max_delay_s=options.max_delay_s, max_rows=options.max_rows
        ) as table,
    ):
        admission.ready = True  # every model has passed its warm-up
        address = listen.address_of(where, bound)
        program = server.Server(
            app.App(table, admission, expose=expose, access=log, body_timeout_s=options.body_timeout_s),
            admission,
            where,
            max_connections=options.max_connections,
            drain_s=options.drain_s,
            on_started=lambda: _announce(address, [each.ref for each in table], as_json=options.json),
        )
        server.run(program, where, bound)
    if program.abandoned:
        # A model's run cannot be interrupted, and Python would wait for its thread.
        logging.error("stopped with %d requests unanswered", program.abandoned)
        os._exit(1)
    return 0


def _announce(address: str, models: list[ModelRef], *, as_json: bool) -> None:
    """Tell on stdout, in one line, where the server listens and what it serves."""
    if as_json:
        started = {"version": 1, "url": address, "pid": os.getpid(), "models": models}
        print(msgspec.json.encode(started).decode(), flush=True)
        return
    named = ", ".join(map(str, models))
    print(f"serving {named} on {address} (PID {os.getpid()}; Ctrl-C drains and stops)", flush=True)


def _path(given: str | None) -> Path | None:
    return None if given is None else Path(given).expanduser()


def _tls(options: ServeOptions) -> "Tls | None":
    from halocline.adapters.asgi.tls import Tls

    cert, key, client_ca = _path(options.cert), _path(options.key), _path(options.client_ca)
    if cert is not None and key is not None:
        return Tls(cert, key, client_ca)
    if cert is not None or key is not None or client_ca is not None:
        raise Misconfigured("HAL-108", "TLS needs both --cert and --key; --client-ca comes on top of them")
    return None


_AT_LEAST = {
    "max_batch": 1,
    "max_delay_s": 0,
    "max_rows": 1,
    "max_body_bytes": 1,
    "max_held_bytes": 1,
    "max_queue": 1,
    "max_connections": 1,
    "body_timeout_s": 0.001,
    "drain_s": 0,
    "port": 0,
}


def _check(options: ServeOptions) -> None:
    """Raise Misconfigured (HAL-101) for a number out of its range."""
    for name, least in _AT_LEAST.items():
        value = getattr(options, name)
        if not value >= least or value == float("inf"):
            raise Misconfigured(
                "HAL-101", f"--{name.replace('_', '-')} must be {least} or more and finite, got {value}"
            )
    if options.port > 65_535:
        raise Misconfigured("HAL-101", f"--port must be in [0, 65535], got {options.port}")
