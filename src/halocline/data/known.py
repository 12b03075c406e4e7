"""Turn labels and groups as they were read into arrays, and cut groups out of names."""

import re
from collections.abc import Sequence

import numpy as np

from halocline.data.dataset import BadRow
from halocline.errors import Misconfigured
from halocline.records import Array


def as_array(values: Sequence[str]) -> Array:
    """An array of the names, or of whole numbers where every one of them is written as such."""
    if values and all(each == "0" or (each.isdecimal() and each[0] != "0") for each in set(values)):
        return np.asarray([int(each) for each in values], dtype=np.int64)
    return np.asarray(values, dtype=np.str_)


def pattern_of(text: str | None) -> re.Pattern[str] | None:
    """The expression that finds a group in a name. Raises Misconfigured (HAL-325) where it is none."""
    if text is None:
        return None
    try:
        return re.compile(text)
    except re.error as exc:
        raise Misconfigured(
            "HAL-325", f"--group-by must be a regular expression, got {text!r} ({exc})"
        ) from None


def no_names(where: object, remedy: str) -> Misconfigured:
    """What to say to --group-by where the data hold no file names."""
    return Misconfigured("HAL-325", f"--group-by looks into file names, and {where} holds none: {remedy}")


def group_in(name: str, pattern: re.Pattern[str]) -> str | None:
    """What the expression finds in the name: its part in parentheses, or else all that it matches."""
    found = pattern.search(name)
    if found is None:
        return None
    return found.group(1) if pattern.groups else found.group(0)


def check_found(groups: Sequence[str], bad: Sequence[BadRow], pattern: re.Pattern[str], why: str) -> None:
    """Raise Misconfigured (HAL-325) where the expression matched no name at all."""
    missed = [row for row in bad if row.why == why]
    if not groups and missed:
        raise Misconfigured(
            "HAL-325",
            f"--group-by {pattern.pattern!r} matches none of the {len(missed)} names, such as "
            f"{missed[0].name!r}. Try: --group-by '([^/_]+)_' for what stands before the first _",
        )
