"""One port for several servers: the name that a client asks for says whose a connection is, to its end."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Mapping
from typing import Final

from halocline.adapters.asgi.client_hello import MAX_HELLO_BYTES, server_name
from halocline.adapters.asgi.server import Server

_LOG: Final = logging.getLogger("halocline.gate")
_HELLO_S: Final = 10.0
"""So long a client may take to say whom it asks for."""
_MOST_ASKED: Final = 1024
"""So many may be about to say so at once."""
_MORE_S: Final = 0.02
"""After so long the rest of a hello that came in parts is looked for."""
_AGAIN_S: Final = 0.1
_NO_SUCH_NAME: Final = bytes((21, 3, 3, 0, 2, 2, 112))
"""The alert unrecognized_name (RFC 6066), fatal."""
_BACKLOG: Final = 2048


class Gate:
    """Accepts on a bound socket for servers that have none; the hello is read without being taken.

    Each connection gets the TLS of its server alone: no name, header or renegotiation moves it to another.
    """

    def __init__(self, bound: socket.socket, servers: Mapping[str, Server]) -> None:
        self._bound = bound
        self._servers = servers
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked = 0
        bound.setblocking(False)
        bound.listen(_BACKLOG)

    async def serve_forever(self) -> None:
        """Accept until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    connection, _ = await loop.sock_accept(self._bound)
                except OSError as error:  # no file handle is left, perhaps; those that end give theirs back
                    _LOG.error("no connection is accepted now: %s", error)
                    await asyncio.sleep(_AGAIN_S)
                    continue
                if self._asked >= _MOST_ASKED:
                    connection.close()
                    continue
                task = loop.create_task(self._admit(connection))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        finally:
            for task in self._tasks:
                task.cancel()

    async def _admit(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        try:
            server = await self._asked_for(connection)
            if server is None or server.should_exit:
                connection.close()
            else:
                await server.take(connection)
        except (OSError, TimeoutError, ValueError):  # a handshake that failed, as others do every day
            connection.close()

    async def _asked_for(self, connection: socket.socket) -> Server | None:
        self._asked += 1
        try:
            async with asyncio.timeout(_HELLO_S):
                name = await _name(connection)
        finally:
            self._asked -= 1
        server = self._servers.get(name)
        if server is None:
            with contextlib.suppress(OSError):
                connection.send(_NO_SUCH_NAME)
        return server


async def _name(connection: socket.socket) -> str:
    """The name asked for. Raises ValueError for what is no hello, also one that is cut off."""
    seen = 0
    while True:
        await _readable(connection)
        data = connection.recv(MAX_HELLO_BYTES + 64, socket.MSG_PEEK)
        name = server_name(data)
        if name is not None:
            return name
        if not data or len(data) > MAX_HELLO_BYTES:
            raise ValueError("no whole hello")
        if len(data) == seen:
            await asyncio.sleep(_MORE_S)  # what is not taken stays readable
        seen = len(data)


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    came = asyncio.Event()
    loop.add_reader(connection, came.set)
    try:
        await came.wait()
    finally:
        loop.remove_reader(connection)
