"""halocline doctor: check what usually goes wrong, and say the fix."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from halocline.cli import FAILED
from halocline.cli.checks import Check, Status
from halocline.cli.checks.machine import check_machine
from halocline.cli.checks.model import check_model
from halocline.cli.output import Json, print_json
from halocline.errors import Misconfigured

if TYPE_CHECKING:
    pass


def doctor(
    *places: str,
    token: str | None = None,
    ca: Path | None = None,
    cert: Path | None = None,
    timeout_s: float = 5.0,
    json: Json = False,
) -> int:
    """Check this machine, model files and servers for what usually goes wrong, and say the fix.

    One line a check: ok, warn or fail. The exit code is 1 where one fails.

    Examples
    --------
    halocline doctor edge.onnx

    Parameters
    ----------
    places
        Model files, and URLs of models or servers, as in https://HOST:PORT/v2/models/NAME.
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
    done = []
    for check in _checks(places, token, ca, cert, timeout_s):
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
