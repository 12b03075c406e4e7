"""Read the rules of selection: TOML, each key with its unit, range and default."""

import os
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

from halocline.decide.condition import Known, parse
from halocline.decide.quota import MOST, Quota
from halocline.decide.rules import (
    LEAST_URGENT,
    Event,
    Periodic,
    Rule,
    Rules,
    SpotChecks,
    Strangeness,
    Thin,
    Uncertainty,
    What,
)
from halocline.errors import HaloclineError, Misconfigured
from halocline.wire import toml
from halocline.wire.keys import Key, check_names

VERSION: Final = 1
NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")

QUOTA_KEYS: Final = {
    f"{what}_per_{window}": Key(
        kind=int,
        unit=what,
        low=0,
        high=MOST,
        about=f"At most so many {what} in any {window}; no limit by default.",
    )
    for window in ("hour", "day")
    for what in ("records", "bytes")
}
THIN_KEYS: Final = {
    "distance": Key(
        kind=float,
        unit="0 alike, 2 opposite",
        low=0,
        high=2,
        about="Closer samples are of one scene; 0.1 by default, 0 thins nothing.",
    ),
    "for_s": Key(
        kind=float,
        unit="seconds",
        low=0,
        high=1e9,
        about="For so long after one was sent; 600 by default.",
    ),
}
KIND_KEYS: Final[Mapping[str, Mapping[str, Key]]] = {
    Uncertainty.kind: {
        "below": Key(
            kind=float,
            unit="confidence",
            low=0,
            high=1,
            about="Samples of which the edge model is less sure; 0.8 by default.",
        )
    },
    Strangeness.kind: {
        "above": Key(
            kind=float,
            unit="distance",
            low=0,
            high=1e12,
            about="Samples farther from the training data; the policy's cut by default.",
        )
    },
    Event.kind: {
        "when": Key(kind=str, unit="condition", about="Samples of which this holds; must be given.")
    },
    Periodic.kind: {
        "every_s": Key(
            kind=float,
            unit="seconds",
            low=1,
            high=1e9,
            about="One sample of each class in so long, at a moment drawn by chance; 86400 by default.",
        )
    },
    SpotChecks.kind: {
        "share": Key(
            kind=float,
            unit="share",
            above=0,
            high=1,
            about="Of the confident answers, drawn by chance; 0.01 by default.",
        )
    },
}
RULE_KEYS: Final = {
    "name": Key(kind=str, unit="a-z 0-9 - _", about="Tells why a sample came; must be given, each once."),
    "kind": Key(kind=str, unit="a word", choices=tuple(KIND_KEYS), about="What it wants; must be given."),
    "priority": Key(
        kind=int, unit="priority", low=0, high=LEAST_URGENT, about="0 is the most urgent; 2 by default."
    ),
    "thin": Key(
        kind=bool,
        unit="true or false",
        about="Leave out near-duplicates; true by default, and false for periodic and spot_check.",
    ),
    **QUOTA_KEYS,
}
_KINDS: Final[Mapping[str, type[Any]]] = {
    each.kind: each for each in (Uncertainty, Strangeness, Event, Periodic, SpotChecks)
}
_DRAWN: Final = (Periodic.kind, SpotChecks.kind)


def read_rules(path: str | os.PathLike[str], known: Known | None = None) -> Rules:
    """The rules in that file; conditions may speak of what is `known` only.

    Raises Misconfigured (HAL-801, HAL-802, HAL-101) naming the file, the rule and the right key.
    """
    file = Path(path).expanduser()
    told = toml.read(
        file,
        "HAL-801",
        subject=str(file),
        kind="file of rules",
        content="rules",
        advice=f"Have one written: halocline sample rules --example > {file}",
    )
    try:
        return _made(told, known or Known())
    except HaloclineError as exc:
        raise Misconfigured(exc.code, f"{file}: {exc.message}") from None


def default_rules(known: Known | None = None) -> Rules:
    """The rules of `example`, which hold where nobody wrote any."""
    return _made(tomllib.loads(example()), known or Known())


def example() -> str:
    """A whole file of rules, with comments."""
    return resources.files("halocline.wire").joinpath("rules.toml").read_text(encoding="utf-8")


def _made(told: Mapping[str, Any], known: Known) -> Rules:
    check_names("", told, ("version", "total", "thin", "rule"), "HAL-801")
    if told.get("version") != VERSION:
        raise _wrong(f"expected version = {VERSION}, got {told.get('version')!r}")
    written = told.get("rule", [])
    if not isinstance(written, list) or not written or not all(isinstance(each, dict) for each in written):
        raise _wrong("expected one [[rule]] or more, in double brackets")
    return Rules(
        rules=[_rule(at, each, known) for at, each in enumerate(written)],
        total=Quota(**_table("total", told.get("total", {}), QUOTA_KEYS)),
        thin=Thin(**_table("thin", told.get("thin", {}), THIN_KEYS)),
    )


def _rule(at: int, told: Mapping[str, Any], known: Known) -> Rule:
    name = told.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise _wrong(f"[[rule]] number {at + 1}: name must be of a-z, 0-9, - and _, 40 at most, got {name!r}")
    where = f"rule {name!r}"
    if "kind" not in told:
        raise _wrong(f"{where}: kind is missing; it is one of {', '.join(KIND_KEYS)}")
    kind = RULE_KEYS["kind"].checked(f"{where}: kind", told["kind"], "HAL-801")
    own = KIND_KEYS[kind]
    for key in told:
        of_other = next((other for other, keys in KIND_KEYS.items() if key in keys), kind)
        if of_other != kind:
            raise _wrong(f"{where}: {key} is a key of {of_other}, and this rule is of {kind}")
    read = _table(where, told, {**RULE_KEYS, **own})
    return Rule(
        name=name,
        what=_what(where, kind, {key: read[key] for key in own if key in read}, known),
        priority=read.get("priority", 2),
        thin=read.get("thin", kind not in _DRAWN),
        quota=Quota(**{key: read[key] for key in QUOTA_KEYS if key in read}),
    )


def _what(where: str, kind: str, told: dict[str, Any], known: Known) -> What:
    if kind != Event.kind:
        made: What = _KINDS[kind](**told)
        return made
    if "when" not in told:
        raise _wrong(f"{where}: when is missing, such as when = 'confidence < 0.5'")
    try:
        return Event(parse(told["when"], known))
    except Misconfigured as exc:
        raise Misconfigured(exc.code, f"{where}: {exc.message}") from None


def _table(where: str, told: Any, keys: Mapping[str, Key]) -> dict[str, Any]:
    if not isinstance(told, Mapping):
        raise _wrong(f"{where} must be a table, [{where}], got {told!r}")
    check_names(f"{where}: ", told, tuple(keys), "HAL-801")
    dot = ": " if where.startswith("rule ") else "."
    return {name: keys[name].checked(f"{where}{dot}{name}", told[name], "HAL-801") for name in told}


def _wrong(what: str) -> Misconfigured:
    return Misconfigured("HAL-801", what)
