"""What people see and change of devices, over HTTP."""

import re
from collections.abc import Sequence
from typing import Final

from halocline.adapters.asgi.answers import Answer
from halocline.adapters.asgi.doors.door import Call, reply
from halocline.adapters.asgi.doors.hub import Hub
from halocline.decide.rights import Action, only
from halocline.errors import Rejected
from halocline.fleet import DEVICE_ID, Device, DeviceState, Person, Twin
from halocline.hub import twins
from halocline.hub.labels import set_labels
from halocline.hub.people import demand
from halocline.hub.store import Transaction
from halocline.wire import channel, people

_PAIR: Final = re.compile(r"^([^=]+)=(.*)$")


def list_devices(hub: Hub, person: Person, call: Call) -> Answer:
    """GET /v1/devices?label=KEY=VALUE&silent_s=N&state=…&after=ID&limit=N"""
    now_s = hub.clock()
    asked, mine = _labels_in(call.query.get("label", [])), only(person)
    labels = {**asked, **mine}
    if not asked.items() <= labels.items():  # of those that are somebody else's
        return reply(people.DevicesReply(devices=[]))
    silent_s = _seconds_in(call.query.get("silent_s", []))
    limit = _limit_in(call.query.get("limit", []))
    with hub.store.look() as tx:
        found = tx.devices(
            labels=labels,
            silent_since_s=None if silent_s is None else now_s - silent_s,
            states={_state(text) for text in call.query.get("state", [])},
            after=after_in(call.query.get("after", [])),
            limit=limit + 1,
        )
        devices = shown_all(tx, found[:limit], now_s)
    is_last = len(found) <= limit
    return reply(people.DevicesReply(devices=devices, next=None if is_last else found[limit - 1].id))


def show_device(hub: Hub, person: Person, call: Call) -> Answer:
    """GET /v1/devices/{device}"""
    with hub.store.look() as tx:
        return reply(shown(tx, twins.visible(tx, person, call.named[0]), hub.clock()))


def label_device(hub: Hub, person: Person, call: Call) -> Answer:
    """PUT /v1/devices/{device}/labels"""
    asked = channel.decode(call.body, people.LabelRequest)
    device_id = call.named[0]
    now_s = hub.clock()
    if only(person):
        with hub.store.look() as tx:
            before = twins.visible(tx, person, device_id).labels
        kept = {name: value for name, value in before.items() if name not in asked.remove}
        after = {**kept, **asked.labels}
        demand(hub.store, person, Action.DEVICE_LABEL, now_s=now_s, object=device_id, labels=after)
    set_labels(
        hub.store,
        device_id,
        asked.labels,
        asked.remove,
        actor=actor_of(person),
        reason=asked.reason,
        now_s=now_s,
    )
    return show_device(hub, person, call)


def set_device(hub: Hub, person: Person, call: Call) -> Answer:
    """PUT /v1/devices/{device}/desired"""
    asked = channel.decode(call.body, people.SetRequest)
    twins.set_desired(
        hub.store,
        call.named[0],
        asked.settings,
        unset=asked.unset,
        force=asked.force,
        actor=actor_of(person),
        reason=asked.reason,
        now_s=hub.clock(),
    )
    hub.changed(call.named[0])
    return show_device(hub, person, call)


def actor_of(person: Person) -> str:
    """A person, as the audit log has them."""
    return f"person:{person.name}"


def shown(tx: Transaction, device: Device, now_s: float) -> people.DeviceReply:
    """A device with its twin and the age of its last contact."""
    return _shown(device, tx.twin(device.id), now_s)


def shown_all(tx: Transaction, devices: Sequence[Device], now_s: float) -> list[people.DeviceReply]:
    """The same of many at once, in their order."""
    known = tx.twins([each.id for each in devices])
    return [_shown(each, known[each.id], now_s) for each in devices]


def after_in(values: list[str]) -> str:
    """The id behind which a page begins; empty for the first. Raises Rejected (HAL-102)."""
    if not values:
        return ""
    if not re.fullmatch(DEVICE_ID, values[-1]):
        raise Rejected("HAL-102", f"after must be a device's id, got {values[-1][:40]!r}")
    return values[-1]


def _shown(device: Device, twin: Twin, now_s: float) -> people.DeviceReply:
    silent_s = None if device.seen_s is None else max(0.0, now_s - device.seen_s)
    return people.DeviceReply(device=device, twin=twin, silent_s=silent_s)


def _limit_in(values: list[str]) -> int:
    text = values[-1] if values else str(people.MAX_PAGE)
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= people.MAX_PAGE:
        raise Rejected("HAL-101", f"limit must be in [1, {people.MAX_PAGE}], got {text[:40]!r}")
    return int(text)


def _labels_in(pairs: list[str]) -> dict[str, str]:
    labels = {}
    for pair in pairs:
        found = _PAIR.match(pair)
        if found is None:
            raise Rejected("HAL-102", f"label must be KEY=VALUE, got {pair[:80]!r}")
        labels[found[1]] = found[2]
    return labels


def _seconds_in(values: list[str]) -> float | None:
    if not values:
        return None
    try:
        value_s = float(values[-1])
    except ValueError:
        value_s = -1.0
    if not 0 <= value_s < float("inf"):
        raise Rejected("HAL-101", f"silent_s must be a number of seconds, 0 or more, got {values[-1][:40]!r}")
    return value_s


def _state(text: str) -> DeviceState:
    try:
        return DeviceState(text)
    except ValueError:
        raise Rejected(
            "HAL-102", f"state must be one of {', '.join(DeviceState)}, got {text[:40]!r}"
        ) from None
