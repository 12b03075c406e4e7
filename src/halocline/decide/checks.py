"""Check numbers that people give, each with its name and its range in the error."""

import math
from numbers import Integral, Real

from halocline.errors import Misconfigured


def check_number(name: str, value: object, low: float, high: float, *, whole: bool = False) -> None:
    """Raise Misconfigured (HAL-101) unless the value is a number (a whole one) in [low, high]."""
    kind: type = Integral if whole else Real
    if isinstance(value, kind) and not isinstance(value, bool) and low <= value <= high:  # type: ignore[operator]
        return
    what = "a whole number " if whole else ""
    bounds = f"of {low:g} or more" if math.isinf(high) else f"in [{low:g}, {high:g}]"
    raise Misconfigured("HAL-101", f"{name} must be {what}{bounds}, got {value!r}")
