"""What the commands that speak to a hub share: which hub, labels, ids, and how a device is shown."""

import re
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import msgspec
from cyclopts import Parameter

from halocline.errors import Rejected
from halocline.fleet import DEVICE_ID, NAME, Twin
from halocline.hub.saying import labels_said as labels_said
from halocline.hub.saying import twin_said as twin_said

if TYPE_CHECKING:
    from halocline.adapters.http.people import PeopleDoor
    from halocline.wire.people import DeviceReply

Several: TypeAlias = Annotated[list[str] | None, Parameter(negative="")]
"""A flag that may be given again."""

_FACTS: Final = ("serial", "machine", "agent")


def open_hub(hub: str | None) -> "PeopleDoor":
    """The people's door of the hub that is meant. Raises Misconfigured (HAL-755, HAL-756)."""
    from halocline.adapters.contexts import choose
    from halocline.adapters.http.door import Door
    from halocline.adapters.http.people import PeopleDoor

    _, context = choose(hub)
    return PeopleDoor(Door(context.url, ca=context.ca.encode() or None, token=context.token))


def labels_in(pairs: Sequence[str] | None) -> dict[str, str]:
    """The labels of `type=cam` and `region=eu`. Raises Rejected (HAL-101, HAL-102)."""
    from halocline.hub.naming import check_labels

    labels: dict[str, str] = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise Rejected("HAL-102", f"a label is written KEY=VALUE, got {pair[:80]!r}")
        if labels.get(name, value) != value:
            raise Rejected(
                "HAL-102", f"the label {name[:80]} is given twice: {labels[name]} and {value[:80]}"
            )
        labels[name] = value
    check_labels(labels)
    return labels


def device_in(text: str) -> str:
    """A device's id. Raises Rejected (HAL-102)."""
    if not re.fullmatch(DEVICE_ID, text):
        raise Rejected(
            "HAL-102",
            f"a device is dev- and 16 letters and digits, got {text[:60]!r}. See: halocline device list",
        )
    return text


def name_in(what: str, text: str) -> str:
    """A name. Raises Rejected (HAL-102)."""
    from halocline.hub.naming import check_name

    if not re.fullmatch(NAME, text):
        check_name(what, text)
    return text


def scope_said(actions: Sequence[str], labels: Mapping[str, str]) -> str:
    """What a token is narrowed to; empty where it is not."""
    where = ", ".join(f"{name}={value}" for name, value in sorted(labels.items()))
    return " ".join([", ".join(actions), *([f"where {where}"] if where else [])]).strip()


def plain(message: msgspec.Struct) -> dict[str, Any]:
    """A reply as --json prints it: its fields, whose version the printer adds."""
    fields: dict[str, Any] = msgspec.to_builtins(message)
    fields.pop("version", None)
    return fields


def moment(at_s: float) -> str:
    """A time, on this machine's clock face."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at_s))


def contact(reply: "DeviceReply") -> str:
    """How long ago the device was last heard of."""
    from halocline.cli.durations import said

    return "never" if reply.silent_s is None else f"{said(reply.silent_s)} ago"


def print_device(reply: "DeviceReply") -> None:
    """Print one device and its twin."""
    from halocline.cli.output import print_pairs

    device, twin = reply.device, reply.twin
    facts = [(name, getattr(device.facts, name)) for name in _FACTS if getattr(device.facts, name)]
    pairs = [
        ("device", device.id),
        ("state", str(device.state)),
        *([("code", device.code)] if device.code and device.state == "pending" else []),
        ("labels", labels_said(device) or "none"),
        ("contact", contact(reply)),
        ("joined", moment(device.created_s)),
        *facts,
        *([("replaces", device.replaces)] if device.replaces else []),
        ("twin", twin_said(twin)),
        *(_settings_said(device.id, twin)),
        *(
            [("ALERT", f"its identity was seen twice at once, {moment(device.cloned_s)}")]
            if device.cloned_s
            else []
        ),
    ]
    print_pairs(pairs)


def _settings_said(device_id: str, twin: Twin) -> list[tuple[str, str]]:
    """Each model's desired settings and those in force."""
    in_force = twin.reported.models if twin.reported else {}
    lines = []
    for name in sorted(in_force.keys() | twin.desired.settings.models.keys()):
        parts = []
        for field in ("threshold", "deadline_s"):
            wanted = getattr(twin.desired.settings.models.get(name), field, None)
            now = getattr(in_force.get(name), field, None)
            if wanted is None and now is None:
                continue
            told = [] if now is None else [f"{now:.6g}"]
            told += [] if wanted in (None, now) else [f"(wanted {wanted:.6g})"]
            parts.append(" ".join([field, *told]))
        said = ", ".join(parts) or "as its file says"
        if in_force and name not in in_force:
            said += (
                f"; it serves no such model. Take it back: halocline device set {device_id} --unset {name}"
            )
        elif twin.reported is None:
            said += "; it has not reported yet what it serves"
        lines.append((f"  {name}", said))
    if twin.desired.settings.poll_s is not None:
        lines.append(("  looks each", f"{twin.desired.settings.poll_s:g} s"))
    if twin.desired.settings.long_poll_s:
        lines.append(("  waits", f"{twin.desired.settings.long_poll_s:g} s at the hub for a change"))
    return lines
