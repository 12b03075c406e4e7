"""A hub is away for ten minutes under steady requests: each is answered, and the fleet comes back spread out.

The short form of it is tests/integration/test_hub_away.py. Run by `make soak`, not by `make bench`.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from common import arguments, report

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "integration"))
from hub_away import take_away  # type: ignore[import-not-found]  # of the tests

MOST_AT_ONCE = 0.25
"""No more than this share of the devices may come back within one second: their waits are up to a minute."""


def main() -> int:
    """Run it; the exit code is 1 where a request was not answered, or a device is missing."""
    options = arguments(
        str(__doc__),
        away_s={"type": float, "default": 600.0, "help": "how long the hub is away"},
        devices={"type": int, "default": 20, "help": "devices that wait for it, beside the agent"},
    )
    with tempfile.TemporaryDirectory(prefix="halocline-soak-") as folder:
        came = take_away(Path(folder), away_s=options.away_s, devices=options.devices)
    values: dict[str, Any] = msgspec.to_builtins(came)
    at_most = {"unanswered": 0, "missing": 0, "most_in_a_second": MOST_AT_ONCE * options.devices}
    return report("soak_away", values, options, at_most=at_most)


if __name__ == "__main__":
    sys.exit(main())
