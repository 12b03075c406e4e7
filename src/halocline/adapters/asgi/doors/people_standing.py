"""The people's door where it is about joining and standing: invites, accepting, revoking, the hub itself."""

import re
import secrets
from typing import Final

from halocline import __version__
from halocline.adapters.asgi.answers import Answer
from halocline.adapters.asgi.doors.door import Call, reply
from halocline.adapters.asgi.doors.hub import Hub
from halocline.adapters.asgi.doors.people_devices import actor_of, show_device, shown
from halocline.decide.alerts import Alert
from halocline.decide.rights import Action, only
from halocline.errors import Rejected
from halocline.fleet import DeviceState, Person
from halocline.hub import audit as hub_audit
from halocline.hub import joining, rotating, twins
from halocline.hub import people as hub_people
from halocline.hub.alerting import alerts_for
from halocline.wire import channel
from halocline.wire import people as wire
from halocline.wire.invite import Invitation, encode_invite

_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_SECONDS: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")


def make_invite(hub: Hub, person: Person, call: Call) -> Answer:
    """POST /v1/invites"""
    asked = channel.decode(call.body, wire.InviteRequest, max_bytes=wire.MAX_INVITE_BYTES)
    # Who has some devices alone lets none in that would not be among them.
    hub_people.demand(hub.store, person, Action.DEVICE_INVITE, now_s=hub.clock(), labels=asked.labels)
    secret = secrets.token_bytes(joining.SECRET_BYTES)
    made = joining.invite(
        hub.store,
        secret=secret,
        by=person.name,
        now_s=hub.clock(),
        ttl_s=asked.ttl_s,
        uses=asked.uses,
        labels=asked.labels,
        serials=asked.serials,
        reason=asked.reason,
    )
    text = encode_invite(Invitation(url=hub.join_url, fingerprint=hub.authority.fingerprint, secret=secret))
    return reply(wire.InviteReply(invite=text, expires_s=made.expires_s, uses=made.uses), 201)


def accept_device(hub: Hub, person: Person, call: Call) -> Answer:
    """POST /v1/devices/{device}/accept"""
    asked = channel.decode(call.body or b"{}", wire.AcceptRequest)
    now_s, device_id = hub.clock(), call.named[0]
    with hub.store.look() as tx:
        before = twins.visible(tx, person, device_id)
    # Neither somebody else's device, nor one of ours given to another site.
    for labels in (before.labels, {**before.labels, **asked.labels}):
        hub_people.demand(
            hub.store, person, Action.DEVICE_ACCEPT, now_s=now_s, object=device_id, labels=labels
        )
    joining.accept(
        hub.store,
        device_id,
        actor=actor_of(person),
        labels=asked.labels,
        reason=asked.reason,
        now_s=now_s,
    )
    return show_device(hub, person, call)


def revoke_device(hub: Hub, person: Person, call: Call) -> Answer:
    """POST /v1/devices/{device}/revoke"""
    asked = channel.decode(call.body or b"{}", wire.RevokeRequest)
    joining.revoke(hub.store, call.named[0], actor=actor_of(person), reason=asked.reason, now_s=hub.clock())
    hub.changed(call.named[0])
    return show_device(hub, person, call)


def replace_device(hub: Hub, person: Person, call: Call) -> Answer:
    """POST /v1/devices/{device}/replace"""
    asked = channel.decode(call.body, wire.ReplaceRequest)
    with hub.store.look() as tx:
        for device_id in (call.named[0], asked.by):
            twins.visible(tx, person, device_id)
    now_s = hub.clock()
    after = joining.replace(
        hub.store, call.named[0], asked.by, actor=actor_of(person), reason=asked.reason, now_s=now_s
    )
    with hub.store.look() as tx:
        return reply(shown(tx, after, now_s))


def rotate(hub: Hub, person: Person, call: Call) -> Answer:
    """POST /v1/authority/rotate"""
    asked = channel.decode(call.body, wire.RotateRequest)
    rotating.rotate(
        hub.store,
        hub.authority,
        hub.rotate,
        asked.what,
        actor=actor_of(person),
        reason=asked.reason,
        anyway=asked.anyway,
        now_s=hub.clock(),
    )
    return status(hub, person, call)


def status(hub: Hub, person: Person, call: Call) -> Answer:
    """GET /v1/status"""
    labels = only(person)
    with hub.store.look() as tx:
        counted = tx.count_devices(labels=labels)
    return reply(
        wire.StatusReply(
            hub_version=__version__,
            now_s=hub.clock(),
            devices={str(state): counted.get(state, 0) for state in DeviceState},
            database=hub.database,
            ca_fingerprint=hub.authority.fingerprint,
            models=list(hub.models),
            rotation=_rotation(hub),
            waiting=hub.waiting(),
        )
    )


def _rotation(hub: Hub) -> wire.RotationState | None:
    found = rotating.progress(hub.store, hub.authority)
    if found is None:
        return None
    return wire.RotationState(old=found.old, since_s=found.since_s, behind=len(found.behind))


def alerts(hub: Hub, person: Person, call: Call) -> Answer:
    """GET /v1/alerts"""
    return reply(wire.AlertsReply(alerts=seen_alerts(hub, person)))


def seen_alerts(hub: Hub, person: Person) -> list[Alert]:
    """The open alerts that this person may know of."""
    found = hub.alerts()
    if not only(person):
        return alerts_for(person, found, ())
    with hub.store.look() as tx:
        return alerts_for(person, found, tx.devices(labels=only(person)))


def audit(hub: Hub, person: Person, call: Call) -> Answer:
    """GET /v1/audit?chain=…&after=N&since_s=N&actor=…&object=…"""
    told = {name: values[-1] for name, values in call.query.items()}
    after = told.get("after", "0")
    if not _NUMBER.fullmatch(after):
        raise Rejected("HAL-101", f"after must be a number of an entry, 0 or more, got {after[:40]!r}")
    since_s = told.get("since_s")
    if since_s is not None and not _SECONDS.fullmatch(since_s):
        raise Rejected("HAL-101", f"since_s must be seconds since 1970, got {since_s[:40]!r}")
    wanted = hub_audit.Wanted(
        since_s=None if since_s is None else float(since_s),
        actor=told.get("actor", ""),
        object=told.get("object", ""),
    )
    chains = list(hub.store.chains())
    chain = told.get("chain", chains[0] if chains else "")
    found = hub_audit.page(hub.store, chain, after=int(after), wanted=wanted)
    return reply(wire.AuditReply(entries=found.links, chains=chains, next=found.next))
