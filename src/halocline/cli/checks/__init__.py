"""What `halocline doctor` looks at: each check is a line that says ok, warn or fail, and then the fix."""

from enum import StrEnum

import msgspec


class Status(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    """It works, and somebody will wonder about it later."""
    FAIL = "fail"


class Check(msgspec.Struct, frozen=True):
    """One thing looked at, what was seen, and what to do where it is not in order."""

    name: str
    status: Status
    detail: str
    fix: str = ""


def ok(name: str, detail: str) -> Check:
    """It is in order."""
    return Check(name, Status.OK, detail)


def warn(name: str, detail: str, fix: str) -> Check:
    """It works so far."""
    return Check(name, Status.WARN, detail, fix)


def fail(name: str, detail: str, fix: str) -> Check:
    """It does not work."""
    return Check(name, Status.FAIL, detail, fix)
