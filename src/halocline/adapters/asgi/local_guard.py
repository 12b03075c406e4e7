"""Keep a local endpoint on TCP for the programs of this device: no web page, nobody without the token.

A page in a browser on the device can send requests to 127.0.0.1 too: across sites, with an Origin header, or
after its name was made to resolve to this machine (DNS rebinding), with a Host that is not ours.
"""

import hmac
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from halocline.adapters.asgi.answers import Answer, Receive, Scope, Send, failure, send_answer

Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_OPEN: Final = ("/v2/health/live", "/v2/health/ready")
"""What a supervisor asks without a token; it tells nothing of the models."""
_NAMES: Final = (b"127.0.0.1", b"localhost", b"[::1]")


class LocalGuard:
    """Passes to the application what comes from a local program that holds the token."""

    def __init__(self, app: Application, token: str) -> None:
        self._app = app
        self._token = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        refused = self._refusal(scope)
        if refused is None:
            await self._app(scope, receive, send)
        else:
            await send_answer(send, refused)

    def _refusal(self, scope: Scope) -> Answer | None:
        headers = scope["headers"]
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1 or _without_port(hosts[0].lower()) not in _NAMES:
            return failure(421, "this address answers to 127.0.0.1 and localhost alone [HAL-731]")
        if any(name in (b"origin", b"sec-fetch-site") for name, _ in headers):
            return failure(403, "requests of web pages are not answered here [HAL-731]")
        if scope["path"] in _OPEN:
            return None
        given = [value for name, value in headers if name == b"authorization"]
        if len(given) != 1 or not hmac.compare_digest(given[0], self._token):
            return failure(
                401,
                "the token of this device's agent is missing or wrong: Authorization: Bearer TOKEN, from "
                "local.token in its state folder [HAL-731]",
                (b"www-authenticate", b"Bearer"),
            )
        return None


def _without_port(host: bytes) -> bytes:
    name, colon, port = host.rpartition(b":")
    return name if colon and port.isdigit() else host
