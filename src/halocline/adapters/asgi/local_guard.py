"""Decide who may ask a server for this machine's own programs: no web page, nobody without a token."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

from halocline.adapters.asgi.answers import Answer, Receive, Scope, Send, failure, send_and_close

Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Cause: TypeAlias = Literal["web_page", "other_host", "no_token"]

_OPEN = "/v2/health/live"
"""Whether the program runs is told without a token: whoever supervises it has none."""


def local_hosts(port: int) -> frozenset[str]:
    """What the Host of a request to this machine's own port may be."""
    return frozenset(f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]"))


class LocalGuard:
    """An application behind the checks that keep web pages in a browser of this machine out.

    A page can send requests here, also under a name of its own that leads to 127.0.0.1 (DNS rebinding).
    It cannot leave out Origin in what it posts elsewhere, cannot choose Host, and does not know the token.
    Host must be one of `hosts`, with the port; `token` must come as `Authorization: Bearer`, but for
    /v2/health/live. A Unix socket needs no guard: no page reaches it. `refused` is told of each refusal.
    """

    def __init__(
        self,
        app: Application,
        *,
        token: str,
        hosts: frozenset[str],
        refused: Callable[[str, str], None] = lambda cause, said: None,
    ) -> None:
        self._app = app
        self._refused = refused
        self._hosts = frozenset(host.encode() for host in hosts)
        self._token = token.encode()
        if not self._token:
            raise ValueError("an empty token would let everybody in")

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Hand a request on, or refuse it before a byte of its body is read."""
        refused = self._refusal(scope)
        if refused is None:
            return self._app(scope, receive, send)
        return send_and_close(receive, send, refused, "")

    def _refusal(self, scope: Scope) -> Answer | None:
        hosts: list[bytes] = []
        given: list[bytes] = []
        for name, value in scope["headers"]:
            if name == b"origin":
                return self._answer(
                    "web_page",
                    "HAL-729",
                    "the request has an Origin: it comes from a web page, and this is for programs of this "
                    "machine alone. Ask without a browser",
                )
            if name == b"host":
                hosts.append(value)
            elif name == b"authorization":
                given.append(value)
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            seen = hosts[0][:80].decode("latin-1") if hosts else "none"
            expected = b", ".join(sorted(self._hosts)).decode()
            return self._answer("other_host", "HAL-729", f"Host must be one of {expected}, got {seen!r}")
        if scope["path"] != _OPEN and not self._is_known(given):
            return self._answer(
                "no_token",
                "HAL-730",
                "a token is needed: Authorization: Bearer, and what local.token in the state folder holds",
            )
        return None

    def _is_known(self, given: list[bytes]) -> bool:
        if len(given) != 1:
            return False
        kind, _, token = given[0].partition(b" ")
        return kind.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token)

    def _answer(self, cause: Cause, code: str, text: str) -> Answer:
        said = f"{text} [{code}]"
        self._refused(cause, said)
        if cause == "no_token":
            return failure(401, said, (b"www-authenticate", b"Bearer"))
        return failure(403, said)
