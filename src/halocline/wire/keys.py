"""What is known of a key in a file that people write, and whether a value can be meant by it."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

import msgspec

from halocline.errors import Misconfigured

_TYPES: Final = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
_OTHER_UNITS: Final = {"confidence": 100, "share": 100, "seconds": 1000}
"""In percent, or in milliseconds, a number is so many times as large."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one key: its unit or kind, its range, and what it is for."""

    kind: type
    unit: str
    about: str
    low: float | None = None
    high: float | None = None
    above: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def span(self) -> str:
        """The range as people read it."""
        if self.choices:
            return ", ".join(self.choices)
        if self.above is not None:
            return f"above {self.above:g}, {self.high:g} at most"
        return f"in [{self.low:g}, {self.high:g}]" if self.low is not None else ""

    def allows(self, value: float) -> bool:
        """Whether a number lies in the range."""
        if self.above is not None and value <= self.above:
            return False
        return (self.low is None or self.low <= value) and (self.high is None or value <= self.high)

    def checked(self, at: str, value: Any, code: str) -> Any:
        """The value, a whole number made a float where one is wanted.

        Raises Misconfigured, with that code, for one of another type, out of its range or no choice; `at`
        names the key in the message.
        """
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, self.kind) or (isinstance(value, bool) and self.kind is not bool):
            raise Misconfigured(code, f"{at} must be {_TYPES[self.kind]} ({self.unit}), got {value!r}")
        if isinstance(value, str):
            if self.choices and value not in self.choices:
                meant = near(value, self.choices)
                raise Misconfigured(code, f"{at} must be one of {self.span}, got {value!r}. {meant}")
        elif isinstance(value, int | float) and not isinstance(value, bool) and not self.allows(value):
            meant = self._meant(value)
            raise Misconfigured(code, f"{at} must be {self.span} ({self.unit}), got {value!r}{meant}")
        return value

    def _meant(self, value: float) -> str:
        """What was probably meant by a number in another unit."""
        part = _OTHER_UNITS.get(self.unit)
        if part is None or value <= 1 or not self.allows(value / part):
            return ""
        return f". Did you mean {value / part:g}?"


def near(word: str, known: Sequence[str]) -> str:
    """The known word that was probably meant, or all of them."""
    found = get_close_matches(word, known, 1, 0.6)
    return f"Did you mean {found[0]!r}?" if found else f"Known are {', '.join(known)}"


def check_names(at: str, given: Mapping[str, Any], known: Sequence[str], code: str) -> None:
    """Raise Misconfigured, with that code, for a key that is not known; `at` stands before its name."""
    for name in given:
        if name not in known:
            raise Misconfigured(code, f"{at}{name} is not a key. {near(name, known)}")
