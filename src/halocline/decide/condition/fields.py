"""What a condition can speak of: each name, its type, and what it may be compared with."""

from collections.abc import Callable, Collection
from difflib import get_close_matches
from enum import StrEnum
from operator import attrgetter
from typing import Any, TypeAlias

import msgspec

from halocline.decide.candidate import Candidate, Value
from halocline.records import Reason, Tier

Reader: TypeAlias = Callable[[Candidate], Value | None]


class Kind(StrEnum):
    """The type of a value."""

    TEXT = "text"
    NUMBER = "a number"
    TRUTH = "true or false"
    ANY = "anything"
    """Metadata: of the type that it is compared with; a value of another type has no answer."""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A name that a condition can use: its type, what it is, and the texts or the range that it can have."""

    kind: Kind
    about: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known where a condition is loaded, so that a wrong name is found there; None: nothing is."""

    labels: Collection[str] | None = None
    sensors: Collection[str] | None = None
    metadata: Collection[str] | None = None


FIELDS = {
    "label": Field(kind=Kind.TEXT, about="the label that the edge model gave"),
    "confidence": Field(
        kind=Kind.NUMBER,
        about="how sure the edge model is; -1 where its scores hold NaN",
        low=-1.0,
        high=1.0,
    ),
    "novelty": Field(kind=Kind.NUMBER, about="how far the sample lies from the training data", low=0.0),
    "tier": Field(kind=Kind.TEXT, about="which tier's answer was returned", choices=tuple(Tier)),
    "reason": Field(kind=Kind.TEXT, about="why the reply is what it is", choices=tuple(Reason)),
    "degraded": Field(kind=Kind.TRUTH, about="whether an escalation was wanted and failed"),
    "source": Field(kind=Kind.TEXT, about="the sensor that the sample came from"),
    "group": Field(kind=Kind.TEXT, about="the patient, machine or shop that it belongs to"),
    "metadata.KEY": Field(kind=Kind.ANY, about="what the application says of the sample under that key"),
    "sensor.KEY": Field(kind=Kind.NUMBER, about="what the sensor of that name measured with the sample"),
}
"""In the order of the reference."""

_SPACES = {"metadata": "metadata", "sensor": "sensors"}


class Unknown(Exception):
    """A name that no field has; says what was probably meant."""


def field_of(name: str, known: Known) -> tuple[Field, Reader]:
    """The field of that name, and what reads it. Raises Unknown."""
    space, dot, key = name.partition(".")
    if not dot:
        if name in FIELDS and "." not in name:
            field = FIELDS[name]
            if name == "label" and known.labels is not None:
                field = msgspec.structs.replace(field, choices=tuple(known.labels))
            return field, attrgetter(name)
        raise Unknown(f"there is no {name!r}; {nearest(name, [*FIELDS])}")
    if space not in _SPACES or not key:
        raise Unknown(f"there is no {name!r}; {nearest(space, ['metadata.KEY', 'sensor.KEY'])}")
    there = known.sensors if space == "sensor" else known.metadata
    if there is not None and key not in there:
        raise Unknown(f"there is no {name!r}; {nearest(key, sorted(there), before=space + '.')}")
    return FIELDS[f"{space}.KEY"], _entry_of(_SPACES[space], key)


def nearest(word: str, words: Collection[str], *, before: str = "") -> str:
    """What was probably meant, or what there is."""
    near = get_close_matches(word, [*words], 1, 0.6)
    if near:
        return f"did you mean {before}{near[0]}?"
    named = ", ".join(before + each for each in words)
    return f"there are {named}" if named else "there are none"


def _entry_of(attribute: str, key: str) -> Reader:
    def read(sample: Candidate) -> Any:
        return getattr(sample, attribute).get(key)

    return read
