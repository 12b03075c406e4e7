"""Read and write a policy with its promise: TOML that a person can review, arrays in a file beside it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from halocline.errors import HaloclineError, Misconfigured
from halocline.whole_files import PUBLIC, write_file
from halocline.wire import novelty_file, toml
from halocline.wire.policy_form import CHANGED, VERSION, Form, PolicyFile, flat, known_at, tables
from halocline.wire.toml import Value, comment, document

__all__ = ["CHANGED", "PolicyFile", "check_place", "diff_policy", "read_policy", "write_policy"]

_HEAD = """\
A Halocline policy: from which confidence on the edge model's answer stands, and what that promises.
Made by `halocline tune`. Where anything is changed by hand, [promise] does not hold any more: tune again.
Only what a device may learn for itself, [policy.personal], may be set by hand."""


def read_policy(path: str | os.PathLike[str]) -> PolicyFile:
    """The policy file at `path`, checked. Raises Misconfigured (HAL-110, HAL-101, HAL-102)."""
    file = Path(path).expanduser()
    told = _parsed(file)
    version = told.get("version")
    if version != VERSION:
        newer = isinstance(version, int) and version > VERSION
        raise Misconfigured(
            "HAL-110",
            f"{file}: expected version = {VERSION}, got {version!r}. "
            + ("It was made by a newer Halocline: install that" if newer else "Make it anew: halocline tune"),
        )
    try:
        read = msgspec.convert(told, Form, str_keys=True)
    except msgspec.ValidationError as exc:
        raise Misconfigured("HAL-110", f"{file}: {exc}{known_at(str(exc))}") from None
    try:
        return read.made(file)
    except HaloclineError as exc:
        raise Misconfigured(exc.code, f"{file}: {exc.message}") from None


def write_policy(path: str | os.PathLike[str], policy_file: PolicyFile, warnings: Sequence[str] = ()) -> None:
    """Write the file whole or not at all; one that was there stays until then.

    `warnings` become a comment above the promise, for people: reading the file does not give them back.
    Arrays go into `NAME.novelty-DIGEST.npz` beside it. Raises Misconfigured (HAL-110) where the folder
    cannot be written.
    """
    file = Path(path).expanduser()
    novelty = policy_file.policy.novelty
    above = {"promise": comment("Be wary:", warnings)}
    try:
        old = _side_file_of(file)
        side = None if novelty is None else novelty_file.write(file, novelty, _write_whole)
        _write_whole(file, document(_HEAD, tables(policy_file, side), above).encode())
        if old is not None and (side is None or old != file.with_name(side.file)):
            old.unlink(missing_ok=True)
    except OSError as exc:
        raise Misconfigured("HAL-110", f"{file} cannot be written: {exc.strerror or exc}") from exc


def check_place(path: str | os.PathLike[str]) -> None:
    """Raise Misconfigured (HAL-110) where no policy could be written, before it is made."""
    folder = Path(path).expanduser().parent
    if not folder.is_dir():
        raise Misconfigured("HAL-110", f"{path} cannot be written: there is no folder {folder}")


def diff_policy(old: PolicyFile, new: PolicyFile) -> list[str]:
    """What changed, one line a setting, for a person who reviews it; empty where nothing did."""
    before, after = flat(old), flat(new)
    return [
        f"{name}: {_shown(before.get(name))} -> {_shown(after.get(name))}"
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]


def _shown(value: Value | None) -> str:
    if value is None:
        return "not set"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


# Reading and writing bytes


def _parsed(file: Path) -> dict[str, Any]:
    return toml.read(
        file,
        "HAL-110",
        subject=str(file),
        kind="policy file",
        content="a policy",
        advice="Make one with: halocline tune",
    )


def _side_file_of(file: Path) -> Path | None:
    """The file of arrays that the policy file names at present, if any."""
    try:
        side = _parsed(file).get("policy", {}).get("novelty", {}).get("file")
    except (Misconfigured, AttributeError):
        return None
    return file.with_name(side) if isinstance(side, str) and side == os.path.basename(side) else None


def _write_whole(file: Path, content: bytes) -> None:
    """Put in place at once, for everyone to read: a reader sees the old file or the new one."""
    write_file(file, content, PUBLIC)
