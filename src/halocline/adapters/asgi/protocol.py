"""uvicorn's HTTP/1.1 protocol with the limits that it lacks: on connections, heads and waiting."""

import time
from functools import partial
from typing import Any, Final

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from halocline.wire import oip

MAX_HEAD_BYTES: Final = 65_536
"""Request line and headers together; the parser itself has no limit."""

HEAD_TIMEOUT_S: Final = 10.0
"""How long a request line and its headers may take to arrive, from their first byte."""

WHOLE_ANSWER: Final = "halocline.whole_answer"
"""The ASGI extension by which an application hands over a whole answer as bytes, status line included."""


CONNECTION: Final = "connection"
"""Where in a scope's `state` an application finds the `Connection`, if its server tells of them."""


class Connection(msgspec.Struct, gc=False):
    """What is known of a connection, for as long as it lasts."""

    opened_s: float
    """Seconds since 1970."""
    certificate: bytes | None
    """The other side's, DER, whose chain and key the handshake has checked; None where it showed none."""
    facts: Any = None
    """What an application read from it and keeps."""


def limited_protocol(max_connections: int, *, tells: bool = False) -> type[HttpToolsProtocol]:
    """The protocol class for a server that holds at most so many connections.

    With `tells`, each request's scope carries its `Connection`.
    """

    class Limited(TellingProtocol if tells else LimitedProtocol):  # type: ignore[misc]  # one of two known
        limit = max_connections

    return Limited


class LimitedProtocol(HttpToolsProtocol):
    """One connection, within the limits."""

    limit = 1024

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0
        self._head_since_s: float | None = None
        self._idle_since_s = time.monotonic()

    def connection_made(self, transport: Any) -> None:
        """Take a connection, or refuse it where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.limit:
            self._refuse(503, "the server has all the connections that it takes; try again in 1 s", b"1")

    def data_received(self, data: bytes) -> None:
        """Parse what came; a head that grows without end is cut off."""
        if self.transport.is_closing():
            return
        if self._head_since_s is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_since_s is not None and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(431, f"the request line and headers have more than {MAX_HEAD_BYTES} bytes")

    def on_message_begin(self) -> None:
        """A request starts; nothing of its head is counted yet that came with what was before."""
        super().on_message_begin()
        self._head_bytes = 0
        self._head_since_s = time.monotonic()

    def on_headers_complete(self) -> None:
        """Its head is there: hand it to the application."""
        self._head_since_s = None
        super().on_headers_complete()
        answer = partial(_answer_whole, self, self.cycle)
        self.scope["extensions"] = {WHOLE_ANSWER: answer}  # type: ignore[dict-item]  # a dict more would cost

    def on_response_complete(self) -> None:
        """An answer is sent: start the next request of the pipeline, or be idle.

        As uvicorn's own, but that it sets no timer here: to set and cancel one costs each request 2 µs.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle_since_s = time.monotonic()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is refused in the protocol's form all the same."""
        self._refuse(400, "this is not an HTTP/1.1 request")

    @property
    def is_idle(self) -> bool:
        """Whether nothing of a request is here, and nothing of an answer waits to be sent."""
        is_done = self._head_since_s is None and (self.cycle is None or self.cycle.response_complete)
        return is_done and not self.transport.get_write_buffer_size()

    def end_if_slow(self, now_s: float) -> None:
        """Close a connection that keeps us waiting for the end of a head, or that has been idle for long.

        An idle one is closed without a word: clients open connections ahead of need.
        """
        if self._head_since_s is not None:
            if now_s > self._head_since_s + HEAD_TIMEOUT_S:
                self._refuse(408, f"the headers did not arrive in {HEAD_TIMEOUT_S:g} s")
            return
        is_idle = self.cycle is None or self.cycle.response_complete
        if is_idle and now_s > self._idle_since_s + self.timeout_keep_alive:
            self.transport.close()

    def _refuse(self, status: int, message: str, retry_after: bytes | None = None) -> None:
        if self.transport.is_closing():
            return
        body = oip.encode_error(message)
        head = [
            b"HTTP/1.1 %d %b" % (status, _REASONS[status]),
            b"content-type: application/json",
            b"content-length: %d" % len(body),
            b"connection: close",
        ]
        if retry_after:
            head.append(b"retry-after: %b" % retry_after)
        self.transport.write(b"\r\n".join([*head, b"", body]))
        self.transport.close()


class TellingProtocol(LimitedProtocol):
    """The same, and its application learns of the connection itself, from the TLS object alone."""

    def connection_made(self, transport: Any) -> None:
        """Take a connection, and note whose it is and since when."""
        tls = transport.get_extra_info("ssl_object")
        certificate = None if tls is None else tls.getpeercert(True)
        self.app_state = {**self.app_state, CONNECTION: Connection(time.time(), certificate)}
        super().connection_made(transport)


def _answer_whole(protocol: LimitedProtocol, cycle: RequestResponseCycle, answer: bytes) -> bool:
    """Write head and body of an answer at once; False where the ordinary way has to be taken.

    The ordinary way checks each header by two regular expressions and writes twice: 4 µs of the 40 that a
    request costs beside the model (measured 2026-11). What is done here is what uvicorn's `send` does at
    the end of an answer.
    """
    if cycle.disconnected or cycle.response_started or not cycle.keep_alive or protocol.flow.write_paused:
        return False
    protocol.transport.write(answer)
    cycle.response_started = cycle.response_complete = True
    cycle.message_event.set()
    cycle.on_response()
    return True


_REASONS: Final = {
    400: b"Bad Request",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}
