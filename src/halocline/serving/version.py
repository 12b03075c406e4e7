"""Order model versions as people mean them: 10 after 9, 1.10 after 1.9, 1.0-rc1 before 1.0."""

import re
from typing import Final

# A word makes a version a pre-release, which comes before its end; a further number comes after it.
_WORD, _END, _NUMBER = 0, 1, 2
_PARTS: Final = re.compile(r"[0-9]+|[A-Za-z]+")


def version_key(version: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key: numbers compare as numbers and after words, so that 1.0-rc2 comes before 1.0."""
    key: list[tuple[int, int, str]] = []
    for part in _PARTS.findall(version):
        if part.isdigit():
            key.append((_NUMBER, int(part), ""))
        else:
            _drop_zeros(key)
            key.append((_WORD, 0, part.lower()))
    _drop_zeros(key)
    return (*key, (_END, 0, ""))


def _drop_zeros(key: list[tuple[int, int, str]]) -> None:
    """1.0 and 1 are the same version, before a word as at the end."""
    while key and key[-1] == (_NUMBER, 0, ""):
        key.pop()
