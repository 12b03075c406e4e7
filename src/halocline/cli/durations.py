"""Read and say durations as people write them: 30s, 10m, 1h, 30d."""

import re
from typing import Final

from halocline.errors import Rejected
from halocline.hub.saying import duration_said as said

__all__ = ["read_duration", "said"]

_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_WRITTEN: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|[smhdw])")


def read_duration(flag: str, text: str) -> float:
    """The seconds of `90s` or `1h30m`. Raises Rejected (HAL-757)."""
    parts = _WRITTEN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        hint = f". Did you mean {text}s?" if re.fullmatch(r"\d{1,9}", text) else ""
        raise Rejected(
            "HAL-757", f"{flag} is a duration such as 30s, 10m, 1h or 30d, got {text[:40]!r}{hint}"
        )
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)
