"""Which public sets there are, as sets.toml lists them: licence, source, and the digest of every file."""

import tomllib
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

import msgspec

Write: TypeAlias = Callable[[Path, Path, int | None], Iterable[Path]]
"""Takes the folder of a set's files, the folder to write to, the most rows of a part; gives the paths."""


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a set: where it lies in the set's folder, its digest `kind:hex`, its size, its address."""

    name: str
    size_bytes: int
    digest: str
    url: str = ""


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files that a set can be read from."""

    name: str
    files: tuple[File, ...]

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(file.size_bytes for file in self.files)

    @property
    def is_fetched(self) -> bool:
        """Whether every file has an address."""
        return all(file.url for file in self.files)


class PublicSet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A set: what it holds, its licence and source, and the forms that it is read from."""

    name: str
    holds: str
    licence: str
    source: str
    cite: str
    forms: tuple[Form, ...]

    @property
    def fetched(self) -> Form | None:
        """The form that can be fetched; None where there is none."""
        return next((form for form in self.forms if form.is_fetched), None)


@cache
def public_sets() -> dict[str, PublicSet]:
    """Every set, by name."""
    told = files("halocline.demo.datasets.public").joinpath("sets.toml").read_text(encoding="utf-8")
    return {each.name: each for each in msgspec.convert(tomllib.loads(told)["set"], list[PublicSet])}


def writer_of(known: PublicSet) -> Write:
    """What lays the set out."""
    from halocline.demo.datasets.public import beats, clothes, machine, spoken

    return {
        "ecg": beats.write_beats,
        "speech": spoken.write_recordings,
        "fashion-mnist": clothes.write_pictures,
        "machine-temperature": machine.write_series,
    }[known.name]
