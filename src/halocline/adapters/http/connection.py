"""A connected socket, driven by the calling thread under a deadline, or by a selector without waiting."""

import contextlib
import time
from enum import Enum
from typing import TYPE_CHECKING

from halocline.adapters.http.exchange import Exchange
from halocline.records import Reason

if TYPE_CHECKING:
    import socket

RECEIVE_BYTES = 64 * 1024


class ExpiredError(Exception):
    """The deadline came before the exchange was complete; it can be continued."""


class LostError(Exception):
    """The connection ended, or was ended, before the exchange was complete."""

    def __init__(self, reason: Reason, detail: str, status: int | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.status = status


class Want(Enum):
    """What a connection that is not waited for needs next."""

    READ = "read"
    WRITE = "write"
    NOTHING = "nothing"


class Connection:
    """One socket, plain or TLS. `kept` says that it lay open between two exchanges: it may be stale.

    `generation` is its pool's at its opening (see `Pool.reopen`).
    """

    __slots__ = ("_waits", "_wants_read", "_wants_write", "generation", "kept", "sock")

    def __init__(self, sock: "socket.socket", *, tls: bool = False) -> None:
        self.sock = sock
        self.kept = False
        self.generation = 0
        self._wants_read: tuple[type[OSError], ...] = (BlockingIOError,)
        self._wants_write: tuple[type[OSError], ...] = ()
        self._waits: tuple[type[OSError], ...] = (TimeoutError, BlockingIOError)
        if tls:
            import ssl  # it costs a start 4 ms: only where it is used

            self._wants_read = (BlockingIOError, ssl.SSLWantReadError)
            self._wants_write = (ssl.SSLWantWriteError,)
            self._waits = (*self._waits, ssl.SSLWantReadError, ssl.SSLWantWriteError)

    def drive(self, exchange: Exchange, until_s: float) -> None:
        """Send and receive until the exchange is complete.

        Raises ExpiredError at `until_s` (monotonic), LostError, MalformedResponseError. The time left is
        set before every send and receive, so that a peer that gives a byte now and then gains nothing.
        """
        sock = self.sock
        try:
            while exchange.pending:
                sock.settimeout(_left_s(until_s))
                self._send(exchange)
            while not exchange.complete:
                sock.settimeout(_left_s(until_s))
                self._take(exchange, sock.recv(RECEIVE_BYTES))
        except TimeoutError:
            raise ExpiredError from None
        except OSError as exc:
            raise lost(exc) from exc

    def pump(self, exchange: Exchange) -> Want:
        """Send and receive what goes without waiting. Raises LostError, MalformedResponseError."""
        sock = self.sock
        sock.setblocking(False)
        try:
            while exchange.pending:
                self._send(exchange)
            while not exchange.complete:
                self._take(exchange, sock.recv(RECEIVE_BYTES))
        except self._wants_write:
            return Want.WRITE
        except self._wants_read:
            return Want.WRITE if exchange.pending else Want.READ
        except OSError as exc:
            raise lost(exc) from exc
        return Want.NOTHING

    def close(self) -> None:
        """Close the socket; never fails."""
        with contextlib.suppress(OSError):
            self.sock.close()

    def _send(self, exchange: Exchange) -> None:
        try:
            exchange.pending = exchange.pending[self.sock.send(exchange.pending) :]
        except self._waits:
            raise
        except OSError as exc:
            # The peer has hung up, perhaps after it said why: an early answer, or a TLS alert.
            self._last_words(exchange, exc)

    def _last_words(self, exchange: Exchange, sending: OSError) -> None:
        exchange.pending = memoryview(b"")
        try:
            while not exchange.complete:
                self._take(exchange, self.sock.recv(RECEIVE_BYTES))
        except self._waits:
            raise sending from None
        except OSError as exc:
            raise (exc if lost(exc).reason is Reason.UNTRUSTED else sending) from None
        exchange.reusable = False

    def _take(self, exchange: Exchange, data: bytes) -> None:
        if data:
            exchange.feed(data)
            return
        exchange.feed_eof()
        if not exchange.complete:
            raise LostError(Reason.DISCONNECTED, "the connection was closed before the answer was whole")


def lost(exc: OSError) -> LostError:
    """Why a connection failed, as one of our reasons."""
    import socket  # whoever opened the connection has loaded it

    detail = str(exc) or type(exc).__name__
    if isinstance(exc, socket.gaierror):
        return LostError(Reason.UNREACHABLE, f"the name does not resolve: {exc.strerror}")
    if isinstance(exc, ConnectionRefusedError):
        return LostError(Reason.REFUSED, "connection refused: nothing listens there")
    if isinstance(exc, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)):
        return LostError(Reason.DISCONNECTED, f"the connection was reset: {detail}")
    import ssl

    if isinstance(exc, ssl.SSLCertVerificationError):
        return LostError(Reason.UNTRUSTED, f"its certificate is not accepted: {exc.verify_message}")
    if isinstance(exc, ssl.SSLEOFError):
        return LostError(Reason.DISCONNECTED, "the connection was closed during the TLS exchange")
    if isinstance(exc, ssl.SSLError):
        return LostError(Reason.UNTRUSTED, f"TLS failed: {exc.reason or detail}")
    return LostError(Reason.UNREACHABLE, detail)


def _left_s(until_s: float) -> float:
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s
