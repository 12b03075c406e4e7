"""The people's door: every route with the right that it takes, and who answers."""

from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final, TypeAlias

from halocline.adapters.asgi.answers import Answer
from halocline.adapters.asgi.doors import people_devices, people_standing
from halocline.adapters.asgi.doors.door import Call, Door, Route
from halocline.adapters.asgi.doors.hub import Hub
from halocline.adapters.asgi.doors.page_routes import Page
from halocline.adapters.asgi.doors.people_routes import PEOPLE_ROUTES
from halocline.adapters.asgi.doors.sign_in import Caller, SignIns
from halocline.decide.rights import Action, only
from halocline.errors import Rejected
from halocline.fleet import Person
from halocline.hub import twins
from halocline.hub.people import demand
from halocline.serving.admission import Admission
from halocline.wire import channel
from halocline.wire.people import MAX_INVITE_BYTES, ReasonRequest

_READS: Final = "GET"
_DEVICE: Final = "{device}"
_ForPerson: TypeAlias = Callable[[Hub, Person, Call], Answer]

FLEET_ROUTES: Final[tuple[tuple[str, str, Action, _ForPerson], ...]] = (
    ("GET", "/v1/status", Action.HUB_SEE, people_standing.status),
    ("GET", "/v1/devices", Action.DEVICE_SEE, people_devices.list_devices),
    ("GET", "/v1/devices/{device}", Action.DEVICE_SEE, people_devices.show_device),
    ("POST", "/v1/invites", Action.DEVICE_INVITE, people_standing.make_invite),
    ("POST", "/v1/devices/{device}/accept", Action.DEVICE_ACCEPT, people_standing.accept_device),
    ("PUT", "/v1/devices/{device}/labels", Action.DEVICE_LABEL, people_devices.label_device),
    ("PUT", "/v1/devices/{device}/desired", Action.DEVICE_SET, people_devices.set_device),
    ("POST", "/v1/devices/{device}/revoke", Action.DEVICE_REVOKE, people_standing.revoke_device),
    ("POST", "/v1/devices/{device}/replace", Action.DEVICE_REPLACE, people_standing.replace_device),
    ("POST", "/v1/authority/rotate", Action.HUB_CHANGE, people_standing.rotate),
    ("GET", "/v1/alerts", Action.DEVICE_SEE, people_standing.alerts),
    ("GET", "/v1/audit", Action.AUDIT_SEE, people_standing.audit),
)
"""Method, path, the right that it takes, and who answers; those about people stand in PEOPLE_ROUTES."""


_LARGE_BYTES: Final = {"/v1/invites": MAX_INVITE_BYTES}
"""Where more may be sent than elsewhere."""


def people_door(
    hub: Hub, admission: Admission, executor: Executor, *, knock: Callable[[str], None] = lambda _: None
) -> Door:
    """The ASGI application."""
    sign_ins = SignIns()
    fleet = [(method, path, right, _of_caller(ask)) for method, path, right, ask in FLEET_ROUTES]
    routes = [
        Route(
            method,
            path,
            _guarded(hub, sign_ins, path, action, handler),
            max_body_bytes=_LARGE_BYTES.get(path, channel.MAX_MESSAGE_BYTES),
        )
        for method, path, action, handler in (*fleet, *PEOPLE_ROUTES)
    ]
    return Door([*routes, *Page(hub, sign_ins).routes()], admission, executor, knock=knock)


def _guarded(
    hub: Hub, sign_ins: SignIns, path: str, action: Action, handler: Callable[[Hub, Caller, Call], Answer]
) -> Callable[[Call], Answer]:
    """The handler behind its right: it answers those who are known and may."""

    places = [each for each in path.split("/") if each.startswith("{")]
    at = places.index(_DEVICE) if _DEVICE in places else None

    def answer(call: Call) -> Answer:
        caller = sign_ins.caller(hub, call)
        demand(hub.store, caller.person, action, now_s=hub.clock(), object="/".join(call.named))
        if at is not None and only(caller.person):
            with hub.store.look() as tx:
                twins.visible(tx, caller.person, call.named[at])
        if hub.requires_reason and call.method != _READS:
            _demand_reason(call)
        return handler(hub, caller, call)

    return answer


def _demand_reason(call: Call) -> None:
    """Raise Rejected (HAL-785) for a change that does not say why, whatever it is."""
    if not channel.decode(call.body or b"{}", ReasonRequest).reason.strip():
        raise Rejected(
            "HAL-785", "this hub takes no change without a reason, for its audit log. Say why: --reason TEXT"
        )


def _of_caller(handler: _ForPerson) -> Callable[[Hub, Caller, Call], Answer]:
    return lambda hub, caller, call: handler(hub, caller.person, call)
