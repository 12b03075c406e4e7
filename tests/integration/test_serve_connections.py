"""When a connection is let go: real sockets, and a clock that is put forward by hand."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import uvicorn

from halocline.adapters.asgi.protocol import HEAD_TIMEOUT_S, LimitedProtocol, limited_protocol

KEEP_ALIVE_S = 75
READY = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


async def application(scope, receive, send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def with_connection(
    scenario: Callable[
        [asyncio.StreamReader, asyncio.StreamWriter, Callable[[float], None]], Awaitable[None]
    ],
) -> None:
    """Run a scenario on one connection; its third argument looks at it so many seconds from now."""

    async def main() -> None:
        config = uvicorn.Config(
            application, http=limited_protocol(10), log_config=None, timeout_keep_alive=KEEP_ALIVE_S
        )
        config.load()
        server = uvicorn.Server(config)
        taken: list[LimitedProtocol] = []

        def take() -> LimitedProtocol:
            taken.append(LimitedProtocol(config, server.server_state, {}))
            return taken[-1]

        listening = await asyncio.get_running_loop().create_server(take, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
        while not taken:
            await asyncio.sleep(0.01)
        await scenario(reader, writer, lambda ahead_s: taken[0].end_if_slow(time.monotonic() + ahead_s))
        writer.close()
        listening.close()

    asyncio.run(main())


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(READY)
    assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 ")
    await asyncio.sleep(0.05)


def test_an_idle_connection_is_kept_for_its_time_and_then_closed_without_a_word() -> None:
    async def scenario(reader, writer, look) -> None:
        look(KEEP_ALIVE_S - 1)
        await ask(reader, writer)
        look(KEEP_ALIVE_S - 1)
        await ask(reader, writer)
        look(KEEP_ALIVE_S + 1)
        assert await asyncio.wait_for(reader.read(), 5) == b""

    with_connection(scenario)


def test_a_connection_that_never_asked_is_closed_too() -> None:
    async def scenario(reader, writer, look) -> None:
        look(KEEP_ALIVE_S + 1)
        assert await asyncio.wait_for(reader.read(), 5) == b""

    with_connection(scenario)


def test_a_head_begun_after_a_long_rest_gets_its_time_and_no_more() -> None:
    async def scenario(reader, writer, look) -> None:
        await ask(reader, writer)
        writer.write(READY[:10])
        await asyncio.sleep(0.05)
        look(HEAD_TIMEOUT_S - 1)
        writer.write(READY[10:])
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 ")
        writer.write(READY[:10])
        await asyncio.sleep(0.05)
        look(HEAD_TIMEOUT_S + 1)
        assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 408 ")

    with_connection(scenario)
