"""Decide what may be a name, and what labels a device may have."""

import re
from collections.abc import Mapping
from typing import Final

from halocline.errors import Rejected
from halocline.fleet import NAME

MAX_LABELS: Final = 32

_NAME: Final = re.compile(NAME)


def check_name(what: str, name: str) -> None:
    """Raise Rejected (HAL-102) for what is no name; `what` says a name of what it was to be."""
    if not _NAME.fullmatch(name):
        raise Rejected(
            "HAL-102",
            f"a {what} is called by letters, digits and . _ -, at most 63, the first a letter or digit; "
            f"got {name[:80]!r}",
        )


def check_labels(labels: Mapping[str, str]) -> None:
    """Raise Rejected (HAL-101, HAL-102) for labels that a device cannot have."""
    if len(labels) > MAX_LABELS:
        raise Rejected("HAL-101", f"{len(labels)} labels; a device has at most {MAX_LABELS}")
    for name, value in labels.items():
        check_name("label", name)
        check_name("label's value", value)
