"""What people see and change of devices, over HTTP."""

import re
from typing import Final

from halocline.adapters.asgi.answers import Answer
from halocline.adapters.asgi.doors.door import Call, reply
from halocline.adapters.asgi.doors.hub import Hub
from halocline.decide.rights import SITE
from halocline.errors import Rejected
from halocline.fleet import Device, DeviceState, Person
from halocline.hub import twins
from halocline.hub.labels import set_labels
from halocline.hub.store import Transaction
from halocline.wire import channel, people

_PAIR: Final = re.compile(r"^([^=]+)=(.*)$")


def list_devices(hub: Hub, person: Person, call: Call) -> Answer:
    """GET /v1/devices?label=KEY=VALUE&silent_s=N&state=…"""
    now_s = hub.clock()
    labels = _labels_in(call.query.get("label", []))
    if person.site and labels.setdefault(SITE, person.site) != person.site:
        return reply(people.DevicesReply(devices=[]))
    silent_s = _seconds_in(call.query.get("silent_s", []))
    states = {_state(text) for text in call.query.get("state", [])}
    with hub.store.look() as tx:
        found = tx.devices(labels=labels, silent_since_s=None if silent_s is None else now_s - silent_s)
        devices = [shown(tx, device, now_s) for device in found if not states or device.state in states]
    return reply(people.DevicesReply(devices=devices))


def show_device(hub: Hub, person: Person, call: Call) -> Answer:
    """GET /v1/devices/{device}"""
    with hub.store.look() as tx:
        return reply(shown(tx, twins.visible(tx, person, call.named[0]), hub.clock()))


def label_device(hub: Hub, person: Person, call: Call) -> Answer:
    """PUT /v1/devices/{device}/labels"""
    asked = channel.decode(call.body, people.LabelRequest)
    device_id = call.named[0]
    now_s = hub.clock()
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
    silent_s = None if device.seen_s is None else max(0.0, now_s - device.seen_s)
    return people.DeviceReply(device=device, twin=tx.twin(device.id), silent_s=silent_s)


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
