"""halocline doctor: check what usually goes wrong, and say the fix."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import msgspec

from halocline.cli import FAILED
from halocline.cli.checks import Check, Status
from halocline.cli.checks.machine import check_machine
from halocline.cli.checks.model import check_model
from halocline.cli.output import Json, print_json
from halocline.errors import Misconfigured
from halocline.extras import need


def doctor(
    *places: str,
    state: Path | None = None,
    config: Path | None = None,
    hub_state: Path | None = None,
    ports: str = "8443,8444,8445",
    hub: str | None = None,
    token: str | None = None,
    ca: Path | None = None,
    cert: Path | None = None,
    timeout_s: float = 5.0,
    json: Json = False,
) -> int:
    """Check this machine, models, servers, a device or a hub for what usually goes wrong, and say the fix.

    One line a check: ok, warn or fail. The exit code is 1 where one fails. On a device give --state, where
    a hub runs --hub-state, and where a person works --hub.

    Examples
    --------
    halocline doctor edge.onnx

    Parameters
    ----------
    places
        Model files, and URLs of models or servers, as in https://HOST:PORT/v2/models/NAME.
    state
        The state folder of a device (of a hub, it is taken as --hub-state): its identity, certificate and
        clock, and its hub's doors.
    config
        For --state: what the agent serves; the files that it names are looked for.
    hub_state
        The state folder of a hub: modes, database, authority, names, disk and ports.
    ports
        For --hub-state: the hub's ports for devices, people and joining.
    hub
        A hub signed in to, its name or URL: whether it answers, and whom it takes you for.
    token
        For URLs: the bearer token, as env:NAME or file:PATH.
    ca
        For URLs: the authority to trust instead of the system's, PEM.
    cert
        For URLs: a client certificate with its key, PEM.
    timeout_s
        For URLs: seconds that each step may take.
    json
        Print one JSON object on stdout and nothing else.
    """
    if not timeout_s > 0:
        raise Misconfigured("HAL-101", f"--timeout-s must be above 0, got {timeout_s}")
    if config is not None and state is None:
        raise Misconfigured("HAL-102", "--config is for a device: give its --state, too")
    if state is not None and hub_state is None and _is_hub(state):
        state, hub_state = None, state
    here = Here(state=state, config=config, hub_state=hub_state, ports=_ports(ports), hub=hub)
    done = []
    for check in chain(_checks(places, token, ca, cert, timeout_s), ends(here, timeout_s)):
        done.append(check)
        if not json:
            _print(check)
    counts = Counter(check.status for check in done)
    failed = counts[Status.FAIL] > 0
    if json:
        print_json({"ok": not failed, "checks": done})
    else:
        print(", ".join(f"{counts[status]} {status}" for status in Status))
    return FAILED if failed else 0


class Here(msgspec.Struct, frozen=True, kw_only=True):
    """What of a fleet is here: a device, a hub, a person of one."""

    state: Path | None = None
    config: Path | None = None
    hub_state: Path | None = None
    ports: tuple[int, ...] = ()
    hub: str | None = None


def ends(here: Here, timeout_s: float) -> Iterator[Check]:
    """The checks of what is here."""
    if here.state is not None:
        need("agent", "cryptography", what="a device's identity")
        from halocline.cli.checks.device import check_device

        yield from check_device(here.state.expanduser(), here.config, timeout_s)
    if here.hub_state is not None:
        need("hub", "cryptography", "alembic", what="a hub's state")
        from halocline.cli.checks.hub_state import check_hub

        yield from check_hub(here.hub_state.expanduser(), here.ports, timeout_s)
    if here.hub is not None:
        from halocline.cli.checks.person import check_person

        yield from check_person(here.hub, timeout_s)


def _is_hub(state: Path) -> bool:
    from halocline.cli.checks.hub_state import is_hub

    return is_hub(state.expanduser())


def _ports(text: str) -> tuple[int, ...]:
    """Three ports. Raises Misconfigured (HAL-101)."""
    words = text.split(",")
    if len(words) != 3 or not all(word.isdecimal() and 0 < int(word) < 65_536 for word in words):
        raise Misconfigured(
            "HAL-101", f"--ports are three, of devices, people and joining, as 8443,8444,8445; got {text!r}"
        )
    return tuple(map(int, words))


def _checks(
    places: tuple[str, ...], token: str | None, ca: Path | None, cert: Path | None, timeout_s: float
) -> Iterator[Check]:
    yield from check_machine()
    for place in places:
        if "://" in place:
            from halocline.cli.checks.cloud import Access, check_cloud

            yield from check_cloud(place, Access(token, ca, cert, timeout_s))
        else:
            yield from check_model(Path(place))


def _print(check: Check) -> None:
    print(f"{check.status:<4}  {check.name}: {check.detail}")
    if check.fix:
        print(f"      fix: {check.fix}")
