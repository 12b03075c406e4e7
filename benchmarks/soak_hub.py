"""Kill a hub 200 times, at named points and at any time, and count what was lost: it must be nothing.

The short form of it is tests/integration/test_hub_kills.py, which also shows that a hub that answers before
it commits is found out. Run by `make soak`, not by `make bench`: it takes several minutes.
"""

import itertools
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import SEED, arguments, report

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "integration"))
from hub_kills import ANY_TIME, POINTS, Campaign  # type: ignore[import-not-found]  # of the tests

ANY_TIME_OF_ALL = 5
"""Every fifth kill comes at any time, the others at the named points in turn."""


def main() -> int:
    """Run it; the exit code is 1 where a device was locked out or something acknowledged was gone."""
    options = arguments(
        str(__doc__), kills={"type": int, "default": 200, "help": "how often the hub is killed"}
    )
    rng = random.Random(SEED)
    named = itertools.cycle(POINTS)
    points = [ANY_TIME if at % ANY_TIME_OF_ALL == 0 else next(named) for at in range(options.kills)]
    rng.shuffle(points)
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="halocline-soak-") as folder:
        tally = Campaign(Path(folder), rng).run(points)
    print(tally.table(), *tally.faults, sep="\n", file=sys.stderr)
    values: dict[str, Any] = {
        "kills": sum(tally.kills.values()),
        "by_point": {name.replace(".", "/"): count for name, count in sorted(tally.kills.items())},
        "devices_as_before": tally.as_before,
        "faults": len(tally.faults),
        "took_s": round(time.monotonic() - began_s, 1),
    }
    is_whole = bool(tally.faults) or set(tally.kills) == {*POINTS, ANY_TIME}
    return report("soak_hub", values, options, at_most={"faults": 0}, valid=is_whole)


if __name__ == "__main__":
    sys.exit(main())
