"""Decide whether what the hub wants of a device can be done, all or nothing; the one place of its limits."""

import math
from collections.abc import Iterable
from typing import Final

from halocline.fleet import ModelSettings, Settings

LEAST_POLL_S: Final = 1.0
MOST_POLL_S: Final = 86_400.0
LEAST_LONG_POLL_S: Final = 5.0
MOST_LONG_POLL_S: Final = 300.0
"""Longer than proxies and gateways between keep a silent connection; 0 switches waiting off."""
LEAST_DEADLINE_S: Final = 0.001
MOST_DEADLINE_S: Final = 3600.0


def fault(settings: Settings) -> str:
    """The value that no device can use, and its range; empty where there is none."""
    for name, wanted in settings.models.items():
        reason = _model_fault(wanted)
        if reason:
            return f"{name[:80]}: {reason}"
    return _outside("poll_s", settings.poll_s, LEAST_POLL_S, MOST_POLL_S) or _outside(
        "long_poll_s", settings.long_poll_s or None, LEAST_LONG_POLL_S, MOST_LONG_POLL_S
    )


def refusal(settings: Settings, models: Iterable[str]) -> str:
    """Why a device that serves these models cannot take these settings; empty where it can."""
    known = sorted(models)
    for name in settings.models:
        if name not in known:
            return f"no model {name[:80]!r} is served here; there is {', '.join(known) or 'none'}"
    return fault(settings)


def _model_fault(wanted: ModelSettings) -> str:
    threshold = wanted.threshold
    if threshold is not None and not 0 <= threshold <= 1:
        meant = f". Did you mean {threshold / 100:g}?" if 1 < threshold <= 100 else ""
        return f"threshold must be in [0, 1], got {threshold:g}{meant}"
    return _outside("deadline_s", wanted.deadline_s, LEAST_DEADLINE_S, MOST_DEADLINE_S)


def _outside(name: str, value_s: float | None, least_s: float, most_s: float) -> str:
    if value_s is None or (math.isfinite(value_s) and least_s <= value_s <= most_s):
        return ""
    return f"{name} must be in [{least_s:g}, {most_s:g}] seconds, got {value_s:g}"
