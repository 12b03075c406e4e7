"""Post signed alert messages to a URL, in order, again and again until it takes them."""

import http.client
import logging
import random
import secrets
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from halocline import __version__
from halocline.adapters.http.target import read_secret
from halocline.errors import Misconfigured, Transient
from halocline.wire.alert import DELIVERY, SIGNATURE, TIMESTAMP, AlertMessage, sign
from halocline.wire.channel import encode

LOG: Final = logging.getLogger("halocline.alerts")
KEPT: Final = 1000
"""So many messages wait for a receiver that is away; then the oldest goes."""
KEPT_S: Final = 86_400.0
SHORTEST: Final = 16
_LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}
_FIRST_S: Final = 1.0
_LONGEST_S: Final = 300.0
_CLOSE_S: Final = 5.0


class Webhook:
    """A receiver of alerts; `send` returns at once, one thread posts.

    `secret` is a reference, env:NAME or file:PATH. The system's authorities count for https.
    Raises Misconfigured: HAL-763 for a URL or a secret that cannot be used, HAL-105.
    """

    def __init__(
        self,
        url: str,
        secret: str,
        *,
        timeout_s: float = 10.0,
        first_s: float = _FIRST_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._host, self._port, self._path, self._tls = _read(url)
        self._secret = read_secret(secret).encode()
        if len(self._secret) < SHORTEST:
            raise Misconfigured(
                "HAL-763",
                f"--alert-secret holds {len(self._secret)} characters; at least {SHORTEST} are needed. "
                "Try: openssl rand -base64 24",
            )
        self._timeout_s = timeout_s
        self._first_s = first_s
        self._clock = clock
        self._waiting: deque[tuple[float, str, bytes]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="halocline-alerts", daemon=True)
        self._thread.start()

    def send(self, message: AlertMessage) -> None:
        """Post the message as soon as the receiver takes it."""
        with self._changed:
            if len(self._waiting) >= KEPT:
                self._waiting.popleft()
                LOG.error("an alert message is given up: %d wait already", KEPT)
            self._waiting.append((time.monotonic(), secrets.token_hex(16), encode(message)))
            self._changed.notify()

    def close(self) -> None:
        """Stop; what still waits is not sent, and logged."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(self._timeout_s + _CLOSE_S)
        if self._waiting:
            LOG.error("%d alert messages were not sent before the end", len(self._waiting))

    def _run(self) -> None:
        failed = 0
        while True:
            with self._changed:
                if failed and not self._closed:
                    self._changed.wait_for(lambda: self._closed, self._pause_s(failed))
                self._changed.wait_for(lambda: self._closed or bool(self._waiting))
                if self._closed:
                    return
                first = self._waiting[0]
            try:
                self._post(first[1], first[2])
                failed = 0
            except Transient as error:
                failed += 1
                if time.monotonic() - first[0] < KEPT_S:
                    LOG.warning("%s; it is tried again", error)
                    continue
                LOG.error("%s; given up after a day", error)
            with self._changed:
                if self._waiting and self._waiting[0] is first:
                    self._waiting.popleft()

    def _pause_s(self, failed: int) -> float:
        most_s = min(_LONGEST_S, self._first_s * 2.0 ** min(failed - 1, 16))
        return random.uniform(0.5 * most_s, most_s)  # noqa: S311 - spreads load, keeps no secret

    def _post(self, delivery: str, body: bytes) -> None:
        """Post it once. Raises Transient (HAL-764) where it was not taken."""
        timestamp = f"{self._clock():.0f}"  # anew each time: an old one would be refused as a replay
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"halocline/{__version__}",
            TIMESTAMP: timestamp,
            SIGNATURE: sign(self._secret, timestamp, body),
            DELIVERY: delivery,
        }
        connection = (
            http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
            if self._tls is None
            else http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout_s, context=self._tls
            )
        )
        try:
            connection.request("POST", self._path, body, headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            why = f"{type(error).__name__}: {error}"[:300]
            raise Transient("HAL-764", f"the alert webhook at {self._host} took no message: {why}") from None
        finally:
            connection.close()
        if not 200 <= status < 300:
            raise Transient("HAL-764", f"the alert webhook at {self._host} took no message: status {status}")


def _read(url: str) -> tuple[str, int | None, str, ssl.SSLContext | None]:
    """Host, port, path and TLS. Raises Misconfigured (HAL-763)."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise Misconfigured("HAL-763", f"--alert-webhook is no URL: {error}") from None
    if parts.scheme not in ("http", "https") or not host or not (url.isascii() and url.isprintable()):
        raise Misconfigured("HAL-763", f"--alert-webhook must be https://HOST[:PORT]/PATH, got {url[:80]!r}")
    if parts.username is not None:
        raise Misconfigured("HAL-763", "--alert-webhook holds a user name; messages are signed instead")
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise Misconfigured(
            "HAL-763", f"--alert-webhook to {host} must be https://; http:// is for this machine alone"
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return host, port, path, ssl.create_default_context() if parts.scheme == "https" else None
