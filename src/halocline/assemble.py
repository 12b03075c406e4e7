"""Turn settings into running programs: it picks the adapters."""

import contextlib
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from halocline.errors import HaloclineError, Misconfigured
from halocline.extras import need
from halocline.records import Array, ModelRef, Reply

if TYPE_CHECKING:
    from halocline.adapters.asgi.tls import Tls
    from halocline.adapters.http import RemoteModel
    from halocline.adapters.onnxruntime import OnnxModel
    from halocline.edge.tiered import Tiered
    from halocline.ports import Feed, Model
    from halocline.serving.tiers import CloudState, Pair

_MIB = 1_048_576

CLOUD_WAIT_S = 2.0
"""A start waits so long for the cloud, to learn whether the tiers fit; it goes on without it."""


class TierOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Two tiers that are served as one model; `scores` and `labels` say what the models do not."""

    edge: str
    """An ONNX file."""
    cloud: str
    """An ONNX file, or a URL."""
    name: str | None = None
    """What the model is called; None takes the edge file's name."""
    policy: str | None = None
    """A policy file, instead of a threshold."""
    threshold: float | None = None
    deadline_s: float = 0.3
    send: str = "auto"
    """What travels of a sample that came as a file's bytes: tensor, raw, or by auto the smaller."""
    label_map: tuple[str, ...] = ()
    """CLOUD=EDGE for each label of the cloud that the edge calls otherwise."""
    labels: str | None = None
    scores: str | None = None
    score_output: str | None = None
    cloud_labels: str | None = None
    cloud_scores: str | None = None
    cloud_score_output: str | None = None
    cloud_token: str | None = None
    """A reference, env:NAME or file:PATH."""
    cloud_ca: str | None = None
    cloud_cert: str | None = None


class ServeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `halocline serve` can be told; durations are seconds, sizes bytes or rows."""

    models: tuple[str, ...] = ()
    """`PATH`, `NAME=PATH`, or a folder laid out `NAME/VERSION/model.onnx`."""
    tiers: TierOptions | None = None
    """Two tiers as one model, instead of models."""
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
    from halocline.adapters.prometheus import expose
    from halocline.adapters.sd_notify import Supervisor
    from halocline.serving.admission import Admission
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
    admission = Admission(
        max_queue=options.max_queue,
        max_body_bytes=options.max_body_bytes,
        max_held_bytes=options.max_held_bytes,
    )
    with (
        listen.opened(where) as bound,
        access.AccessLog.opened(_path(options.access_log)) as log,
        _models(options) as models,
        ModelTable(
            models,
            max_batch=options.max_batch,
            max_delay_s=options.max_delay_s,
            max_rows=options.max_rows,
            max_waiting=options.max_queue,
        ) as table,
    ):
        admission.ready = True  # every model has passed its warm-up
        address = listen.address_of(where, bound)
        program = server.Server(
            app.App(table, admission, expose=expose, access=log, body_timeout_s=options.body_timeout_s),
            admission,
            where,
            supervisor=Supervisor(os.environ),
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


@contextlib.contextmanager
def _models(options: ServeOptions) -> "Iterator[Iterable[Model | Pair]]":
    """What is to be served; the cloud of two tiers is closed at the end.

    Raises Misconfigured: HAL-510 (tiers and models, or several files for the edge), and what loading raises.
    """
    from halocline.serving.layout import find_models

    if options.tiers is None:
        yield (_load(options, file.path, file.ref) for file in find_models(options.models))
        return
    if options.models:
        raise Misconfigured(
            "HAL-510", f"--edge and --cloud are served as one model, and {options.models[0]} is another"
        )
    with _opened_tiers(options, options.tiers) as pair:
        yield [pair]


def _load(
    options: ServeOptions,
    path: Path,
    ref: ModelRef,
    labels: str | None = None,
    scores: str | None = None,
    score_output: str | None = None,
) -> "OnnxModel":
    from halocline.adapters.onnxruntime import load

    return load(
        path,
        name=ref.name,
        version=ref.version,
        labels=labels,
        scores=scores,
        score_output=score_output,
        providers=options.providers,
        threads=options.threads,
        allow_nan=options.allow_nan,
    )


@contextlib.contextmanager
def _opened_tiers(options: ServeOptions, tiers: TierOptions) -> "Iterator[Pair]":
    from halocline.edge.tiered import Tiered
    from halocline.serving.late import LateVerdicts
    from halocline.serving.layout import find_models
    from halocline.serving.tiers import Pair

    found = find_models([tiers.edge if tiers.name is None else f"{tiers.name}={tiers.edge}"])
    if len(found) > 1:
        raise Misconfigured("HAL-510", f"--edge must be one ONNX file, and {tiers.edge} holds {len(found)}")
    edge = _load(options, found[0].path, found[0].ref, tiers.labels, tiers.scores, tiers.score_output)
    late = LateVerdicts()
    with (
        _opened_cloud(options, tiers) as cloud,
        Tiered(
            edge,
            cloud,
            threshold=tiers.threshold,
            deadline_s=tiers.deadline_s,
            policy=tiers.policy,
            send=tiers.send,
            label_map=_label_map(tiers.label_map),
            on_correction=late.put,
        ) as tiered,
    ):
        yield Pair(edge, _ServedTiers(tiered, cloud), late)


def _label_map(pairs: Sequence[str]) -> dict[str, str] | None:
    for pair in pairs:
        if "=" not in pair:
            raise Misconfigured("HAL-102", f"--label-map must be CLOUD=EDGE, got {pair!r}")
    return {cloud: edge for cloud, _, edge in (pair.partition("=") for pair in pairs)} or None


@contextlib.contextmanager
def _opened_cloud(options: ServeOptions, tiers: TierOptions) -> "Iterator[OnnxModel | RemoteModel]":
    """The cloud model; one behind a URL is waited for a little, and need not be there."""
    if "://" not in tiers.cloud:
        path = Path(tiers.cloud).expanduser()
        yield _load(
            options,
            path,
            ModelRef(path.stem),
            tiers.cloud_labels,
            tiers.cloud_scores,
            tiers.cloud_score_output,
        )
        return
    from halocline.adapters.http import connect
    from halocline.adapters.onnxruntime.labels import read_labels

    with connect(
        tiers.cloud,
        labels=read_labels(tiers.cloud_labels, None)[0],
        scores=tiers.cloud_scores,
        score_output=tiers.cloud_score_output,
        token=tiers.cloud_token,
        ca=tiers.cloud_ca,
        cert=tiers.cloud_cert,
    ) as cloud:
        try:
            cloud.wait_ready(CLOUD_WAIT_S)
        except HaloclineError as error:
            logging.warning("the edge answers alone until the cloud can be asked: %s", error)
        yield cloud


class _ServedTiers:
    """A Tiered as a server asks it (see `halocline.serving.tiers.Tiers`)."""

    def __init__(self, tiered: "Tiered", cloud: "OnnxModel | RemoteModel") -> None:
        self._tiered = tiered
        self._cloud = cloud

    def answer(
        self,
        feed: "Feed",
        outputs: Sequence[Array],
        *,
        samples: Sequence[bytes] | None,
        began_s: float,
        edge_s: float,
    ) -> list[Reply]:
        return self._tiered.answer_run(feed, outputs, samples=samples, began_s=began_s, edge_s=edge_s)

    def cloud(self) -> "CloudState":
        from halocline.serving.tiers import CloudState

        health = self._tiered.health()
        link = getattr(self._cloud, "failure", None)
        failure = health.failure or (None if link is None else f"{link.reason}: {link.detail}")
        return CloudState(health.cloud, health.breaker, failure)


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
