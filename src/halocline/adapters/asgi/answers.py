"""Answers over HTTP: status, headers and body, and which status an error of ours has."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

import msgspec

from halocline.errors import HaloclineError
from halocline.serving.admission import Full, NotServing
from halocline.wire import oip

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

LOG: Final = logging.getLogger("halocline.serve")

CONTENT_TYPE: Final = b"content-type"
CONTENT_LENGTH: Final = b"content-length"
JSON: Final = (CONTENT_TYPE, b"application/json")

_LINGER_S: Final = 1.0

_STATUS: Final = {
    "HAL-501": 400,
    "HAL-502": 404,
    "HAL-504": 413,
    "HAL-512": 415,
    "HAL-772": 400,
    "HAL-774": 400,
    "HAL-775": 404,
}


class Answer(msgspec.Struct, frozen=True):
    """A whole answer; Content-Length is added when it is sent."""

    status: int
    body: bytes
    headers: Headers = msgspec.field(default_factory=lambda: [JSON])


def status_of(error: Exception) -> int:
    """The HTTP status that tells a client whose fault an error is."""
    match error:
        case NotServing():
            return 503
        case Full():
            return 429
        case HaloclineError():
            # 3xx are the inputs: whatever is wrong with one, its sender can put right.
            return _STATUS.get(error.code, 400 if error.code.startswith("HAL-3") else 500)
        case _:
            return 500


def failure(status: int, message: str, *headers: tuple[bytes, bytes]) -> Answer:
    """An error in the protocol's form."""
    return Answer(status, oip.encode_error(message), [JSON, *headers])


class Refused(Exception):
    """Ends the handling of a request with an answer that HTTP, not the model, has a reason for."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Disconnected(Exception):
    """The client went away before its request was whole; nobody is there to answer."""


def refusal(error: Exception, request_id: str) -> Answer:
    """The answer to a request that failed; the cause of a 500 goes to the log, under the request's id."""
    if isinstance(error, Refused):
        return error.answer
    status = status_of(error)
    if status == 500:
        LOG.error("request %r failed", request_id, exc_info=error)
    if not isinstance(error, HaloclineError):
        cause = f"the cause is in the server's log under {request_id!r}"
        return failure(500, f"the model failed on this request; {cause} [HAL-505]")
    if isinstance(error, Full):
        return failure(status, str(error), (b"retry-after", b"%d" % error.retry_after_s))
    return failure(status, str(error))


async def send_answer(send: Send, answer: Answer, request_id: str = "", *, last: bool = True) -> None:
    """Send a whole answer; unless `last`, the connection stays open for what the client is still sending."""
    headers = [*answer.headers, (CONTENT_LENGTH, b"%d" % len(answer.body))]
    if request_id:
        headers.append((b"x-request-id", _printable(request_id)))
    if not last:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": not last})


async def send_and_close(receive: Receive, send: Send, answer: Answer, request_id: str) -> None:
    """Refuse a request whose body was not read.

    What the client goes on sending is thrown away for a while: closed at once, the connection would be
    reset under the answer.
    """
    await send_answer(send, answer, request_id, last=False)
    try:
        async with asyncio.timeout(_LINGER_S):
            more = True
            while more:
                more = (await receive()).get("more_body", False)
    except TimeoutError:
        pass
    await send({"type": "http.response.body"})


def _printable(request_id: str) -> bytes:
    return bytes(c if 32 <= c < 127 else 63 for c in request_id.encode()[:128])
