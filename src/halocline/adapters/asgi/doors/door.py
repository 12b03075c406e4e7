"""A door: which path is answered by whom; bodies within limits, handlers in threads, errors as refusals."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs

import msgspec

from halocline.adapters.asgi.answers import (
    JSON,
    Answer,
    Disconnected,
    Receive,
    Refused,
    Scope,
    Send,
    failure,
    send_and_close,
    send_answer,
)
from halocline.adapters.asgi.body import BodyReader, read_head
from halocline.adapters.asgi.doors.status import refusal
from halocline.adapters.asgi.protocol import CONNECTION, Connection
from halocline.errors import Rejected
from halocline.fleet import DEVICE_ID, NAME
from halocline.serving.admission import Admission
from halocline.wire import channel

BODY_TIMEOUT_S: Final = 10.0
_MAX_FIELDS: Final = 100
_EXPECTED_S: Final = 0.01
"""What a message takes to answer; it only decides when a caller who finds the door full tries again."""

SEGMENTS: Final[Mapping[str, re.Pattern[str]]] = {
    "{device}": re.compile(DEVICE_ID),
    "{name}": re.compile(NAME),
    "{digest}": re.compile(r"^sha256:[0-9a-f]{8,64}$"),
}
"""What may stand at these places of a path; anything else is a path that is not there."""


class Call(msgspec.Struct, frozen=True):
    """One request, its body read."""

    connection: Connection
    address: str
    """Where it came from, without the port; empty on a Unix socket."""
    method: str
    path: str
    named: tuple[str, ...]
    """What stood at the route's places, in their order, checked."""
    query: dict[str, list[str]]
    headers: dict[str, str]
    """By name in small letters; of those that came twice the last."""
    body: bytes


Handler: TypeAlias = Callable[[Call], Answer]
"""Answers a call, or raises one of our errors; runs in a worker thread."""


Waits: TypeAlias = Callable[[Call, Answer, Receive], Awaitable[bool]]
"""Waits, on the event loop, where that answer need not be given yet; whether to ask the handler again."""


class Route(msgspec.Struct, frozen=True):
    """A method and a path, as in `/v1/devices/{device}/accept`, and who answers there."""

    method: str
    path: str
    handler: Handler
    max_body_bytes: int = channel.MAX_MESSAGE_BYTES
    waits: Waits | None = None


class Door:
    """An ASGI application over routes; `knock` sees the address before a body is read, and may raise."""

    def __init__(
        self,
        routes: Sequence[Route],
        admission: Admission,
        executor: Executor,
        *,
        knock: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._routes = [(route, route.path.split("/")[1:]) for route in routes]
        self._admission = admission
        self._executor = executor
        self._knock = knock
        self._bodies = BodyReader(admission, timeout_s=BODY_TIMEOUT_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever becomes of it."""
        body: bytes | memoryview | None = None
        inside = False
        try:
            self._knock(address_of(scope))
            route, named = self._find(scope["method"], scope["path"])
            head = read_head(scope)
            body = await self._bodies.read(receive, head, max_body_bytes=route.max_body_bytes)
            self._admission.enter(_EXPECTED_S)
            inside = True
            call = _call(scope, named, bytes(body))
            answer = await self._handled(route, call)
            if route.waits is not None:
                self._admission.leave()
                inside = False
                if await route.waits(call, answer, receive):
                    self._admission.enter(_EXPECTED_S)
                    inside = True
                    answer = await self._handled(route, call)
                    answer.headers.append(channel.WAITED)
            await send_answer(send, answer)
        except Disconnected:
            return
        except Exception as error:
            refused = refusal(error)
            if body is None:
                await send_and_close(receive, send, refused, "")
            else:
                await send_answer(send, refused)
        finally:
            if body is not None:
                self._bodies.release(body)
            if inside:
                self._admission.leave()

    async def _handled(self, route: Route, call: Call) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._executor, route.handler, call)

    def _find(self, method: str, path: str) -> tuple[Route, tuple[str, ...]]:
        """The route, and what stands at its places. Raises Rejected (HAL-741), and Refused (405)."""
        parts = path.split("/")[1:]
        allowed = []
        for route, pattern in self._routes:
            named = _named(pattern, parts)
            if named is None:
                continue
            if route.method == method:
                return route, named
            allowed.append(route.method)
        if not allowed:
            raise Rejected("HAL-741", f"nothing at {path[:200]!r} on this door of the hub")
        wanted = ", ".join(allowed)
        answer = failure(405, f"{method[:20]} {path[:200]}: only {wanted} here", (b"allow", wanted.encode()))
        raise Refused(answer)


def reply(message: msgspec.Struct, status: int = 200, *headers: tuple[bytes, bytes]) -> Answer:
    """An answer that carries a message."""
    return Answer(status, channel.encode(message), [JSON, *headers])


def address_of(scope: Mapping[str, Any]) -> str:
    """Where a request came from, without the port; empty on a Unix socket."""
    client = scope.get("client")
    return client[0] if client else ""


def _named(pattern: Sequence[str], parts: Sequence[str]) -> tuple[str, ...] | None:
    """What stands at the places of a pattern; None where the parts do not match it."""
    if len(pattern) != len(parts):
        return None
    named = []
    for expected, part in zip(pattern, parts, strict=True):
        allowed = SEGMENTS.get(expected)
        if allowed is None:
            if expected != part:
                return None
        elif allowed.fullmatch(part):
            named.append(part)
        else:
            return None
    return tuple(named)


def _query(encoded: bytes) -> dict[str, list[str]]:
    """What stands after the question mark. Raises Rejected (HAL-701)."""
    try:
        return parse_qs(encoded.decode(errors="replace"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise Rejected("HAL-701", f"a query of more than {_MAX_FIELDS} fields") from None


def _call(scope: Scope, named: tuple[str, ...], body: bytes) -> Call:
    return Call(
        scope["state"][CONNECTION],
        address_of(scope),
        scope["method"],
        scope["path"],
        named,
        _query(scope["query_string"]),
        {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        body,
    )
