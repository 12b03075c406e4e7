"""Ask one door of a hub: TLS 1.3, its certificate checked by a given clock, errors with a cause."""

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from types import TracebackType
from typing import Final, Self

import msgspec

from halocline.adapters.http.connection import Connection, ExpiredError, LostError
from halocline.adapters.http.dial import dial
from halocline.adapters.http.exchange import Exchange, MalformedResponseError
from halocline.adapters.http.issuer import issuer_of
from halocline.adapters.http.target import NO_CHECK_TIME, read_site
from halocline.catalogue import CATALOGUE
from halocline.errors import HaloclineError, Misconfigured, Rejected, Transient, Untrusted
from halocline.records import Reason
from halocline.wire.channel import Refusal

MAX_ANSWER_BYTES: Final = 8 << 20
"""The largest answer: a list of ten thousand devices with their twins has about half of it."""
CLOCK_SLACK_S: Final = 300.0
"""So far a certificate's times may lie on the wrong side of the clock."""
CLOSE_S: Final = 0.5
"""Closing waits so long for a question whose connection it has ended."""
_PASSING: Final = {408, 425, 429, 500, 502, 503, 504}
"""Statuses of an answer that may be another one later."""
OTHER_DOOR: Final = (
    "A hub has a port each for devices, people and joining: 8443, 8444 and 8445, where nobody said others"
)
_SAFE_TO_REPEAT: Final = {"GET", "HEAD", "PUT", "DELETE"}


