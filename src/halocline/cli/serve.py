"""halocline serve: serve models over the Open Inference Protocol v2."""

from typing import Annotated

from cyclopts import Parameter

from halocline.cli.output import JsonToo
from halocline.cli.served_tiers import ServedTiers, options_of

Flag = Annotated[bool, Parameter(negative="", show_default=False)]


def serve(
    *models: Annotated[str, Parameter(name="MODEL", negative="")],
    tiers: ServedTiers = ServedTiers(),  # noqa: B008 - frozen
    host: str = "127.0.0.1",
    port: int = 8000,
    uds: str | None = None,
    cert: str | None = None,
    key: str | None = None,
    client_ca: str | None = None,
    allow_plaintext: Flag = False,
    max_batch: int = 64,
    max_delay_s: float = 0.0,
    max_rows: int = 4096,
    max_body_bytes: int = 67_108_864,
    max_held_bytes: int = 536_870_912,
    max_queue: int = 256,
    max_connections: int = 1024,
    body_timeout_s: float = 30.0,
    drain_s: float = 30.0,
    threads: int | None = None,
    provider: Annotated[list[str] | None, Parameter(negative="")] = None,
    allow_nan: Flag = False,
    access_log: str | None = None,
    json: JsonToo = False,
) -> int:
    """Serve models over the Open Inference Protocol v2, until a signal ends it.

    REST with JSON or binary tensors, batching of what waits, limits, /metrics. Ctrl-C or SIGTERM ends it once
    the requests inside are answered. A model that does not load ends it at once.

    With --edge and --cloud, two tiers are served as one model: rows that the edge model is not sure of go
    up, and what the cloud does not answer in time is answered at the edge.

    Examples
    --------
    halocline serve edge.onnx --port 8000

    Parameters
    ----------
    models
        PATH, NAME=PATH, or a folder laid out NAME/VERSION/model.onnx; one or more, without --edge.
    host
        The address to listen on; other machines than this one need --cert and --key.
    port
        0 takes any free port, which is then announced.
    uds
        The path of a Unix socket, instead of host and port.
    cert
        The server's certificate chain, PEM.
    key
        Its private key, PEM.
    client_ca
        Let in only clients with a certificate of this authority.
    allow_plaintext
        Listen without TLS where other machines can reach it.
    max_batch
        The most rows put together for one run.
    max_delay_s
        Seconds that a run waits for more rows; 0 takes what is there.
    max_rows
        The most rows of one request.
    max_body_bytes
        The largest request body.
    max_held_bytes
        The most that the bodies of all waiting requests take.
    max_queue
        The most requests inside at once; more are refused with 429.
    max_connections
        The most connections at once.
    body_timeout_s
        Seconds in which a request's body must have come.
    drain_s
        Seconds that requests inside get after SIGTERM.
    threads
        Threads of one run of a model.
    provider
        An execution provider, as in cuda; may be given again, best first.
    allow_nan
        Let NaN in inputs reach the models.
    access_log
        A file that gets one JSON line for each inference request.
    json
        Announce as one JSON object on stdout.
    """
    from halocline.assemble import ServeOptions
    from halocline.assemble import serve as run

    return run(
        ServeOptions(
            models=models,
            tiers=options_of(tiers),
            host=host,
            port=port,
            uds=uds,
            cert=cert,
            key=key,
            client_ca=client_ca,
            allow_plaintext=allow_plaintext,
            max_batch=max_batch,
            max_delay_s=max_delay_s,
            max_rows=max_rows,
            max_body_bytes=max_body_bytes,
            max_held_bytes=max_held_bytes,
            max_queue=max_queue,
            max_connections=max_connections,
            body_timeout_s=body_timeout_s,
            drain_s=drain_s,
            threads=threads,
            providers=tuple(provider) if provider else None,
            allow_nan=allow_nan,
            access_log=access_log,
            json=json,
        )
    )
