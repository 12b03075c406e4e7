"""One request and its response, without I/O: what is still to be sent, what has come, whether it is whole.

The state lives here and not in a read call, so that an exchange which outlives its caller's deadline can
be finished by another thread from the byte where it stopped.
"""

import httptools

MAX_HEAD_BYTES = 64 * 1024


class MalformedResponseError(Exception):
    """What came is not an HTTP response, or is larger than it may be."""


class Exchange:
    """Bytes out, bytes in, on a connection that somebody else drives."""

    __slots__ = ("_body", "_body_bytes", "_headed", "_headers", "_max_body_bytes", "_parser",
                 "complete", "pending", "received_bytes", "reusable", "status")  # fmt: skip

    def __init__(self, request: bytes, max_body_bytes: int) -> None:
        self.pending: memoryview = memoryview(request)
        self.received_bytes = 0
        self.complete = False
        self.reusable = False
        """The connection may carry another exchange after this one."""
        self.status = 0
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[bytes, bytes] = {}
        self._headed = False
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._max_body_bytes = max_body_bytes

    def feed(self, data: bytes) -> None:
        """Take what was received. Raises MalformedResponseError, at the first byte too many."""
        self.received_bytes += len(data)
        if self.complete:
            self.reusable = False
            raise MalformedResponseError("more bytes than one response")
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as exc:
            raise MalformedResponseError(f"not an HTTP response ({_cause(exc)})") from exc
        if not self._headed and self.received_bytes > MAX_HEAD_BYTES:
            raise MalformedResponseError(f"response headers exceed {MAX_HEAD_BYTES} bytes")

    def feed_eof(self) -> None:
        """Take the end of the connection: it completes a response whose length was never stated."""
        unbounded = b"content-length" not in self._headers and b"transfer-encoding" not in self._headers
        if self._headed and unbounded:
            self.complete = True
        self.reusable = False

    def header(self, name: bytes) -> bytes | None:
        """A response header by its lower-case name."""
        return self._headers.get(name)

    @property
    def headers(self) -> dict[str, str]:
        """Every response header, by lower-case name."""
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self._headers.items()}

    @property
    def body(self) -> bytes:
        """What has come of the response's body."""
        return self._body[0] if len(self._body) == 1 else b"".join(self._body)

    def on_header(self, name: bytes, value: bytes) -> None:
        """For the parser, as are the next three; an exception in them ends `feed_data`."""
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Refuse a body that states more bytes than are possible."""
        self.status = self._parser.get_status_code()
        self._headed = True
        stated = self._headers.get(b"content-length")
        if stated is not None and int(stated) > self._max_body_bytes:
            raise MalformedResponseError(
                f"the response states {int(stated)} bytes, at most {self._max_body_bytes} are possible"
            )

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body, within the limit."""
        self._body_bytes += len(body)
        if self._body_bytes > self._max_body_bytes:
            raise MalformedResponseError(f"the response exceeds {self._max_body_bytes} bytes")
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Note that the response is whole."""
        if 100 <= self.status < 200:  # an interim response; the real one follows
            self._headers.clear()
            self._headed = False
            return
        if self.complete:
            raise MalformedResponseError("more than one response")
        self.complete = True
        self.reusable = bool(self._parser.should_keep_alive())


def _cause(exc: BaseException) -> str:
    inner = exc.__context__ if isinstance(exc.__context__, MalformedResponseError) else exc
    return str(inner) or type(inner).__name__
