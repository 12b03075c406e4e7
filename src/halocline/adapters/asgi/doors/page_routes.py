"""The hub's page in a browser: who is signed in there, and which page they get."""

import secrets
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qs

import msgspec

from halocline.adapters.asgi.answers import Answer
from halocline.adapters.asgi.doors import page
from halocline.adapters.asgi.doors.door import Call, Handler, Route
from halocline.adapters.asgi.doors.hub import Hub
from halocline.adapters.asgi.doors.people_devices import after_in, shown, shown_all
from halocline.adapters.asgi.doors.people_standing import seen_alerts
from halocline.adapters.asgi.doors.sign_in import SignIns
from halocline.adapters.asgi.doors.status import refusal
from halocline.decide.rights import Action, only
from halocline.errors import HaloclineError, Rejected, Untrusted
from halocline.fleet import Person
from halocline.hub import twins
from halocline.hub.people import demand

COOKIE: Final = "__Host-halocline"
"""Its prefix lets no other host and no plaintext set it."""
SESSION_S: Final = 3600.0
SESSIONS: Final = 1000
"""So many at once; the one that ends first makes room."""
SHOWN: Final = 500
"""So many devices on the page."""


class Sessions:
    """Who is signed in with a browser: the tokens they pasted, in memory, by the digest of a random name.

    The token itself is asked about at each request: where it is revoked, the session is over. Thread-safe.
    """

    def __init__(self) -> None:
        self._tokens: dict[bytes, tuple[float, str]] = {}
        self._changing = threading.Lock()

    def begin(self, token: str, now_s: float) -> str:
        """The name of a new session, for the browser alone to know."""
        name = secrets.token_urlsafe(32)
        with self._changing:
            self._tokens = {each: one for each, one in self._tokens.items() if one[0] > now_s}
            if len(self._tokens) >= SESSIONS:
                del self._tokens[min(self._tokens, key=lambda each: self._tokens[each][0])]
            self._tokens[_digest(name)] = (now_s + SESSION_S, token)
        return name

    def token(self, name: str, now_s: float) -> str | None:
        """The token of a session that goes on."""
        ends_s, token = self._tokens.get(_digest(name), (0.0, ""))
        return token if now_s < ends_s else None

    def end(self, name: str) -> None:
        """Forget the session, if there is one."""
        with self._changing:
            self._tokens.pop(_digest(name), None)


class Page:
    """Answers a browser; every form must come from the page itself."""

    def __init__(self, hub: Hub, sign_ins: SignIns) -> None:
        self._hub = hub
        self._sign_ins = sign_ins
        self._sessions = Sessions()

    def routes(self) -> list[Route]:
        """Method, path, and who answers."""
        return [
            Route("GET", "/", _told(self._seen(self.fleet))),
            Route("GET", "/devices/{device}", _told(self._seen(self.device))),
            Route("POST", "/sign-in", _told(self.sign_in)),
            Route("POST", "/sign-out", _told(self.sign_out)),
        ]

    def fleet(self, person: Person, call: Call) -> str:
        """GET /"""
        now_s = self._hub.clock()
        alerts = seen_alerts(self._hub, person)
        marked = {each.device for each in alerts if each.device}
        labels = only(person)
        after = after_in(call.query.get("after", []))
        with self._hub.store.look() as tx:
            found = tx.devices(labels=labels, after=after, limit=SHOWN + 1)
            following = found[SHOWN - 1].id if len(found) > SHOWN else ""
            listed = found[:SHOWN]
            if not after:  # what is wrong first
                wrong = [one for each in sorted(marked)[:SHOWN] if (one := tx.device(each)) is not None]
                listed = [*wrong, *(each for each in listed if each.id not in marked)]
            devices = shown_all(tx, listed, now_s)
            count = sum(tx.count_devices(labels=labels).values())
        return page.fleet_page(person, devices, count, alerts, following=following, now_s=now_s)

    def device(self, person: Person, call: Call) -> str:
        """GET /devices/{device}"""
        now_s = self._hub.clock()
        with self._hub.store.look() as tx:
            found = shown(tx, twins.visible(tx, person, call.named[0]), now_s)
        alerts = [each for each in seen_alerts(self._hub, person) if each.device == found.device.id]
        return page.device_page(person, found, alerts, now_s=now_s)

    def sign_in(self, call: Call) -> Answer:
        """POST /sign-in"""
        _demand_own_form(call)
        token = _field(call.body, "token").strip()
        try:
            self._person(call, token)
        except Untrusted as error:
            return page.answer_of(page.sign_in_page(error.message), 401)
        self._sessions.end(_session_in(call))
        return _redirect(self._sessions.begin(token, time.monotonic()), SESSION_S)

    def sign_out(self, call: Call) -> Answer:
        """POST /sign-out"""
        _demand_own_form(call)
        self._sessions.end(_session_in(call))
        return _redirect("", 0)

    def _seen(self, write: Callable[[Person, Call], str]) -> Handler:
        """The page for those who are signed in, the form for others."""

        def answer(call: Call) -> Answer:
            name = _session_in(call)
            token = self._sessions.token(name, time.monotonic())
            if token is None:
                return page.answer_of(page.sign_in_page())
            try:
                person = self._person(call, token)
            except Untrusted as error:
                self._sessions.end(name)
                return page.answer_of(page.sign_in_page(error.message), 401)
            demand(self._hub.store, person, Action.DEVICE_SEE, now_s=self._hub.clock(), object=call.path)
            return page.answer_of(write(person, call))

        return answer

    def _person(self, call: Call, token: str) -> Person:
        headers = {**call.headers, "authorization": f"Bearer {token}"}
        return self._sign_ins.caller(self._hub, msgspec.structs.replace(call, headers=headers)).person


def _told(handler: Handler) -> Handler:
    """The handler, whose errors are pages."""

    def answer(call: Call) -> Answer:
        try:
            return handler(call)
        except HaloclineError as error:
            refused = refusal(error)
            kept = [each for each in refused.headers if each[0] == b"retry-after"]
            return page.answer_of(page.message_page("Not here", str(error)), refused.status, *kept)

    return answer


def _demand_own_form(call: Call) -> None:
    """Raise Untrusted (HAL-765) for a form that does not come from this very page."""
    host = call.headers.get("host", "")
    if not host or call.headers.get("origin") != f"https://{host}":
        seen = call.headers.get("origin", "no Origin")[:80]
        raise Untrusted("HAL-765", f"a form of https://{host[:80]} was expected, and came from {seen}")


def _session_in(call: Call) -> str:
    for part in call.headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return ""


def _field(body: bytes, name: str) -> str:
    """A field of a form. Raises Rejected (HAL-701)."""
    try:
        return parse_qs(body.decode("ascii"), max_num_fields=10).get(name, [""])[-1]
    except ValueError:
        raise Rejected("HAL-701", "the form is not written as browsers do") from None


def _redirect(session: str, max_age_s: float) -> Answer:
    """Go to the fleet, with this session from now on."""
    cookie = f"{COOKIE}={session}; Path=/; Max-Age={max_age_s:.0f}; Secure; HttpOnly; SameSite=Strict"
    headers = [(b"location", b"/"), (b"set-cookie", cookie.encode()), (b"cache-control", b"no-store")]
    return Answer(303, b"", headers)


def _digest(name: str) -> bytes:
    return sha256(name.encode()).digest()
