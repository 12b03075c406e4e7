"""What is known of one answered request when it is decided whether its sample is worth sending."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec

from halocline.records import Array, Reason, Tier

Value: TypeAlias = str | float | bool
"""Of a piece of metadata."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A sample that may be sent, without the sample itself.

    `label`, `confidence` (in [0, 1], or NO_CONFIDENCE) and `novelty` are what the edge model and its policy
    said, whichever tier answered; `novelty_cut` is the policy's. `payload_bytes` is what sending takes.
    `sketch`, asked only of a sample that a rule wants, gives what near-duplicates are known by (see
    `decide/sketch.py`).
    """

    id: str
    confidence: float
    tier: Tier
    reason: Reason
    payload_bytes: int
    label: str | None = None
    novelty: float | None = None
    novelty_cut: float | None = None
    degraded: bool = False
    source: str | None = None
    group: str | None = None
    metadata: Mapping[str, Value] = {}
    sensors: Mapping[str, float] = {}
    sketch: Callable[[], Array] | None = None
