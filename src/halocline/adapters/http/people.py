"""Speak to a hub as a person: the calls of the people's door, typed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Final, Self, TypeVar
from urllib.parse import urlencode

import msgspec

from halocline.adapters.http.door import Asked, Door, raise_for
from halocline.errors import Rejected, Transient, Untrusted
from halocline.fleet import Link, Person, Role, Settings
from halocline.hub.authority import Rotation
from halocline.wire import people
from halocline.wire.channel import encode

T = TypeVar("T", bound=msgspec.Struct)

_NOT_ALLOWED: Final = {401, 403}


class PeopleDoor:
    """The people's door of one hub.

    Every call raises Transient (HAL-721 and what the hub says), Untrusted (HAL-722; HAL-751, HAL-752 where
    the hub does not let this person), or Rejected with what the hub says.
    """

    def __init__(self, door: Door) -> None:
        self._door = door

    @property
    def door(self) -> Door:
        """The door itself."""
        return self._door

    def me(self) -> people.MeReply:
        """Whose token this is."""
        return self._get("/v1/me", people.MeReply)

    def status(self) -> people.StatusReply:
        """How the hub is."""
        return self._get("/v1/status", people.StatusReply)

    def rotate(self, what: Rotation, *, reason: str, anyway: bool) -> people.StatusReply:
        """Replace the authority, or a part of it; how the hub is then."""
        request = people.RotateRequest(what=what, anyway=anyway, reason=reason)
        return self._send("POST", "/v1/authority/rotate", request, people.StatusReply)

    def invite(self, request: people.InviteRequest) -> people.InviteReply:
        """Make an invite."""
        return self._send("POST", "/v1/invites", request, people.InviteReply)

    def devices(
        self, *, labels: Mapping[str, str], silent_s: float | None = None, states: Iterable[str] = ()
    ) -> list[people.DeviceReply]:
        """All devices with all these labels, silent for that long, in one of these states, by id."""
        found: list[people.DeviceReply] = []
        after: str | None = ""
        while after is not None:
            page = self.device_page(labels=labels, silent_s=silent_s, states=states, after=after)
            found += page.devices
            after = page.next
        return found

    def device_page(
        self,
        *,
        labels: Mapping[str, str],
        silent_s: float | None = None,
        states: Iterable[str] = (),
        after: str = "",
        limit: int | None = None,
    ) -> people.DevicesReply:
        """The first `limit` of those devices behind the id `after`; as many as the hub gives at once."""
        query = [("label", f"{name}={value}") for name, value in labels.items()]
        query += [] if silent_s is None else [("silent_s", f"{silent_s:.3f}")]
        query += [("state", state) for state in states]
        query += [("after", after)] if after else []
        query += [] if limit is None else [("limit", str(limit))]
        return self._get(_with("/v1/devices", query), people.DevicesReply)

    def device(self, device_id: str) -> people.DeviceReply:
        """A device and its twin."""
        return self._get(f"/v1/devices/{device_id}", people.DeviceReply)

    def accept(self, device_id: str, *, labels: dict[str, str], reason: str) -> people.DeviceReply:
        """Let a pending device in."""
        request = people.AcceptRequest(labels=labels, reason=reason)
        return self._send("POST", f"/v1/devices/{device_id}/accept", request, people.DeviceReply)

    def label(
        self, device_id: str, *, labels: dict[str, str], remove: Sequence[str], reason: str
    ) -> people.DeviceReply:
        """Set and take away labels."""
        request = people.LabelRequest(labels=labels, remove=list(remove), reason=reason)
        return self._send("PUT", f"/v1/devices/{device_id}/labels", request, people.DeviceReply)

    def set(
        self,
        device_id: str,
        settings: Settings,
        *,
        unset: Sequence[str] = (),
        force: bool = False,
        reason: str,
    ) -> people.DeviceReply:
        """Change what is desired of a device; with `force` also of a model that it has not reported."""
        request = people.SetRequest(settings=settings, unset=list(unset), force=force, reason=reason)
        return self._send("PUT", f"/v1/devices/{device_id}/desired", request, people.DeviceReply)

    def revoke(self, device_id: str, *, reason: str) -> people.DeviceReply:
        """Let a device in no more."""
        request = people.RevokeRequest(reason=reason)
        return self._send("POST", f"/v1/devices/{device_id}/revoke", request, people.DeviceReply)

    def replace(self, old_id: str, new_id: str, *, reason: str) -> people.DeviceReply:
        """Put another device in the place of one; that other."""
        request = people.ReplaceRequest(by=new_id, reason=reason)
        return self._send("POST", f"/v1/devices/{old_id}/replace", request, people.DeviceReply)

    def everyone(self) -> list[Person]:
        """Everyone, by name."""
        return self._get("/v1/people", people.PeopleReply).people

    def add_person(self, name: str, role: Role, *, site: str, reason: str) -> Person:
        """Let someone in."""
        request = people.PersonRequest(name=name, role=role, site=site, reason=reason)
        return self._send("POST", "/v1/people", request, people.PersonReply).person

    def remove_person(self, name: str, *, reason: str) -> None:
        """Send someone away, with their tokens."""
        request = people.ReasonRequest(reason=reason)
        self._send("POST", f"/v1/people/{name}/remove", request, people.PersonReply)

    def tokens(self, person: str) -> people.TokensReply:
        """The tokens of a person; one's own for the empty name, everyone's for `*`."""
        return self._get(_with("/v1/tokens", [("person", person)] if person else []), people.TokensReply)

    def create_token(
        self,
        person: str,
        ttl_s: float,
        *,
        reason: str,
        actions: Sequence[str] = (),
        labels: Mapping[str, str] | None = None,
    ) -> people.TokenReply:
        """A new token, for oneself where the name is empty, narrowed to actions and devices where given."""
        request = people.TokenRequest(
            person=person, ttl_s=ttl_s, reason=reason, actions=list(actions), labels=dict(labels or {})
        )
        return self._send("POST", "/v1/tokens", request, people.TokenReply)

    def revoke_token(self, digest: str, *, reason: str) -> people.TokenReply:
        """End the token whose digest begins so."""
        request = people.ReasonRequest(reason=reason)
        return self._send("POST", f"/v1/tokens/{digest}/revoke", request, people.TokenReply)

    def alerts(self) -> people.AlertsReply:
        """What is wrong now."""
        return self._get("/v1/alerts", people.AlertsReply)

    def audit(
        self, *, since_s: float | None = None, actor: str = "", about: str = ""
    ) -> Iterator[tuple[str, list[Link]]]:
        """The audit log by chain and page, oldest first; of those by `actor` and on `about` where given."""
        query = [("actor", actor)] if actor else []
        query += [("object", about)] if about else []
        query += [] if since_s is None else [("since_s", f"{max(since_s, 0):.3f}")]
        first = self._get(_with("/v1/audit", query), people.AuditReply)
        for chain in first.chains:
            after: int | None = 0
            while after is not None:
                path = _with("/v1/audit", [("chain", chain), ("after", str(after)), *query])
                reply = self._get(path, people.AuditReply)
                yield chain, reply.entries
                after = reply.next

    def close(self) -> None:
        """End the connection."""
        self._door.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _get(self, path: str, kind: type[T]) -> T:
        return _read(self._door.ask("GET", path), kind, self._door.url)

    def _send(self, method: str, path: str, message: msgspec.Struct, kind: type[T]) -> T:
        headers = {"Content-Type": "application/json"}
        return _read(self._door.ask(method, path, encode(message), headers), kind, self._door.url)


def _read(asked: Asked, kind: type[T], url: str) -> T:
    try:
        raise_for(asked)
    except Rejected as error:
        if asked.status in _NOT_ALLOWED:
            raise Untrusted(error.code, error.message) from None
        raise
    try:
        return msgspec.json.decode(asked.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Transient("HAL-721", f"what {url} answered is no {kind.__name__}: {error}") from None


def _with(path: str, query: Sequence[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(query)}" if query else path
