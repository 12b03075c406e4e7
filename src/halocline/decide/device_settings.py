"""Decide whether what the hub wants of a device can be done, all of it or nothing."""

from collections.abc import Iterable
from typing import Final

from halocline.fleet import ModelSettings, Settings

LEAST_POLL_S: Final = 1.0
MOST_POLL_S: Final = 86_400.0
MOST_DEADLINE_S: Final = 3600.0


def refusal(settings: Settings, models: Iterable[str]) -> str:
    """Why a device that serves these models cannot take these settings; empty where it can."""
    known = sorted(models)
    for name, wanted in settings.models.items():
        if name not in known:
            return f"no model {name[:80]!r} is served here; there is {', '.join(known) or 'none'}"
        reason = _model_refusal(wanted)
        if reason:
            return f"{name}: {reason}"
    if settings.poll_s is not None and not LEAST_POLL_S <= settings.poll_s <= MOST_POLL_S:
        return f"poll_s must be in [{LEAST_POLL_S:g}, {MOST_POLL_S:g}] seconds, got {settings.poll_s!r}"
    return ""


def _model_refusal(wanted: ModelSettings) -> str:
    if wanted.threshold is not None and not 0 <= wanted.threshold <= 1:
        return f"threshold must be in [0, 1], got {wanted.threshold!r}"
    if wanted.deadline_s is not None and not 0 < wanted.deadline_s <= MOST_DEADLINE_S:
        return f"deadline_s must be above 0, {MOST_DEADLINE_S:g} seconds at most, got {wanted.deadline_s!r}"
    return ""
