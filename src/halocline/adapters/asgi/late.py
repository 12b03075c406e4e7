"""Answer a program that asks what the cloud said too late: at once, or as soon as there is something."""

import asyncio
import contextlib
import math
from typing import Final
from urllib.parse import parse_qs

from halocline.adapters.asgi.answers import Answer
from halocline.errors import Rejected
from halocline.serving.admission import Admission
from halocline.serving.late import LateVerdicts
from halocline.wire.late import encode_late

MOST_WAIT_S: Final = 60.0
_LOOK_S: Final = 0.5
"""A reader who waits holds up a server that stops for no longer than this."""
_MOST_NUMBER: Final = 2**63 - 1


async def corrections(late: LateVerdicts, query: bytes, admission: Admission) -> Answer:
    """What came after the number that the query gives. Raises Rejected (HAL-774)."""
    after, wait_s = _asked(query)
    loop = asyncio.get_running_loop()
    until_s = loop.time() + wait_s
    arrived = asyncio.Event()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits there
            loop.call_soon_threadsafe(arrived.set)

    with late.listening(wake):
        while True:
            told = late.after(after)
            left_s = until_s - loop.time()
            if told.corrections or left_s <= 0 or admission.draining:
                return Answer(200, encode_late(told))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, _LOOK_S)):
                    await arrived.wait()
            arrived.clear()


def _asked(query: bytes) -> tuple[int, float]:
    try:
        given = parse_qs(query.decode("latin-1"), keep_blank_values=True, max_num_fields=8)
    except ValueError:
        raise Rejected("HAL-774", "the query has more than 8 fields; there are after and wait_s") from None
    for name in given:
        if name not in ("after", "wait_s"):
            raise Rejected("HAL-774", f"the query has {name[:40]!r}; there are after and wait_s")
    after, wait = (given.get(name, ["0"])[-1] for name in ("after", "wait_s"))
    if not (after.isascii() and after.isdecimal() and len(after) < 20 and int(after) <= _MOST_NUMBER):
        raise Rejected(
            "HAL-774", f"after must be the `next` of an earlier answer, a number, got {after[:40]!r}"
        )
    try:
        wait_s = float(wait)
    except ValueError:
        wait_s = math.nan
    if not 0 <= wait_s <= MOST_WAIT_S:
        raise Rejected("HAL-774", f"wait_s must be in [0, {MOST_WAIT_S:g}] (seconds), got {wait[:40]!r}")
    return int(after), wait_s
