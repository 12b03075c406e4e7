"""Turn an agent's configuration into the running program: it picks the adapters."""

import contextlib
import logging
import os
import random
import secrets
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from halocline.errors import HaloclineError, Misconfigured
from halocline.extras import need
from halocline.fleet import ModelSettings, Settings
from halocline.records import ModelRef, Owner
from halocline.wire.agent_file import AgentConfig, ModelConfig

if TYPE_CHECKING:
    from halocline.adapters.asgi.app import App
    from halocline.adapters.asgi.listen import Listen
    from halocline.adapters.asgi.server import Application
    from halocline.adapters.device_folder.folder import DeviceFolder
    from halocline.adapters.device_folder.identity import Identity
    from halocline.adapters.http import RemoteModel
    from halocline.adapters.http.hub_link import HubLink
    from halocline.adapters.onnxruntime import OnnxModel
    from halocline.edge.channel import ChannelLoop
    from halocline.edge.reloading import DeviceModels, Make
    from halocline.edge.tiered import Tiered
    from halocline.ports import Model
    from halocline.serving.late import LateVerdicts
    from halocline.serving.tiers import Pair
    from halocline.wire.policy_file import PolicyFile

_MIB = 1_048_576
CLOUD_WAIT_S = 2.0
"""A start, and a change of settings, waits so long for the cloud; it goes on without it."""
SOCKET, TOKEN = "agent.sock", "local.token"
_HUB = "hub:"
_SOCKET_UMASK = 0o117
"""Owner and group may connect: the agent's group is who may ask it."""


class AgentOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `halocline agent run` is told."""

    state: Path
    config: AgentConfig
    json: bool = False


def run_agent(options: AgentOptions) -> int:
    """Serve the device's models until a signal ends it; 0 when every request was answered.

    Raises Misconfigured where the configuration, the state folder or a model cannot be used; nothing
    listens then.
    """
    need("agent", "uvicorn", "prometheus_client", "cryptography", what="halocline agent run")
    from halocline.adapters.asgi import app, listen, server
    from halocline.adapters.device_folder.folder import held
    from halocline.adapters.prometheus import expose
    from halocline.adapters.sd_notify import Supervisor
    from halocline.serving.admission import Admission
    from halocline.serving.table import ModelTable

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    logging.getLogger("halocline.channel").setLevel(logging.INFO)
    config = options.config
    admission = Admission(max_queue=config.max_queue, max_body_bytes=64 * _MIB, max_held_bytes=512 * _MIB)
    with held(options.state) as folder:
        identity = folder.identity()
        if identity is None:
            _refuse_hub_models(config, options.state)
        link = _link(folder, identity)
        where = _where(config.listen, options.state)
        with (
            listen.opened(where) as bound,
            _models(config, identity, link, folder.memory.applied().settings) as (pairs, models),
            ModelTable(pairs, max_waiting=config.max_queue) as table,
            _refused(folder) as refused,
            _channel(folder, link, models, config.poll_s),
        ):
            admission.ready = True
            program = server.Server(
                _guarded(app.App(table, admission, expose=expose), where, bound, folder, refused),
                admission,
                where,
                supervisor=Supervisor(os.environ),
                on_started=lambda: _announce(
                    listen.address_of(where, bound), identity, [each.ref for each in table], options.json
                ),
            )
            server.run(program, where, bound)
    if program.abandoned:
        logging.error("stopped with %d requests unanswered", program.abandoned)
        os._exit(1)
    return 0


def _where(listen: str, state: Path) -> "Listen":
    """Where the configuration says to listen."""
    from halocline.adapters.asgi.listen import Listen

    kind, _, rest = listen.partition(":")
    if not listen or kind == "unix":
        path = Path(rest).expanduser() if rest else state / SOCKET
        return Listen(uds=path, uds_umask=_SOCKET_UMASK)
    host, _, port = listen.rpartition(":")
    return Listen(host=host.strip("[]"), port=int(port), port_said="listen in [agent]")


def _guarded(
    app: "App",
    where: "Listen",
    bound: socket.socket,
    folder: "DeviceFolder",
    refused: Callable[[str, str], None],
) -> "Application":
    """The application, behind a token where any user or web page of this machine could reach it."""
    if where.uds is not None:
        return app
    from halocline.adapters.asgi.local_guard import LocalGuard, local_hosts

    hosts = local_hosts(bound.getsockname()[1])
    return LocalGuard(app, token=_local_token(folder.path), hosts=hosts, refused=refused)


@contextlib.contextmanager
def _refused(folder: "DeviceFolder") -> Iterator[Callable[[str, str], None]]:
    """What counts the requests that the local endpoint refuses; written down at the end."""
    from halocline.adapters.device_folder.refused import RefusedRequests

    counted = RefusedRequests(folder.path)
    try:
        yield counted.note
    finally:
        counted.save()


def _local_token(state: Path) -> str:
    """The token of the local endpoint, made at the first need; whoever may read the state folder has it."""
    from halocline.adapters.device_folder.files import failing
    from halocline.whole_files import write_file

    path = state / TOKEN
    with failing(state):
        if not path.exists():
            write_file(path, secrets.token_urlsafe(32).encode())
        return path.read_text(encoding="ascii").strip()


@contextlib.contextmanager
def _models(
    config: AgentConfig, identity: "Identity | None", link: "HubLink | None", settings: Settings
) -> "Iterator[tuple[list[Model | Pair], DeviceModels]]":
    """What is served, with the settings that were last in force; closed at the end."""
    from halocline.decide.device_settings import refusal
    from halocline.edge.reloading import DeviceModels, ReloadableTiers
    from halocline.serving.late import LateVerdicts
    from halocline.serving.tiers import Pair

    served: list[Model | Pair] = []
    tiers: dict[str, ReloadableTiers] = {}
    wanted = settings.models
    reason = refusal(settings, config.models)
    if reason:
        logging.warning("what the hub set last cannot be put in force again: %s", reason)
        wanted = {}
    try:
        for name, model in config.models.items():
            edge = _loaded(name, model.edge, labels=model.labels, scores=model.scores)
            if model.escalates:
                late = LateVerdicts()
                make = _maker(model, edge, identity, link, late)
                tiers[name] = ReloadableTiers(make, wanted.get(name, ModelSettings()))
                served.append(Pair(edge, tiers[name], late))
            else:
                served.append(edge)
        yield served, DeviceModels(list(config.models), tiers)
    finally:
        for each in tiers.values():
            each.close()


def _maker(
    model: ModelConfig,
    edge: "OnnxModel",
    identity: "Identity | None",
    link: "HubLink | None",
    late: "LateVerdicts",
) -> "Make":
    """How the tiers of that model are made with what the hub wants."""
    assert model.cloud is not None
    opened = _cloud(model.cloud, identity, link)
    said = ModelSettings(threshold=model.threshold, deadline_s=model.deadline_s)

    def make(wanted: ModelSettings) -> "Tiered":
        from halocline.edge.reloading import merged
        from halocline.edge.tiered import Tiered

        settings = merged(said, wanted)
        policy, threshold = _policy(model.policy, settings.threshold, edge)
        return Tiered(
            edge,
            opened(),
            threshold=threshold,
            policy=policy,
            deadline_s=settings.deadline_s or model.deadline_s,
            owner=None if wanted.threshold is None else Owner.TWIN,
            on_correction=late.put,
        )

    return make


def _policy(
    path: str | None, threshold: float | None, edge: "OnnxModel"
) -> "tuple[PolicyFile | None, float | None]":
    """The policy and the threshold to use; one beside a policy takes its place, voiding its promise."""
    if path is None:
        return None, threshold
    from halocline.edge.policies import file_of

    file: PolicyFile = file_of(path, edge)
    if threshold is not None:
        policy = msgspec.structs.replace(file.policy, threshold=threshold, class_thresholds={})
        file = msgspec.structs.replace(file, policy=policy)
    return file, None


def _refuse_hub_models(config: AgentConfig, state: Path) -> None:
    """Raise Misconfigured (HAL-731) where a model of the hub is to be asked by who has joined none."""
    for name, model in config.models.items():
        if model.escalates and (model.cloud or "").startswith(_HUB):
            raise Misconfigured(
                "HAL-731",
                f"model.{name}.cloud is {model.cloud!r}, and {state} holds no identity: this device has "
                f"joined no hub. Join one: halocline agent join INVITE --state {state}, or name a URL or a "
                f"file",
            )


def _cloud(
    cloud: str, identity: "Identity | None", link: "HubLink | None"
) -> "Callable[[], OnnxModel | RemoteModel]":
    """How the cloud model is opened, each time anew."""
    if cloud.startswith(_HUB):
        assert identity is not None
        assert link is not None
        url = f"{identity.places.channel}/v2/models/{cloud.removeprefix(_HUB)}"
        return partial(_connected, url, identity, link)
    if "://" in cloud:
        return partial(_connected, cloud, None, None)
    here = _loaded(Path(cloud).stem, cloud)
    return lambda: here


def _connected(url: str, identity: "Identity | None", link: "HubLink | None") -> "RemoteModel":
    """The model behind that URL; one that cannot be asked yet is waited for a little."""
    from halocline.adapters.http import connect

    if identity is None or link is None:
        cloud = connect(url)
    else:
        cloud = connect(
            url,
            ca=identity.chain.with_name("ca.pem"),
            cert=(identity.chain, identity.key),
            passed_s=link.passed_s,  # the device's clock may be years off
        )
    try:
        cloud.wait_ready(CLOUD_WAIT_S)
    except HaloclineError as error:
        logging.warning("the edge answers alone until the cloud can be asked: %s", error)
    return cloud


def _loaded(name: str, path: str, *, labels: str | None = None, scores: str | None = None) -> "OnnxModel":
    from halocline.adapters.onnxruntime import load

    return load(path, name=name, labels=labels, scores=scores)


def _link(folder: "DeviceFolder", identity: "Identity | None") -> "HubLink | None":
    """The way to the hub, for a device that has joined one; nothing is asked yet."""
    if identity is None:
        return None
    from halocline.adapters.http.hub_link import HubLink

    return HubLink(folder)


@contextlib.contextmanager
def _channel(
    folder: "DeviceFolder", link: "HubLink | None", models: "DeviceModels", poll_s: float
) -> "Iterator[ChannelLoop | None]":
    """The line to the hub, for a device that has joined one; ended at the end."""
    if link is None:
        yield None
        return
    from halocline.edge.channel import ChannelLoop

    folder.memory.count_boot()
    loop = ChannelLoop(link, folder.memory, models, share=random.random, poll_s=poll_s)
    loop.start()
    try:
        yield loop
    finally:
        loop.close()


def _announce(address: str, identity: "Identity | None", models: list[ModelRef], as_json: bool) -> None:
    """Tell on stdout, in one line, where the agent listens, what it serves, and for which hub."""
    if as_json:
        told = {
            "version": 1,
            "url": address,
            "pid": os.getpid(),
            "device": None if identity is None else identity.places.device,
            "models": models,
        }
        print(msgspec.json.encode(told).decode(), flush=True)
        return
    named = ", ".join(map(str, models))
    whose = "no hub joined" if identity is None else f"{identity.places.device} of {identity.places.channel}"
    print(f"serving {named} on {address} ({whose}; PID {os.getpid()}; Ctrl-C drains and stops)", flush=True)
