"""What a threshold promises, to whom, and what that rests on."""

from collections.abc import Mapping
from typing import Literal

import msgspec


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """What tiered loses against the cloud alone at most, and how surely; or why nothing is promised.

    An answer is lost where it was given at the edge, is wrong, and the cloud's would have been right.

    `scope` is "rows" (for more rows like the ones tuned on), "groups" (for new patients, speakers or
    devices like the ones tuned on), "share" (no loss is promised, a share of escalations is held) or
    "none". `max_loss` is the share of answers lost at most, and `alpha` the probability, over the
    drawing of the data tuned on, that the promise does not hold; both are None where no loss is
    promised. `certified_loss` is the smallest loss that these data prove at this threshold with
    confidence 1 - alpha; it is the one promised, so it equals `max_loss`, and lies above the loss asked
    for where the data were too few for that (`reason` says so). `rows` and `groups` are counts of the
    evidence. `share` is the share of rows to send up where scope is "share". `class_floors` are the
    recalls by class that are promised along with the loss, at the same `alpha`. `reason` says in plain
    words what the promise rests on, or why there is none and how much data would do.
    """

    scope: Literal["rows", "groups", "share", "none"]
    reason: str
    max_loss: float | None = None
    alpha: float | None = None
    rows: int = 0
    groups: int | None = None
    certified_loss: float | None = None
    share: float | None = None
    class_floors: Mapping[int, float] = {}
