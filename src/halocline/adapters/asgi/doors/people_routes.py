"""The people's door where it is about people themselves: who one is, who else there is, and tokens."""

import secrets
from collections.abc import Callable
from typing import Final, TypeAlias

from halocline.adapters.asgi.answers import Answer
from halocline.adapters.asgi.doors.door import Call, reply
from halocline.adapters.asgi.doors.hub import Hub
from halocline.adapters.asgi.doors.sign_in import Caller
from halocline.decide.rights import Action
from halocline.errors import Rejected
from halocline.fleet import Person
from halocline.hub import people as hub_people
from halocline.wire import channel
from halocline.wire import people as wire

Handler: TypeAlias = Callable[[Hub, Caller, Call], Answer]
"""Answers a person's call; the right was looked at before."""


def me(hub: Hub, caller: Caller, call: Call) -> Answer:
    """GET /v1/me"""
    person = caller.person
    return reply(
        wire.MeReply(
            name=person.name,
            role=person.role,
            site=person.site,
            expires_s=caller.token.expires_s,
            actions=list(caller.token.actions),
            labels=caller.token.labels,
        )
    )


def list_people(hub: Hub, caller: Caller, call: Call) -> Answer:
    """GET /v1/people"""
    return reply(wire.PeopleReply(people=hub_people.everyone(hub.store)))


def add_person(hub: Hub, caller: Caller, call: Call) -> Answer:
    """POST /v1/people"""
    asked = channel.decode(call.body, wire.PersonRequest)
    person = Person(name=asked.name, role=asked.role, site=asked.site)
    hub_people.add_person(hub.store, person, by=caller.person, reason=asked.reason, now_s=hub.clock())
    return reply(wire.PersonReply(person=person), 201)


def remove_person(hub: Hub, caller: Caller, call: Call) -> Answer:
    """POST /v1/people/{name}/remove"""
    asked = channel.decode(call.body or b"{}", wire.ReasonRequest)
    person = hub_people.remove_person(
        hub.store, call.named[0], by=caller.person, reason=asked.reason, now_s=hub.clock()
    )
    return reply(wire.PersonReply(person=person))


def list_tokens(hub: Hub, caller: Caller, call: Call) -> Answer:
    """GET /v1/tokens?person=NAME"""
    names = call.query.get("person", [caller.person.name])
    if len(names) != 1:
        raise Rejected("HAL-102", f"one person at a time, got {len(names)}; * is everyone")
    name = None if names[0] == "*" else names[0]
    return reply(
        wire.TokensReply(tokens=hub_people.tokens_of(hub.store, name, by=caller.person, now_s=hub.clock()))
    )


def create_token(hub: Hub, caller: Caller, call: Call) -> Answer:
    """POST /v1/tokens"""
    asked = channel.decode(call.body, wire.TokenRequest)
    text, token = hub_people.create_token(
        hub.store,
        asked.person or caller.person.name,
        asked.ttl_s,
        secrets.token_bytes(hub_people.SECRET_BYTES),
        by=caller.person,
        by_token=caller.token,
        reason=asked.reason,
        now_s=hub.clock(),
        actions=asked.actions,
        labels=asked.labels,
    )
    return reply(wire.TokenReply(token=text, known=token), 201)


def revoke_token(hub: Hub, caller: Caller, call: Call) -> Answer:
    """POST /v1/tokens/{digest}/revoke"""
    asked = channel.decode(call.body or b"{}", wire.ReasonRequest)
    token = hub_people.revoke_token(
        hub.store, call.named[0], by=caller.person, reason=asked.reason, now_s=hub.clock()
    )
    return reply(wire.TokenReply(known=token))


PEOPLE_ROUTES: Final[tuple[tuple[str, str, Action, Handler], ...]] = (
    ("GET", "/v1/me", Action.HUB_SEE, me),
    ("GET", "/v1/people", Action.PEOPLE_MANAGE, list_people),
    ("POST", "/v1/people", Action.PEOPLE_MANAGE, add_person),
    ("POST", "/v1/people/{name}/remove", Action.PEOPLE_MANAGE, remove_person),
    ("GET", "/v1/tokens", Action.TOKEN_OWN, list_tokens),
    ("POST", "/v1/tokens", Action.TOKEN_OWN, create_token),
    ("POST", "/v1/tokens/{digest}/revoke", Action.TOKEN_OWN, revoke_token),
)
"""Method, path, the right that it takes, and who answers."""
