"""Decide where a server may listen, and open its socket."""

import contextlib
import errno
import ipaddress
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec

from halocline.adapters.asgi.answers import LOG
from halocline.adapters.asgi.tls import Tls
from halocline.errors import Misconfigured


class Listen(msgspec.Struct, frozen=True):
    """Where to listen: a host and port (0: any free one), or a Unix socket."""

    host: str = "127.0.0.1"
    port: int = 8000
    uds: Path | None = None
    uds_umask: int = 0o177
    """Connecting needs the right to write: the owner's alone, unless it is widened here."""
    tls: Tls | None = None
    allow_plaintext: bool = False
    port_said: str = "--port"
    """How a person chooses another port, for the error where this one is in use."""


@contextlib.contextmanager
def opened(listen: Listen) -> Iterator[socket.socket]:
    """A bound socket that does not listen yet, closed (and removed) at the end.

    Raises Misconfigured (HAL-106) where plaintext could be read by others, HAL-107 where it cannot be bound.
    """
    _refuse_open_plaintext(listen)
    try:
        bound = (
            _tcp_socket(listen.host, listen.port)
            if listen.uds is None
            else _unix_socket(listen.uds, listen.uds_umask)
        )
    except (OSError, OverflowError) as error:
        raise cannot_listen(listen, error) from error
    try:
        yield bound
    finally:
        bound.close()
        if listen.uds is not None:
            listen.uds.unlink(missing_ok=True)


def cannot_listen(listen: Listen, error: Exception) -> Misconfigured:
    """What to tell where an address cannot be listened on."""
    where = str(listen.uds) if listen.uds is not None else f"{listen.host} port {listen.port}"
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        why = f"another program listens there. Stop it, or choose another with {listen.port_said}"
    else:
        why = (
            f"{getattr(error, 'strerror', None) or error}. Choose another with --host and {listen.port_said}"
        )
    return Misconfigured("HAL-107", f"cannot listen on {where}: {why}")


def address_of(listen: Listen, bound: socket.socket) -> str:
    """The address that clients use, with the port that was given to us."""
    if listen.uds is not None:
        return f"unix:{listen.uds}"
    host = f"[{listen.host}]" if ":" in listen.host else listen.host
    return f"{'http' if listen.tls is None else 'https'}://{host}:{bound.getsockname()[1]}"


def _refuse_open_plaintext(listen: Listen) -> None:
    if listen.tls is not None or listen.uds is not None or _is_loopback(listen.host):
        return
    if not listen.allow_plaintext:
        raise Misconfigured(
            "HAL-106",
            f"--host {listen.host} without TLS lets others read and change what is sent. "
            f"Give --cert and --key, use --host 127.0.0.1, or accept it with --allow-plaintext",
        )
    LOG.warning("plaintext on %s: others on the network can read and change what is sent", listen.host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _tcp_socket(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except BaseException:
        bound.close()
        raise
    return bound


def _unix_socket(path: Path, umask: int) -> socket.socket:
    _remove_stale(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        previous = os.umask(umask)
        try:
            bound.bind(str(path))
        finally:
            os.umask(previous)
    except BaseException:
        bound.close()
        raise
    return bound


def _remove_stale(path: Path) -> None:
    """Remove a socket that a dead server left behind; one that answers is in use."""
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise FileExistsError(errno.EEXIST, f"{path} exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise OSError(errno.EADDRINUSE, "in use")
