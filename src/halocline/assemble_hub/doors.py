"""Where the doors of a hub stand: the ports listened on, and what others are told."""

import logging
from typing import Final, Generic, TypeVar

import msgspec

from halocline.assemble_hub.options import HubOptions

_ANY: Final = ("0.0.0.0", "::")  # noqa: S104  # they are asked for, not chosen here
_ANY_OR_OWN: Final = (*_ANY, "localhost", "127.0.0.1", "::1")

_T = TypeVar("_T")


class Doors(msgspec.Struct, Generic[_T], frozen=True):
    """Something of each of a hub's three doors."""

    device: _T
    people: _T
    join: _T


def public_urls(options: HubOptions) -> dict[str, tuple[str, str]]:
    """By door, the URL that others are told and its host, where one was given. Raises HAL-780."""
    from halocline.adapters.asgi.doors.public import read_public

    given = {"device": options.device_url, "people": options.people_url, "join": options.join_url}
    return {door: read_public(f"--{door}-url", url) for door, url in given.items() if url is not None}


def told_urls(public: dict[str, tuple[str, str]], name: str, listens: Doors[int]) -> Doors[str]:
    """Where others are told that the doors stand."""
    from halocline.adapters.asgi.doors.public import url_at

    def url(door: str, port: int) -> str:
        return public[door][0] if door in public else url_at(name, port)

    return Doors(url("device", listens.device), url("people", listens.people), url("join", listens.join))


def names_of(options: HubOptions, public: list[str]) -> list[str]:
    """All by which this machine is reached, for its certificate; the first is told to devices."""
    first = [*options.names, *([] if options.host in _ANY_OR_OWN else [options.host])]
    if not first and not public and options.host in _ANY:
        logging.warning(
            "--host %s without --name: devices on other machines are told to come to localhost", options.host
        )
    return list(dict.fromkeys([*first, "localhost", "127.0.0.1", "::1", *public]))
