"""Read a request's head and body within the limits: nothing above them is ever held in memory."""

import asyncio
from typing import Final

import msgspec

from halocline.adapters.asgi.answers import Disconnected, Receive, Refused, Scope, failure
from halocline.errors import Rejected
from halocline.serving.admission import Admission
from halocline.wire import oip

_HEADER_LENGTH: Final = oip.HEADER_LENGTH.lower().encode()

_LEAST_BYTES_PER_S: Final = 10_000
"""A body that comes at this rate is waited for, however large it is."""


class Head(msgspec.Struct, gc=False):
    """What the headers of an inference request say."""

    header_bytes: int | None = None
    body_bytes: int | None = None
    request_id: str = ""
    media_type: str = ""
    """What the body is where it is no request of the protocol: image/jpeg, audio/wav."""


def read_head(scope: Scope) -> Head:
    """The headers that matter. Raises Rejected (HAL-501) and Refused."""
    head = Head()
    for name, value in scope["headers"]:
        if name == b"content-length":
            head.body_bytes = _number(name, value)
        elif name == _HEADER_LENGTH:
            head.header_bytes = _number(name, value)
        elif name == b"x-request-id":
            head.request_id = value[:128].decode("latin-1")
        elif name == b"content-type":
            head.media_type = _media_type(value)
        elif name == b"content-encoding" and value.lower() != b"identity":
            raise Refused(
                failure(
                    415, f"Content-Encoding {value[:40].decode('latin-1')}: only bodies as they are [HAL-501]"
                )
            )
    return head


class BodyReader:
    """Reads bodies within a size, a share of memory and a time."""

    def __init__(self, admission: Admission, *, timeout_s: float) -> None:
        self._admission = admission
        self._timeout_s = timeout_s

    async def read(
        self, receive: Receive, head: Head, *, max_body_bytes: int | None = None
    ) -> bytes | memoryview:
        """The whole body; its bytes stay held in the admission's books until `release`.

        `max_body_bytes` is its limit, where that is another than the admission's.

        Raises Rejected (HAL-504, HAL-742), Full, Refused and Disconnected; then nothing is held.
        """
        if head.body_bytes is not None:
            self._check(head.body_bytes, max_body_bytes)
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body: bytes = message["body"]
        if message["more_body"]:
            return await self._read_on(receive, body, max_body_bytes)
        self._check(len(body), max_body_bytes)
        self._admission.hold(len(body))
        return body

    def release(self, body: bytes | memoryview) -> None:
        """The body is let go."""
        self._admission.release(len(body))

    def _check(self, body_bytes: int, limit_bytes: int | None) -> None:
        """Raise Rejected for a body above the limit, known or grown to that size."""
        if limit_bytes is None:
            self._admission.check_body(body_bytes)
        elif body_bytes > limit_bytes:
            raise Rejected("HAL-742", f"the body has {body_bytes} bytes or more, the limit is {limit_bytes}")

    async def _read_on(self, receive: Receive, first: bytes, limit_bytes: int | None) -> memoryview:
        body = bytearray()
        held = 0
        try:
            started_s = asyncio.get_running_loop().time()
            async with asyncio.timeout(self._timeout_s) as timeout:
                chunk, more = first, True
                while True:
                    self._check(len(body) + len(chunk), limit_bytes)
                    self._admission.hold(len(chunk))
                    held += len(chunk)
                    body += chunk
                    if not more:
                        return memoryview(body)
                    timeout.reschedule(started_s + self._timeout_s + len(body) / _LEAST_BYTES_PER_S)
                    chunk, more = await _next(receive)
        except BaseException as error:
            self._admission.release(held)
            if isinstance(error, TimeoutError):
                raise Refused(failure(408, f"{len(body)} bytes of the body came, then too few")) from None
            raise


async def _next(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    return message["body"], message["more_body"]


def _media_type(value: bytes) -> str:
    """The type of a body that is no request of the protocol, without parameters; else empty.

    The protocol's own clients, curl among them, send a request as anything of application/ or text/.
    """
    if value[:12].lower() == b"application/":
        return ""
    kind = value.partition(b";")[0].strip().decode("latin-1").lower()
    return "" if not kind or kind.startswith(("application/", "text/")) else kind


def _number(name: bytes, value: bytes) -> int:
    if not (value.isdigit() and len(value) <= 15):
        raise Rejected("HAL-501", f"header {name.decode()}: expected a number of bytes, got {value[:40]!r}")
    return int(value)
