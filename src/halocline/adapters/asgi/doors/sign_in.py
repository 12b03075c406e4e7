"""Who asks at the people's door: known by a token, or refused, written down and slowed down."""

import threading
import time
from typing import Final

import msgspec

from halocline.adapters.asgi.doors.door import Call
from halocline.adapters.asgi.doors.hub import Hub
from halocline.adapters.asgi.doors.status import Throttled
from halocline.errors import Untrusted
from halocline.fleet import AuditEntry, Person, Token
from halocline.hub.people import authenticate
from halocline.hub.rates import Rates

REFUSED_PER_S: Final = 0.2
REFUSED_BURST: Final = 30
"""A script with an old token is told so at first as often as it asks; the audit log is no place to fill."""
_BEARER: Final = "bearer "


class Caller(msgspec.Struct, frozen=True):
    """Who asks, and by which token."""

    person: Person
    token: Token


class SignIns:
    """Tells callers by their tokens. Thread-safe.

    Only refusals are counted, by address: whoever is known comes in, however many strangers share theirs.
    """

    def __init__(self, *, per_s: float = REFUSED_PER_S, burst: int = REFUSED_BURST) -> None:
        self._refused = Rates(per_s=per_s, burst=burst)
        self._counting = threading.Lock()

    def caller(self, hub: Hub, call: Call) -> Caller:
        """Who asks (RFC 6750). Raises Untrusted (HAL-751), and Transient (HAL-743) for too many of these."""
        stated = call.headers.get("authorization", "")
        token = stated[len(_BEARER) :].strip() if stated.lower().startswith(_BEARER) else ""
        now_s = hub.clock()
        try:
            return Caller(*authenticate(hub.store, token, now_s))
        except Untrusted as error:
            with self._counting:
                wait_s = self._refused.wait_s(call.address, time.monotonic())
            if wait_s:
                raise Throttled(f"too many refused sign-ins; wait {wait_s} s", wait_s) from None
            self._note(hub, call, error, now_s)
            raise

    def _note(self, hub: Hub, call: Call, error: Untrusted, now_s: float) -> None:
        with hub.store.change() as tx:
            tx.append(
                AuditEntry(
                    at_s=now_s,
                    actor=f"stranger:{call.address}",
                    action="person.sign-in",
                    outcome="refused",
                    reason=error.message,
                    details={"code": error.code},
                )
            )
