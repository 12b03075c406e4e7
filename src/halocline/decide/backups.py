"""Decide whether a hub's backups have failed: the last one did, or the last good one is too old."""

import msgspec

from halocline.decide.alerts import Failure


class Backups(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the backups of a hub; times are seconds since 1970."""

    made_s: float | None = None
    """When the last good one was made."""
    failed_s: float | None = None
    """Since when they fail; None where the last one was good."""
    cause: str = ""
    version: int = 1


def backup_failure(
    backups: Backups, *, begun_s: float, every_s: float | None, now_s: float
) -> Failure | None:
    """What is wrong with the backups of a hub that began at `begun_s`; None where nothing is.

    With `every_s`, a good one is wanted that often; without, only a failure is wrong.
    """
    if backups.failed_s is not None:
        return Failure(since_s=backups.failed_s, cause=backups.cause)
    if every_s is None:
        return None
    last_s = begun_s if backups.made_s is None else backups.made_s
    if now_s - last_s <= every_s:
        return None
    last = (
        "none was ever made"
        if backups.made_s is None
        else f"the last good one is {_hours(now_s - last_s)} old"
    )
    return Failure(since_s=last_s + every_s, cause=f"{last}, and one each {_hours(every_s)} is wanted")


def _hours(duration_s: float) -> str:
    return f"{duration_s / 3600:.1f} h".replace(".0 h", " h")
