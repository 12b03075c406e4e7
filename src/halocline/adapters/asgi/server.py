"""Run the application under uvicorn: announce where it listens, drain on SIGTERM, stop."""

import asyncio
import contextlib
import signal
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from types import FrameType
from typing import Final, TypeAlias

import uvicorn

from halocline.adapters.asgi.answers import LOG, Receive, Scope, Send
from halocline.adapters.asgi.listen import Listen, cannot_listen
from halocline.adapters.asgi.protocol import LimitedProtocol, limited_protocol
from halocline.adapters.asgi.tls import server_context
from halocline.adapters.sd_notify import Supervisor
from halocline.errors import HaloclineError
from halocline.serving.admission import Admission

Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_BACKLOG: Final = 2048
_KEEP_ALIVE_S: Final = 75
"""How long an idle connection is kept: longer than the proxies before us usually keep theirs (60 s)."""

_CLOSE_S: Final = 5
"""How long connections get to take their last answer once nothing is left to do."""

_FAREWELL_S: Final = 0.05
"""How long an idle connection gets to take the word that it ends."""


class Server(uvicorn.Server):
    """Serves on a socket that is already bound; the first signal drains it, the second ends it at once.

    A `context` is used instead of the files in `listen`; with `tells`, the application learns of connections.
    A `supervisor` hears when it listens, that its loop turns, and when it drains.
    """

    def __init__(
        self,
        app: Application,
        admission: Admission,
        listen: Listen,
        *,
        context: ssl.SSLContext | None = None,
        tells: bool = False,
        supervisor: Supervisor | None = None,
        max_connections: int = 1024,
        drain_s: float = 30.0,
        on_started: Callable[[], None] = lambda: None,
    ) -> None:
        self._admission = admission
        self._drain_s = drain_s
        self._drain_until_s: float | None = None
        self._on_started = on_started
        self._supervisor = supervisor or Supervisor({})
        self.abandoned = 0
        """Requests that were inside when the server stopped all the same."""
        if context is None and listen.tls is not None:
            context = server_context(listen.tls)
        super().__init__(
            uvicorn.Config(
                app,
                interface="asgi3",
                http=limited_protocol(max_connections, tells=tells),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_CLOSE_S,
                ssl_context_factory=None if context is None else lambda *_: context,
            )
        )

    def drain(self) -> None:
        """Take no new requests, finish what is inside, then stop; after `drain_s` stop all the same."""
        if self._drain_until_s is None:
            self._admission.draining = True
            self._drain_until_s = time.monotonic() + self._drain_s
            self._supervisor.stopping()
            LOG.info("draining: %d requests inside", self._admission.inside)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal: drain; a second one: stop now. The process ends by itself, with its own exit code."""
        if self._drain_until_s is None:
            self.drain()
        else:
            self.should_exit = self.force_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._on_started()
        self._supervisor.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what is open, and see whether that left somebody without an answer."""
        await self._end_idle()
        await super().shutdown(sockets)
        self.abandoned = self._admission.inside

    async def _end_idle(self) -> None:
        """End connections that wait for nothing: under TLS, each would be asked to agree, and waited for."""
        idle = [each for each in self._connections() if each.is_idle]
        for each in idle:
            each.transport.close()
        await asyncio.sleep(_FAREWELL_S)
        for each in idle:
            each.transport.abort()

    def _connections(self) -> Iterator[LimitedProtocol]:
        for connection in list(self.server_state.connections):
            assert isinstance(connection, LimitedProtocol)
            yield connection

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: is the draining over, does a connection keep us waiting."""
        now_s = time.monotonic()
        self._supervisor.alive(now_s)
        if self._drain_until_s is not None and (not self._admission.inside or now_s > self._drain_until_s):
            self.should_exit = True
        if counter % 10 == 0:
            for connection in self._connections():
                connection.end_if_slow(now_s)
        return await super().on_tick(counter)


def run(server: Server, listen: Listen, bound: socket.socket) -> None:
    """Serve until drained. Raises Misconfigured (HAL-107) where the address was taken since it was bound."""
    try:
        server.run([bound])
    except OSError as error:
        raise cannot_listen(listen, error) from error


def run_all(
    servers: Sequence[tuple[Server, Listen, socket.socket]], beside: Callable[[], Awaitable[None]]
) -> None:
    """Serve on several sockets in one loop until all are drained; `beside` runs as long.

    A signal reaches each of them. Raises as `run` does; where one cannot go on, none does.
    """
    with asyncio.Runner(loop_factory=servers[0][0].config.get_loop_factory()) as runner:
        runner.run(_serve_all(servers, beside))


async def _serve_all(
    servers: Sequence[tuple[Server, Listen, socket.socket]], beside: Callable[[], Awaitable[None]]
) -> None:
    async def one(server: Server, listen: Listen, bound: socket.socket) -> None:
        try:
            await server._serve([bound])
        except OSError as error:
            raise cannot_listen(listen, error) from error

    task = asyncio.ensure_future(beside())
    try:
        with _signals_to([server for server, _, _ in servers]):
            async with asyncio.TaskGroup() as group:
                for each in servers:
                    group.create_task(one(*each))
    except* HaloclineError as errors:
        raise errors.exceptions[0] from None
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.contextmanager
def _signals_to(servers: Sequence[Server]) -> Iterator[None]:
    """SIGINT and SIGTERM go to each of these; where this is not the main thread, to nobody."""

    def handle(number: int, frame: FrameType | None) -> None:
        for server in servers:
            server.handle_exit(number, frame)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