class Asked(msgspec.Struct, frozen=True):
    """An answer of any status; header names are in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def retry_after_s(self) -> float | None:
        """How long the other side asks not to be asked again, where it does, in seconds."""
        stated = self.headers.get("retry-after", "")
        return float(stated) if stated.isdecimal() and len(stated) < 9 else None


class Door:
    """One door of a hub, over one connection that is kept alive. Thread-safe; one question at a time.

    `ca` is the root authority (PEM); without it, `fingerprint` (`sha256:…` of the root certificate)
    finds the root in what the door shows, before anything is sent; without both, the system's
    authorities count. `cert` is (certificate chain, key), PEM files. `now_s` is the clock by which the
    door's certificate must be valid; a device, whose clock may be years off, gives `passed_s` instead, a
    time that has surely passed: the certificate must not have ended before.

    Raises Misconfigured (HAL-104, HAL-108) for what cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        ca: bytes | None = None,
        fingerprint: str | None = None,
        cert: tuple[str | os.PathLike[str], str | os.PathLike[str]] | None = None,
        token: str | None = None,
        timeout_s: float = 10.0,
        now_s: Callable[[], float] = time.time,
        passed_s: Callable[[], float] | None = None,
    ) -> None:
        self._ca = ca
        self._fingerprint = None if fingerprint is None else read_fingerprint(fingerprint)
        self._timeout_s = timeout_s
        self._now_s = now_s if passed_s is None else passed_s
        self._is_clock = passed_s is None
        self._certified: tuple[float, float] | None = None
        self._shows_certificate = cert is not None
        self._context = _context(ca, others=fingerprint is None)
        if cert is not None:
            _load_identity(self._context, cert)
        headers = None if token is None else {"Authorization": f"Bearer {token}"}
        self._target = read_site(url, headers=headers, tls=self._context)
        self._asking = threading.Lock()
        self._connection: Connection | None = None
        self._socket: socket.socket | None = None
        self._closed = False

    @property
    def url(self) -> str:
        """`https://HOST:PORT`."""
        return self._target.url

    @property
    def proxy(self) -> str:
        """HOST:PORT of the proxy on the way, without its credentials; "" where there is none."""
        proxy = self._target.proxy
        return "" if proxy is None else f"{proxy.host}:{proxy.port}"

    @property
    def ca(self) -> bytes | None:
        """The root authority (PEM): as given, or as found by its fingerprint once `trust` has passed."""
        return self._ca

    @property
    def certified(self) -> tuple[float, float] | None:
        """Begin and end of the certificate that the door showed last, seconds since 1970."""
        return self._certified

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        wait_s: float = 0.0,
    ) -> Asked:
        """The answer, whatever its status; look-up, connection and exchange have `timeout_s` together.

        `wait_s` is how much longer the other side was asked to wait before it answers.

        Raises Transient (HAL-721) where none comes whole and in time, Untrusted (HAL-722) where the other
        side is not the hub or does not accept our certificate.
        """
        until_s = time.monotonic() + self._timeout_s + wait_s
        with self._asking:
            self._find_authority(until_s)
            request = self._request(method, path, body, headers or {})
            kept, self._connection = self._connection, None
            if kept is not None:
                if method in _SAFE_TO_REPEAT:
                    with contextlib.suppress(_StaleError):
                        return self._exchange(kept, request, until_s)
                kept.close()
            return self._exchange(self._dial(until_s), request, until_s)

    def trust(self) -> None:
        """Connect, and check who is there; nothing is sent. Raises as `ask` does."""
        until_s = time.monotonic() + self._timeout_s
        with self._asking:
            self._find_authority(until_s)
            if self._connection is None:
                connection = self._dial(until_s)
                if self._closed:
                    connection.close()
                else:
                    self._connection = connection

    def close(self) -> None:
        """End the connection, also under a question that waits. May be called again."""
        self._closed = True
        sock = self._socket
        if sock is not None:
            with contextlib.suppress(OSError):
                # The plain shutdown, also under TLS: another thread may be inside the TLS object.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        if self._asking.acquire(
            timeout=CLOSE_S
        ):  # else who asks is still connecting, and closes what it gets
            try:
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
            finally:
                self._asking.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _request(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        fields = {"Content-Length": str(len(body)), **headers} if body or method != "GET" else headers
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        head = self._target.request_line(method, path) + self._target.head
        return head + lines.encode("latin-1") + b"\r\n" + body

    def _exchange(self, connection: Connection, request: bytes, until_s: float) -> Asked:
        exchange = Exchange(request, MAX_ANSWER_BYTES)
        kept = connection.kept
        try:
            connection.drive(exchange, until_s)
        except ExpiredError:
            connection.close()
            raise self._unreachable(f"no answer within {self._timeout_s:g} s") from None
        except LostError as error:
            connection.close()
            if kept and not exchange.received_bytes and error.reason is Reason.DISCONNECTED:
                raise _StaleError from None
            raise self._lost(error, until_s) from None
        except MalformedResponseError as error:
            connection.close()
            raise self._unreachable(f"what came is no answer: {error}") from None
        if exchange.reusable and not self._closed:
            connection.kept = True
            self._connection = connection
        else:
            connection.close()
        return Asked(exchange.status, exchange.headers, exchange.body)

    def _dial(self, until_s: float) -> Connection:
        try:
            connection = dial(self._target, max(until_s - time.monotonic(), 0.001), self._opened)
        except LostError as error:
            raise self._lost(error, until_s) from None
        assert isinstance(connection.sock, ssl.SSLSocket)
        try:
            self._check_times(connection.sock.getpeercert() or {})
        except HaloclineError:
            connection.close()
            raise
        return connection

    def _opened(self, sock: socket.socket) -> None:
        self._socket = sock
        if self._closed:
            sock.close()
            raise OSError("closed")

    def _check_times(self, leaf: Mapping[str, object]) -> None:
        """The leaf's validity by our own clock; OpenSSL has checked all else."""
        now_s = self._now_s()
        begin, end = str(leaf["notBefore"]), str(leaf["notAfter"])
        certified = ssl.cert_time_to_seconds(begin), ssl.cert_time_to_seconds(end)
        if self._is_clock and certified[0] - now_s > CLOCK_SLACK_S:
            raise self._untrusted(f"its certificate begins on {begin}, and it is {_day(now_s)} by the clock")
        if now_s - certified[1] > CLOCK_SLACK_S:
            raise self._untrusted(f"its certificate ended on {end}, and it is {_day(now_s)} at least")
        self._certified = certified

    def _find_authority(self, until_s: float) -> None:
        """Find the root of the fingerprint in the chain that is shown, once; trust it and no other."""
        if self._ca is not None or self._fingerprint is None:
            return
        chain = self._chain(until_s)
        for shown in chain:
            if f"sha256:{sha256(shown).hexdigest()}" == self._fingerprint:
                pem = ssl.DER_cert_to_PEM_cert(shown)
                self._context.load_verify_locations(cadata=pem)
                self._ca = pem.encode()
                return
        raise self._untrusted(
            f"it shows no authority with the fingerprint {self._fingerprint}{_issued(chain)}; is the "
            "invite or the fingerprint this hub's, and is nothing between that inspects TLS?"
        )

    def _chain(self, until_s: float) -> list[bytes]:
        """The certificates that the door shows (DER), before anything is checked or sent."""
        loose = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        loose.minimum_version = ssl.TLSVersion.TLSv1_3
        loose.check_hostname = False
        loose.verify_mode = ssl.CERT_NONE
        target = msgspec.structs.replace(self._target, tls=loose)
        try:
            connection = dial(target, max(until_s - time.monotonic(), 0.001), self._opened)
        except LostError as error:
            raise self._lost(error, None) from None
        with contextlib.closing(connection):
            assert isinstance(connection.sock, ssl.SSLSocket)
            return _shown_by(connection.sock)

    def _lost(self, error: LostError, until_s: float | None) -> HaloclineError:
        """Our error for a connection that failed; of a certificate that is not trusted, who issued it."""
        if error.reason is not Reason.UNTRUSTED:
            return self._unreachable(error.detail, was_closed=error.reason is Reason.DISCONNECTED)
        chain: list[bytes] = []
        if until_s is not None and "certificate is not accepted" in error.detail:
            with contextlib.suppress(HaloclineError):
                chain = self._chain(until_s)
        return self._untrusted(error.detail + _issued(chain))

    def _unreachable(self, why: str, *, was_closed: bool = False) -> Transient:
        proxy = f" through the proxy {self._target.proxy.host}" if self._target.proxy else ""
        hint = "Does the hub run there?"
        if was_closed and not self._shows_certificate:
            hint += f" {OTHER_DOOR}"
        return Transient("HAL-721", f"no answer from {self.url}{proxy}: {why}. {hint}")

    def _untrusted(self, why: str) -> Untrusted:
        hint = f". {OTHER_DOOR}" if "CERTIFICATE_REQUIRED" in why else ""
        return Untrusted("HAL-722", f"{self.url} is not trusted: {why}{hint}")


def read_fingerprint(text: str) -> str:
    """`sha256:` and 64 small hexadecimal digits, also from AA:BB:… . Raises Misconfigured (HAL-104)."""
    kind, _, digits = text.strip().lower().partition(":")
    digits = digits.replace(":", "")
    if kind != "sha256" or len(digits) != 64 or set(digits) - set("0123456789abcdef"):
        raise Misconfigured("HAL-104", f"a fingerprint is sha256: and 64 hexadecimal digits, got {text!r}")
    return f"sha256:{digits}"


def raise_for(asked: Asked) -> None:
    """Return for a success (2xx, 304); raise Transient or Rejected with the refusal's text and code.

    The code is HAL-723 where the answer has none of ours: something before the hub may have given it.
    """
    if 200 <= asked.status < 300 or asked.status == 304:
        return
    try:
        refusal = msgspec.json.decode(asked.body, type=Refusal)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
        refusal = Refusal(error="")
    code = refusal.code if refusal.code in CATALOGUE else "HAL-723"
    said = "".join(char if char.isprintable() else " " for char in refusal.error[:1000])
    text = said.strip() or f"status {asked.status} without a message of a hub's"
    kind = Transient if asked.status in _PASSING else Rejected
    raise kind(code, text)


class _StaleError(Exception):
    """The other side had closed a kept connection before it read the question."""


def _context(ca: bytes | None, *, others: bool) -> ssl.SSLContext:
    """What trusts `ca` alone; without one the system's authorities, where `others` lets it, or nobody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if ca is not None:
            context.load_verify_locations(cadata=ca.decode("ascii"))
        elif others:
            context.load_default_certs()
    except (ssl.SSLError, UnicodeDecodeError, ValueError) as error:
        raise Misconfigured("HAL-108", f"the authority to trust is no PEM certificate ({error})") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)
    return context


def _load_identity(
    context: ssl.SSLContext, cert: tuple[str | os.PathLike[str], str | os.PathLike[str]]
) -> None:
    try:
        context.load_cert_chain(*cert)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(
            "HAL-108",
            f"{os.fspath(cert[0])} holds no certificate of the key in {os.fspath(cert[1])} ({error})",
        ) from None


def _shown_by(sock: ssl.SSLSocket) -> list[bytes]:
    if hasattr(sock, "get_unverified_chain"):  # from Python 3.13 on
        return list(sock.get_unverified_chain())
    inner = getattr(sock, "_sslobj")  # noqa: B009 - what Python 3.11 and 3.12 have instead
    return [each.public_bytes(2) for each in inner.get_unverified_chain() or ()]  # 2: DER


def _issued(chain: list[bytes]) -> str:
    issuer = issuer_of(chain[-1]) if chain else ""
    return f" (seen: a certificate issued by {issuer})" if issuer else ""


def _day(now_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now_s))
