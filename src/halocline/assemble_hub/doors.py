"""Where the doors of a hub stand: the ports listened on, and what others are told."""

import logging
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec

from halocline.assemble_hub.options import HubOptions
from halocline.errors import Misconfigured

if TYPE_CHECKING:
    from halocline.adapters.asgi.listen import Listen

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


def told_urls(public: dict[str, tuple[str, str]], names: Doors[str], listens: Doors[int]) -> Doors[str]:
    """Where others are told that the doors stand."""
    from halocline.adapters.asgi.doors.public import url_at

    def url(door: str, name: str, port: int) -> str:
        return public[door][0] if door in public else url_at(name, port)

    return Doors(
        url("device", names.device, listens.device),
        url("people", names.people, listens.people),
        url("join", names.join, listens.join),
    )


def names_of(options: HubOptions, public: list[str]) -> list[str]:
    """All by which this machine is reached, for its certificate; the first is told to devices."""
    first = [*options.names, *([] if options.host in _ANY_OR_OWN else [options.host])]
    if not first and not public and options.host in _ANY:
        logging.warning(
            "--host %s without --name: devices on other machines are told to come to localhost", options.host
        )
    return list(dict.fromkeys([*first, "localhost", "127.0.0.1", "::1", *public]))


def places(options: HubOptions) -> "Doors[Listen]":
    """Where each door listens, all at one place where they share a port."""
    from halocline.adapters.asgi.listen import Listen

    def place(port: int, said: str) -> Listen:
        # TLS comes as a context
        return Listen(host=options.host, port=port, allow_plaintext=True, port_said=said)

    if options.one_port is not None:
        shared = place(options.one_port, "--one-port")
        return Doors(shared, shared, shared)
    return Doors(
        place(options.device_port, "--device-port"),
        place(options.people_port, "--people-port"),
        place(options.join_port, "--join-port"),
    )


def door_names(options: HubOptions) -> Doors[str] | None:
    """The names that lead to the doors where they share a port. Raises Misconfigured (HAL-784)."""
    given = (options.device_name, options.people_name, options.join_name)
    if options.one_port is None:
        if any(given):
            raise Misconfigured("HAL-784", "--device-name, --people-name and --join-name are for --one-port")
        return None
    names = [_host_name(flag, name) for flag, name in zip(("device", "people", "join"), given, strict=True)]
    if len(set(names)) < len(names):
        raise Misconfigured(
            "HAL-784", f"each door needs a name of its own with --one-port, got {', '.join(names)}"
        )
    return Doors(*names)


def _host_name(door: str, name: str | None) -> str:
    """As clients send it. Raises Misconfigured (HAL-784)."""
    from cryptography import x509

    from halocline.adapters.certificates.forms import general_name

    if name is None:
        raise Misconfigured("HAL-784", f"--one-port needs --{door}-name: by it a connection finds its door")
    try:
        read = general_name(name)
    except Misconfigured:
        read = None
    if not isinstance(read, x509.DNSName):
        raise Misconfigured(
            "HAL-784",
            f"--{door}-name must be a host name, got {name[:80]!r}: clients send no address as a name",
        )
    return read.value.lower()
