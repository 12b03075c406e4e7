"""Be the other side of every fault that a caller must survive, on a real socket of this machine."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from halocline.records import Array
from halocline.testing import answers
from halocline.testing.answers import Head

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER "on, zero seconds": closing sends RST, as the kernel of a killed machine does."""
CHUNK_BYTES = 65_536


class Fault(StrEnum):
    """How the server treats a request."""

    OK = "ok"
    """Answers rightly and at once."""
    SLOW = "slow"
    """Answers rightly, `slow_s` late."""
    REFUSE = "refuse"
    """Nobody listens: connections are refused, and those that are open are reset."""
    BLACK_HOLE = "black_hole"
    """Reads, and never answers."""
    TRICKLE = "trickle"
    """Answers rightly, one byte every `trickle_s`."""
    HALF_CLOSE = "half_close"
    """Closes the connection half-way through the body."""
    GARBAGE = "garbage"
    """Sends bytes that are not HTTP."""
    BAD_JSON = "bad_json"
    """Sends a body that breaks off in the middle of its JSON."""
    WRONG_SHAPE = "wrong_shape"
    """Sends one class too many."""
    WRONG_DTYPE = "wrong_dtype"
    """Sends the scores as integers."""
    WRONG_ROWS = "wrong_rows"
    """Sends one row too many."""
    NAN_SCORES = "nan_scores"
    """Sends NaN for every score."""
    STATUS_500 = "status_500"
    """Says that it failed."""
    STATUS_429 = "status_429"
    """Says that there were too many requests, with `Retry-After: retry_after_s`."""
    HUGE_BODY = "huge_body"
    """Announces a body of `huge_bytes` and streams it."""


class Scope(StrEnum):
    """Which requests a fault is for."""

    INFER = "infer"
    """Inference only; health and metadata are answered rightly."""
    CONNECTION = "connection"
    """Every request, metadata too; a black hole does not even answer the TLS handshake."""


@dataclass(frozen=True)
class Seen:
    """One request that arrived whole, `at_s` on `time.monotonic`."""

    method: str
    path: str
    body_bytes: int
    fault: Fault
    at_s: float


