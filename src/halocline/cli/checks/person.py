"""Check how a person comes in at a hub: that it answers, whom it takes us for, and until when."""

from collections.abc import Iterator
from typing import Final

from halocline.adapters.contexts import choose
from halocline.adapters.http.door import Door
from halocline.adapters.http.people import PeopleDoor
from halocline.catalogue import CATALOGUE
from halocline.cli.at_hub import moment
from halocline.cli.checks import Check, fail, ok, warn
from halocline.cli.checks.door import check_clock, check_door, check_proxy
from halocline.cli.durations import said
from halocline.errors import HaloclineError

_ENDS_SOON_S: Final = 7 * 86_400.0


def check_person(hub: str | None, timeout_s: float) -> Iterator[Check]:
    """Every check of a hub that this user has signed in to: its name or URL, or the one signed in to last."""
    try:
        name, context = choose(hub)
        opened = Door(context.url, ca=context.ca.encode() or None, token=context.token, timeout_s=timeout_s)
    except HaloclineError as error:
        yield fail(f"hub {hub or ''}".rstrip(), str(error), CATALOGUE[error.code].fix)
        return
    with opened as door:
        yield check_proxy(f"hub {name} proxy", door)
        check, _ = check_door(f"hub {name}", door, lambda door: door.ask("GET", "/v1/me"))
        yield check
        if check.fix:
            return
        people = PeopleDoor(door)
        try:
            me, status = people.me(), people.status()
        except HaloclineError as error:
            yield fail(f"hub {name} token", str(error), CATALOGUE[error.code].fix)
            return
    yield _check_token(name, me.name, str(me.role), me.expires_s, status.now_s)
    yield check_clock(f"hub {name} clock", status.now_s)


def _check_token(hub: str, name: str, role: str, expires_s: float, now_s: float) -> Check:
    left_s = expires_s - now_s
    shown = f"{name}, {role}, until {moment(expires_s)}, for {said(max(left_s, 0.0))} more"
    if left_s < _ENDS_SOON_S:
        fix = "make another while this one is good: halocline token create, then halocline login"
        return warn(f"hub {hub} token", shown, fix)
    return ok(f"hub {hub} token", shown)
