"""Read an agent's configuration: TOML or environment variables, each key with its unit, range and default."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
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
from halocline.wire.toml import literal

MAX_FILE_BYTES: Final = 1 << 20
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


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one key: its unit or kind, its range, and what it is for."""

    kind: type
    unit: str
    about: str
    low: float | None = None
    high: float | None = None
    above: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def span(self) -> str:
        """The range as people read it."""
        if self.choices:
            return ", ".join(self.choices)
        if self.above is not None:
            return f"above {self.above:g}, {self.high:g} at most"
        return f"in [{self.low:g}, {self.high:g}]" if self.low is not None else ""

    def allows(self, value: float) -> bool:
        """Whether a number lies in the range."""
        if self.above is not None and value <= self.above:
            return False
        return (self.low is None or self.low <= value) and (self.high is None or value <= self.high)


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
    told = _parsed(file)
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
            parts.append(f"# {name} =" if value is None else f"{name} = {literal(value)}")
    return "\n".join(parts) + "\n"


def _made(found: dict[str, Any], environment: dict[str, str], folder: Path) -> AgentConfig:
    tables = {"agent": AGENT_KEYS, "hub": HUB_KEYS}
    _known("", found, (*tables, "model"))
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
    _known(at, given, tuple(keys))
    read = {}
    for name, key in keys.items():
        variable = PREFIX + f"{at}_{name}".upper().replace(".", "_").replace("-", "_")
        if variable in environment:
            read[name] = _checked(variable, _typed(variable, environment[variable], key), key)
            sources[f"{at}.{name}"] = variable
        elif name in given:
            read[name] = _checked(f"{at}.{name}", given[name], key)
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


def _checked(at: str, value: Any, key: Key) -> Any:
    if key.kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, key.kind) or isinstance(value, bool):
        what = {str: "text", int: "a whole number", float: "a number"}[key.kind]
        raise Misconfigured("HAL-728", f"{at} must be {what} ({key.unit}), got {value!r}")
    if isinstance(value, str):
        if key.choices and value not in key.choices:
            near = _near(value, key.choices)
            raise Misconfigured("HAL-728", f"{at} must be one of {key.span}, got {value!r}. {near}")
    elif isinstance(value, int | float) and not key.allows(value):
        raise Misconfigured(
            "HAL-728", f"{at} must be {key.span} ({key.unit}), got {value!r}{_unit_hint(value, key)}"
        )
    return value


def _unit_hint(value: float, key: Key) -> str:
    """What was probably meant by a number in another unit."""
    for unit, part in (("confidence", 100), ("seconds", 1000)):
        if key.unit == unit and value > 1 and key.allows(value / part):
            return f". Did you mean {value / part:g}?"
    return ""


def _known(at: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in given:
        if key not in known:
            where = f"{at}.{key}" if at else key
            raise Misconfigured("HAL-728", f"{where} is not a key. {_near(key, known)}")


def _near(word: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(word, known, 1, 0.6)
    return f"Did you mean {near[0]!r}?" if near else f"Known are {', '.join(known)}"


def _as_table(at: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Misconfigured("HAL-728", f"{at} must be a table, [{at}], got {value!r}")
    return value


def _parsed(file: Path) -> dict[str, Any]:
    try:
        size = file.stat().st_size
        if size > MAX_FILE_BYTES:
            raise Misconfigured("HAL-728", f"{file}: {size} bytes are no configuration; a page is enough")
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as exc:
        if isinstance(exc, FileNotFoundError):
            why = f"does not exist. Have one written: halocline agent config --example > {file}"
        else:
            why = f"cannot be read: {exc.strerror}"
        raise Misconfigured("HAL-728", f"{file} {why}") from None
    except UnicodeDecodeError:
        raise Misconfigured("HAL-728", f"{file} is not text; expected a configuration in TOML") from None
    except tomllib.TOMLDecodeError as exc:
        raise Misconfigured("HAL-728", f"{file} is not TOML: {exc}") from None
