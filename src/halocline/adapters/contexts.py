"""Keep the hubs that this user has signed in to: one file, which nobody else may read."""

import os
import stat
from pathlib import Path
from typing import Final

import msgspec

from halocline.errors import Misconfigured
from halocline.folders import config_folder
from halocline.whole_files import write_file

VARIABLE: Final = "HALOCLINE_HUB"


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """One hub, and how this user comes in."""

    url: str
    """The people's door, https://HOST:PORT."""
    token: str
    ca: str = ""
    """The root authority, PEM; empty where the system's authorities count."""


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    current: str = ""
    hubs: dict[str, Context] = msgspec.field(default_factory=dict)
    version: int = 1


def contexts_file() -> Path:
    """Where they are kept."""
    return config_folder() / "hubs.json"


def keep(name: str, context: Context) -> None:
    """Keep a hub under this name, and use it from now on. Raises Misconfigured (HAL-756)."""
    kept = _read()
    _write(_Kept(current=name, hubs={**kept.hubs, name: context}))


def choose(hub: str | None) -> tuple[str, Context]:
    """The hub of that name or URL, else that of HALOCLINE_HUB, else the one signed in to last.

    Raises Misconfigured (HAL-755, HAL-756).
    """
    kept = _read()
    asked = hub or os.environ.get(VARIABLE, "")
    name = asked or kept.current
    if name in kept.hubs:
        return name, kept.hubs[name]
    for each, context in kept.hubs.items():
        if asked and context.url == asked.rstrip("/"):
            return each, context
    if not kept.hubs:
        raise Misconfigured(
            "HAL-755",
            "no hub is known here. Try: halocline login https://HOST:8444 --ca FILE --token file:PATH",
        )
    known = ", ".join(sorted(kept.hubs))
    source = "--hub" if hub else VARIABLE
    raise Misconfigured("HAL-755", f"{source}: {name!r} is not one of the hubs signed in to: {known}")


def name_for(url: str) -> str:
    """What a hub is called where nobody says: its host, and its port where another hub has that name."""
    host, _, port = url.removeprefix("https://").rpartition(":")
    name = host.strip("[]").replace(":", "-")
    if not name[:1].isalnum():  # [::1]
        name = "hub"
    known = _read().hubs.get(name)
    return name if known is None or known.url == url else f"{name}-{port}"


def _read() -> _Kept:
    path = contexts_file()
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if os.name == "posix" and mode & 0o077:
                raise Misconfigured(
                    "HAL-756", f"{path} holds tokens, and others may read it (mode {mode:o}). Try: chmod 600"
                )
            return msgspec.json.decode(file.read(), type=_Kept)
    except FileNotFoundError:
        return _Kept()
    except OSError as error:
        raise Misconfigured("HAL-756", f"{path} cannot be read ({error.strerror})") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise Misconfigured("HAL-756", f"{path} is damaged ({error}); remove it and sign in again") from None


def _write(kept: _Kept) -> None:
    """Replace the file as a whole, so that one who reads it meanwhile, or a crash, sees the one before."""
    path = contexts_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_file(path, msgspec.json.format(msgspec.json.encode(kept)))
    except OSError as error:
        raise Misconfigured("HAL-756", f"{path} cannot be written ({error.strerror})") from None