class FaultServer:
    """An Open Inference Protocol server with one model, whose faults are chosen while it runs.

    The model takes `x`, float32 `[rows, features]`, and gives `probabilities`, float32
    `[rows, classes]`: `predict(x)`, which is `answers.fixed_scores` unless given. `mode`, `scope`,
    `slow_s`, `trickle_s`, `retry_after_s` and `huge_bytes` may be set at any time and count for the
    requests that come after. TLS is on where `cert` (a PEM file with the chain and the key) is given.
    """

    def __init__(
        self,
        *,
        mode: Fault | str = Fault.OK,
        scope: Scope | str = Scope.INFER,
        model: str = "cloud",
        features: int = 64,
        classes: int = 10,
        predict: Callable[[Array], Array] | None = None,
        binary: bool = True,
        labels: tuple[str, ...] | None = None,
        cert: str | Path | None = None,
        port: int = 0,
    ) -> None:
        self.model = answers.FixedModel(
            name=model, features=features, classes=classes, predict=predict, binary=binary, labels=labels
        )
        self.slow_s = 1.0
        self.trickle_s = 1.0
        self.retry_after_s = 1
        self.huge_bytes = 300_000_000
        self.scope = Scope(scope)
        self.requests: list[Seen] = []
        self.connections = 0
        self._mode = Fault(mode)
        self._tls = _server_context(cert) if cert is not None else None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._peers: list[_Peer] = []
        self._socket = _bound(port)
        self._address: tuple[str, int] = self._socket.getsockname()
        self._acceptor: threading.Thread | None = None
        if self._mode is not Fault.REFUSE:
            self._listen()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1; it stays the same while the server lives, refusing or not."""
        return self._address[1]

    @property
    def url(self) -> str:
        """The address of the model, as `halocline.connect` takes it."""
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://127.0.0.1:{self.port}/v2/models/{self.model.name}"

    @property
    def mode(self) -> Fault:
        """The fault in force."""
        return self._mode

    @mode.setter
    def mode(self, mode: Fault | str) -> None:
        before, self._mode = self._mode, Fault(mode)
        if self._mode is Fault.REFUSE and before is not Fault.REFUSE:
            self._stop_listening()
        elif before is Fault.REFUSE and self._mode is not Fault.REFUSE:
            self._listen()

    @property
    def infer_count(self) -> int:
        """How many inference requests arrived whole."""
        return sum(seen.path.endswith("/infer") for seen in list(self.requests))

    def close(self) -> None:
        """End every connection and thread. May be called again."""
        self._closing.set()
        self._stop_listening()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Listening and refusing

    def _listen(self) -> None:
        self._socket.listen(128)
        self._acceptor = threading.Thread(
            target=self._accept, args=(self._socket,), name=f"fault-server-{self.port}", daemon=True
        )
        self._acceptor.start()

    def _stop_listening(self) -> None:
        if self._acceptor is None:
            return
        # Shutting down wakes the accept call. The port stays ours, bound and deaf, so that it refuses.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._acceptor = None
        self._socket.close()
        if not self._closing.is_set():
            self._socket = _bound(self.port)
        with self._lock:
            remaining, self._peers = self._peers, []
        for peer in remaining:
            peer.abort()
        for peer in remaining:
            peer.thread.join()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = _Peer(sock)
            peer.thread = threading.Thread(
                target=self._serve, args=(peer,), name="fault-server-peer", daemon=True
            )
            with self._lock:
                self.connections += 1
                # Who is through is forgotten here, not by its own thread, which would end unwaited for.
                self._peers = [known for known in self._peers if known.thread.is_alive()]
                self._peers.append(peer)
                peer.thread.start()

    # One connection

    def _serve(self, peer: "_Peer") -> None:
        try:
            if self.scope is Scope.CONNECTION and self._mode is Fault.BLACK_HOLE:
                _swallow(peer.sock)
                return
            if self._tls is not None:
                peer.sock = self._tls.wrap_socket(peer.sock, server_side=True, do_handshake_on_connect=False)
                peer.sock.do_handshake()
            self._converse(peer)
        except (OSError, ValueError):
            pass  # the peer left, or we are closing: what a server sees all day
        finally:
            peer.sock.close()

    def _converse(self, peer: "_Peer") -> None:
        with peer.sock.makefile("rb") as reader:
            while (head := answers.read_head(reader.readline)) is not None:
                body = reader.read(head.body_bytes)
                if len(body) < head.body_bytes:
                    return
                self._answer(peer, head, body)

    def _answer(self, peer: "_Peer", head: Head, body: bytes) -> None:
        is_infer = head.method == "POST" and head.path.endswith("/infer")
        fault = self._mode if is_infer or self.scope is Scope.CONNECTION else Fault.OK
        self.requests.append(Seen(head.method, head.path, len(body), fault, time.monotonic()))
        for part in self._parts(fault, head, body, peer):
            peer.sock.sendall(part)
        if fault in (Fault.HALF_CLOSE, Fault.GARBAGE):
            raise ConnectionAbortedError("closed on purpose")

    def _parts(self, fault: Fault, head: Head, body: bytes, peer: "_Peer") -> Iterator[bytes]:
        match fault:
            case Fault.BLACK_HOLE | Fault.REFUSE:
                _swallow(peer.sock)
            case Fault.GARBAGE:
                yield bytes(range(128, 256)) * 4
            case Fault.STATUS_500:
                yield answers.error(500, "Internal Server Error", "the model failed on purpose")
            case Fault.STATUS_429:
                again = {"Retry-After": str(self.retry_after_s)}
                yield answers.error(429, "Too Many Requests", "not now, on purpose", again)
            case Fault.BAD_JSON:
                yield answers.http(200, "OK", b'{"model_name": "cloud", "outputs": [{"name": ')
            case Fault.HUGE_BODY:
                yield answers.http_head(200, "OK", self.huge_bytes)
                # Blanks, which JSON allows: only a limit on the size ends this, not the parser.
                for start in range(0, self.huge_bytes, CHUNK_BYTES):
                    yield b" " * min(CHUNK_BYTES, self.huge_bytes - start)
            case Fault.HALF_CLOSE:
                whole = self.model.answer(head, body)
                yield whole[: len(whole) - max(1, answers.body_bytes(whole) // 2)]
            case Fault.TRICKLE:
                for byte in self.model.answer(head, body):
                    yield bytes([byte])
                    peer.wait(self.trickle_s)
            case Fault.SLOW:
                whole = self.model.answer(head, body)
                peer.wait(self.slow_s)
                yield whole
            case _:
                yield self.model.answer(head, body, spoil=fault.value)


class _Peer:
    """One connection, and how to end it from another thread."""

    thread: threading.Thread

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._aborted = threading.Event()

    def abort(self) -> None:
        """End the connection; its thread wakes with an error wherever it waits."""
        self._aborted.set()
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            # The plain shutdown, also under TLS: no goodbye is said.
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def wait(self, seconds: float) -> None:
        """Let time pass, or raise once the connection is ended."""
        if self._aborted.wait(seconds):
            raise ConnectionAbortedError("ended from outside")


def _bound(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    return sock


def _server_context(cert: str | Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(cert))
    return context


def _swallow(sock: socket.socket) -> None:
    """Read and forget until the peer leaves."""
    while sock.recv(CHUNK_BYTES):
        pass
