"""halocline hub serve: run a hub, with its doors for devices, for people and for joining."""

from typing import Annotated

from cyclopts import Parameter

from halocline.cli.output import Json

Several = Annotated[list[str] | None, Parameter(negative="")]


def serve(
    *,
    state: str,
    database: str | None = None,
    host: str = "127.0.0.1",
    device_port: int = 8443,
    people_port: int = 8444,
    join_port: int = 8445,
    name: Several = None,
    device_url: str | None = None,
    people_url: str | None = None,
    join_url: str | None = None,
    cloud_model: Several = None,
    cloud_deadline_s: float = 10.0,
    ca_passphrase: str | None = None,
    issuer_cert: str | None = None,
    issuer_key: str | None = None,
    issuer_passphrase: str | None = None,
    people_cert: str | None = None,
    people_key: str | None = None,
    alert_webhook: str | None = None,
    alert_secret: str | None = None,
    require_reason: Annotated[bool, Parameter(negative="")] = False,
    joins_per_s: float = 20.0,
    max_connections: int = 8192,
    max_waiting: int = 1000,
    drain_s: float = 30.0,
    audit_heads: str | None = None,
    audit_heads_every_s: float = 3600.0,
    json: Json = False,
) -> int:
    """Run a hub until a signal ends it: devices join it, get their settings and ask its cloud models.

    The first start makes the state folder with an authority of its own and an admin's token, and says what
    to do next. All three doors speak TLS 1.3 alone. Ctrl-C or SIGTERM ends it once the requests inside are
    answered.

    Examples
    --------
    halocline hub serve --state hub --cloud-model cloud=cloud.onnx

    Parameters
    ----------
    state
        A folder for the database, the authority's keys and the admin's token; made at the first start.
    database
        postgresql://… instead of a file in the state folder; several hubs may share it.
    host
        The address to listen on; 0.0.0.0 for all of this machine.
    device_port
        Where devices come with their certificates; 0 takes any free port.
    people_port
        Where people come with their tokens.
    join_port
        Where devices come that have no certificate yet, or an expired one.
    name
        A host name or address by which others reach this machine; may be given again, the first is told to
        devices.
    device_url
        Where devices are told to come, https://HOST:PORT, where that is not the name and port above: behind
        a proxy that hands on TCP, or in a container. Its host is added to the hub's certificate.
    people_url
        The same of the door for people.
    join_url
        The same of the door for joining: what invites lead to.
    cloud_model
        NAME=PATH of an ONNX file that devices may ask, or NAME=URL of a model on any server of the Open
        Inference Protocol, as in gpu=https://HOST:PORT/v2/models/MODEL; may be given again.
    cloud_deadline_s
        Seconds that a model behind a URL may take to answer.
    ca_passphrase
        What the authority's keys are encrypted with, env:NAME or file:PATH, instead of a file made here.
    issuer_cert
        A PEM file with a company's own issuing authority and all above it, the root last, in place of an
        authority made here. Read anew when it changes or on SIGHUP.
    issuer_key
        The PEM file of its key.
    issuer_passphrase
        What opens that key, env:NAME or file:PATH.
    people_cert
        A PEM file with a certificate that browsers trust, for the people's door alone. Read anew when it
        changes or on SIGHUP; open connections stay.
    people_key
        The PEM file of its key.
    alert_webhook
        A URL that gets a signed message for each alert that opens or closes: a device is silent or cloned,
        the hub's disk is nearly full. https://, or http:// on this machine.
    alert_secret
        What those messages are signed with (HMAC-SHA256 of Halocline-Timestamp, a dot and the body, in
        Halocline-Signature), env:NAME or file:PATH.
    require_reason
        Refuse changes by people that do not say why (--reason).
    joins_per_s
        How often one address may try to join, in the long run.
    max_connections
        The most connections of each door at once.
    max_waiting
        The most devices that wait for a change at once (device set --long-poll); others look at intervals.
    drain_s
        Seconds that requests inside get after SIGTERM.
    audit_heads
        A folder for signed heads of the audit log, best on another machine's disk: with them, `halocline
        audit verify` sees what was changed in the log or cut off. Default: heads in the state folder.
    audit_heads_every_s
        Seconds between two heads; one is kept at the start and at the end as well.
    json
        Announce as one JSON object on stdout.
    """
    from halocline.assemble_hub import HubOptions
    from halocline.assemble_hub import serve as run

    return run(
        HubOptions(
            state=state,
            database=database,
            host=host,
            device_port=device_port,
            people_port=people_port,
            join_port=join_port,
            names=tuple(name or ()),
            device_url=device_url,
            people_url=people_url,
            join_url=join_url,
            cloud_models=tuple(cloud_model or ()),
            cloud_deadline_s=cloud_deadline_s,
            ca_passphrase=ca_passphrase,
            issuer_cert=issuer_cert,
            issuer_key=issuer_key,
            issuer_passphrase=issuer_passphrase,
            people_cert=people_cert,
            people_key=people_key,
            alert_webhook=alert_webhook,
            alert_secret=alert_secret,
            require_reason=require_reason,
            joins_per_s=joins_per_s,
            max_connections=max_connections,
            max_waiting=max_waiting,
            drain_s=drain_s,
            audit_heads=audit_heads,
            audit_heads_every_s=audit_heads_every_s,
            json=json,
        )
    )
