"""Check one door of a hub: that it answers, that it is the hub's, and what it says of the time."""

import os
import time
from collections.abc import Callable
from typing import Final

from halocline.adapters.http.door import Asked, Door, raise_for
from halocline.catalogue import CATALOGUE
from halocline.cli.checks import Check, fail, ok, warn
from halocline.cli.output import seconds
from halocline.errors import HaloclineError

APART_S: Final = 60.0
_SEEN: Final = "seen: a certificate issued by "


def check_door(name: str, door: Door, ask: Callable[[Door], Asked]) -> tuple[Check, Asked | None]:
    """Ask it one thing; the check, and the answer where there is one."""
    began_s = time.perf_counter()
    try:
        asked = ask(door)
        raise_for(asked)
    except HaloclineError as error:
        return _failed(name, door.url, error), None
    return ok(name, f"{door.url} answers in {seconds(time.perf_counter() - began_s)}"), asked


def check_proxy(name: str, door: Door) -> Check:
    """Which way the environment sends us; what a proxy's variable holds beside its host is not shown."""
    found = sorted(each for each in os.environ if each.lower().endswith("_proxy") and os.environ[each])
    given = f" (set: {', '.join(found)})" if found else ""
    return ok(name, f"{door.url} by way of {door.proxy}{given}" if door.proxy else f"none{given}")


def check_clock(name: str, theirs_s: float, *, so: str = "") -> Check:
    """How far this machine's clock is from the hub's, and what follows."""
    apart_s = time.time() - theirs_s
    text = f"ours is {abs(apart_s):.0f} s {'ahead of' if apart_s > 0 else 'behind'} the hub's"
    if abs(apart_s) <= APART_S:
        return ok(name, "agrees with the hub's")
    return warn(name, text + so, "set the clock of the machine that is wrong: timedatectl set-ntp true")


def _failed(name: str, url: str, error: HaloclineError) -> Check:
    """With who was seen there, where somebody else answers: TLS that is inspected, as a rule."""
    _, seen, issuer = error.message.partition(_SEEN)
    if error.code == "HAL-722" and seen:
        place = url.removeprefix("https://")
        return fail(
            name,
            f"{error}",
            f"if {issuer.rstrip(')')} is a proxy that inspects TLS, have it let {place} pass as it is, or "
            f"go round it: export NO_PROXY={place.rpartition(':')[0]}",
        )
    return fail(name, str(error), CATALOGUE[error.code].fix)
