"""Read an agent's configuration: TOML or environment variables, each key with its unit, range and default."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from halocline.decide.device_settings import (
    LEAST_DEADLINE_S,
    LEAST_POLL_S,
    MOST_DEADLINE_S,
    MOST_POLL_S,
)
from halocline.errors import Misconfigured
from halocline.fleet import NAME
from halocline.wire import toml
from halocline.wire.keys import Key, check_names

PREFIX: Final = "HALOCLINE_"


LEAVES: Final = ("nothing", "summaries", "features", "samples")
"""What of a model's inputs may leave the device, from nothing to the samples themselves."""


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One model that the agent serves; paths are taken from the folder of the configuration."""

    edge: str
    cloud: str | None = None
    policy: str | None = None
    threshold: float | None = None
    deadline_s: float = 0.3
    leaves: Literal["nothing", "summaries", "features", "samples"] = "nothing"
    labels: str | None = None
    scores: Literal["probabilities", "logits", "log_probabilities"] | None = None

    @property
    def escalates(self) -> bool:
        """Whether its samples may be sent to the cloud model."""
        return self.cloud is not None and self.leaves == "samples"


class AgentConfig(msgspec.Struct, frozen=True, kw_only=True):
    """All of a configuration, and where each value came from (`file`, a variable's name, or `default`)."""

    listen: str = ""
    """Empty: `agent.sock` in the state folder."""
    max_queue: int = 256
    poll_s: float = 60.0
    models: dict[str, ModelConfig] = {}
    sources: dict[str, str] = {}


LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
AGENT_KEYS: Final = {
    "listen": Key(
        kind=str,
        unit="unix:PATH or 127.0.0.1:PORT",
        about="Where local programs ask; by default agent.sock in the state folder:",
    ),
    "max_queue": Key(
        kind=int,
        unit="requests",
        low=1,
        high=65_536,
        about="More at once are refused with 429; 256 by default:",
    ),
}
HUB_KEYS: Final = {
    "poll_s": Key(
        kind=float,
        unit="seconds",
        low=LEAST_POLL_S,
        high=MOST_POLL_S,
        about="How often the hub is asked what it wants; 60 by default:",
    )
}
MODEL_KEYS: Final = {
    "edge": Key(kind=str, unit="path", about="The model on this device, ONNX:"),
    "cloud": Key(
        kind=str,
        unit="hub:NAME, https://HOST:PORT/v2/models/NAME, or a path",
        about="The larger model, by default none; hub:NAME is one that our hub serves:",
    ),
    "policy": Key(kind=str, unit="path", about="A policy as made by halocline tune, instead of a threshold:"),
    "threshold": Key(
        kind=float,
        unit="confidence",
        low=0,
        high=1,
        about="Answers less sure than this go up; 0.8 by default:",
    ),
    "deadline_s": Key(
        kind=float,
        unit="seconds",
        low=LEAST_DEADLINE_S,
        high=MOST_DEADLINE_S,
        about="A request is answered in this time, if need be by the edge model; 0.3 by default:",
    ),
    "leaves": Key(
        kind=str,
        unit="a word",
        choices=LEAVES,
        about="What may leave this device; only samples lets a request go up, nothing is the default:",
    ),
    "labels": Key(kind=str, unit="path", about="Class names, one a line, where the model has none:"),
    "scores": Key(
        kind=str,
        unit="a word",
        choices=("probabilities", "logits", "log_probabilities"),
        about="What the model's scores are, where it does not say:",
    ),
}


def read_agent_file(path: str | os.PathLike[str], environment: Mapping[str, str] = {}) -> AgentConfig:
    """The configuration in that file, variables of the environment before it.

    `HALOCLINE_AGENT_LISTEN` stands for `listen` in `[agent]`, `HALOCLINE_HUB_POLL_S` for `poll_s` in `[hub]`,
    `HALOCLINE_MODEL_EDGE_THRESHOLD` for `threshold` in `[model.edge]`. Raises Misconfigured (HAL-728).
    """
    file = Path(path).expanduser()
    told = toml.read(
        file,
        "HAL-728",
        subject=str(file),
        kind="configuration",
        content="a configuration",
        advice=f"Have one written: halocline agent config --example > {file}",
    )
    try:
        return _made(told, dict(environment), file.parent)
    except Misconfigured as exc:
        raise Misconfigured(exc.code, f"{file}: {exc.message}") from None


def told(config: AgentConfig) -> Iterator[tuple[str, Any, str]]:
    """Each key that is in force: its dotted name, its value, and where that came from."""
    yield "agent.listen", config.listen, config.sources.get("agent.listen", "default")
    yield "agent.max_queue", config.max_queue, config.sources.get("agent.max_queue", "default")
    yield "hub.poll_s", config.poll_s, config.sources.get("hub.poll_s", "default")
    for name, model in config.models.items():
        for key in MODEL_KEYS:
            at = f"model.{name}.{key}"
            yield at, getattr(model, key), config.sources.get(at, "default")


def starter(edge: str = "edge.onnx", cloud: str | None = "hub:cloud", policy: str | None = None) -> str:
    """A commented file with every key: those that have a default are commented out."""
    parts = [
        "# What this device serves, and what may leave it. Check it with: halocline agent config FILE --check"
    ]
    for table, keys, given in (
        ("agent", AGENT_KEYS, {}),
        ("hub", HUB_KEYS, {"poll_s": 60.0}),
        ("model.edge", MODEL_KEYS, {"edge": edge, "cloud": cloud, "policy": policy, "leaves": "samples"}),
    ):
        parts.append(f"\n[{table}]")
        for name, key in keys.items():
            parts.append(f"# {key.about} {key.unit}{', ' if key.span else ''}{key.span}.")
            value = given.get(name)
            parts.append(f"# {name} =" if value is None else f"{name} = {toml.literal(value)}")
    return "\n".join(parts) + "\n"


def _made(found: dict[str, Any], environment: dict[str, str], folder: Path) -> AgentConfig:
    tables = {"agent": AGENT_KEYS, "hub": HUB_KEYS}
    check_names("", found, (*tables, "model"), "HAL-728")
    sources: dict[str, str] = {}
    values: dict[str, Any] = {}
    for table, keys in tables.items():
        values |= _table(table, _as_table(table, found.get(table, {})), keys, environment, sources)
    _check_listen(values.get("listen", ""), sources)
    models = {}
    for name, table in _as_table("model", found.get("model", {})).items():
        at = f"model.{name}"
        if not re.match(NAME, name):
            raise Misconfigured(
                "HAL-728", f"[{at}] is no name for a model: letters, digits, '.', '_' and '-', 63 at most"
            )
        read = _table(at, _as_table(at, table), MODEL_KEYS, environment, sources)
        models[name] = _model(at, read, folder)
    if not models:
        raise Misconfigured("HAL-728", 'it names no model. Add one: [model.NAME] with edge = "model.onnx"')
    return AgentConfig(models=models, sources=sources, **values)


def _check_listen(listen: str, sources: Mapping[str, str]) -> None:
    host, _, port = listen.rpartition(":")
    is_here = host in LOOPBACK and port.isdecimal() and int(port) <= 65_535
    if listen and not is_here and listen.partition(":")[0] != "unix":
        source = sources.get("agent.listen", "file")
        raise Misconfigured(
            "HAL-728",
            f"{'agent.listen' if source == 'file' else source} must be unix:PATH or 127.0.0.1:PORT, no "
            f"address of other machines, got {listen!r}",
        )


def _model(at: str, read: dict[str, Any], folder: Path) -> ModelConfig:
    if "edge" not in read:
        raise Misconfigured("HAL-728", f'[{at}] has no edge. Say which model: edge = "model.onnx"')
    if "policy" in read and "threshold" in read:
        raise Misconfigured("HAL-728", f"[{at}] has policy and threshold; keep the one that counts")
    for key in ("edge", "policy", "labels", "cloud"):
        value = read.get(key)
        if value is not None and not value.startswith("hub:") and "://" not in value:
            read[key] = str(folder / Path(value).expanduser())
    return ModelConfig(**read)


def _table(
    at: str,
    given: Mapping[str, Any],
    keys: Mapping[str, Key],
    environment: Mapping[str, str],
    sources: dict[str, str],
) -> dict[str, Any]:
    check_names(f"{at}.", given, tuple(keys), "HAL-728")
    read = {}
    for name, key in keys.items():
        variable = PREFIX + f"{at}_{name}".upper().replace(".", "_").replace("-", "_")
        if variable in environment:
            read[name] = key.checked(variable, _typed(variable, environment[variable], key), "HAL-728")
            sources[f"{at}.{name}"] = variable
        elif name in given:
            read[name] = key.checked(f"{at}.{name}", given[name], "HAL-728")
            sources[f"{at}.{name}"] = "file"
    return read


def _typed(variable: str, text: str, key: Key) -> Any:
    if key.kind is str:
        return text
    try:
        return key.kind(text)
    except ValueError:
        what = "a whole number" if key.kind is int else "a number"
        raise Misconfigured("HAL-728", f"{variable} must be {what} ({key.unit}), got {text!r}") from None


def _as_table(at: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Misconfigured("HAL-728", f"{at} must be a table, [{at}], got {value!r}")
    return value
