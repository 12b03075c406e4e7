"""Order model versions as people mean them: 10 after 9, 1.10 after 1.9, 1.0-rc1 before 1.0."""

import re
from typing import Final

_PARTS: Final = re.compile(r"[0-9]+|[A-Za-z]+")


def version_key(version: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key: numbers compare as numbers and after words, so that 1.0-rc2 comes before 1.0."""
    parts = [
        (1, int(part), "") if part.isdigit() else (-1, 0, part.lower()) for part in _PARTS.findall(version)
    ]
    while parts and parts[-1] == (1, 0, ""):
        parts.pop()
    # The end of a version sorts between a word (a pre-release) and a number (a later part).
    return (*parts, (0, 0, ""))


def _part(part: str) -> tuple[int, int, str]:
    return (1, int(part), "") if part.isdigit() else (-1, 0, part.lower())
