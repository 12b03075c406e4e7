"""Samples to decide about, with everything that a test does not care for filled in."""

from typing import Any

from halocline.decide.candidate import Candidate
from halocline.records import Reason, Tier


def candidate(name: str = "a", **changed: Any) -> Candidate:
    facts: dict[str, Any] = {
        "id": name,
        "confidence": 0.9,
        "label": "person",
        "tier": Tier.EDGE,
        "reason": Reason.CONFIDENT,
        "payload_bytes": 1_000,
    }
    return Candidate(**{**facts, **changed})
