"""Write figures as people read them, each with the number it stands for."""

import math
from html import escape

from halocline.decide.told import signed_points
from halocline.stats.bounds import Estimate


def figure(value: float, told: str) -> str:
    """A figure on the page: the text that people read, and the exact value that JSON has."""
    kept = escape(told).replace(" ", "&nbsp;")  # no line ends between a number and its unit
    return f'<data value="{value!r}">{kept}</data>'


def text(line: str) -> str:
    """A line of words on the page; no line ends between a number and its percent sign."""
    return escape(line).replace(" %", "&nbsp;%")


def percent(share: float) -> str:
    """A share, to a tenth of a percent, a hundredth below one; only all is 100 %, only none 0 %."""
    return figure(share, f"{_number(share)} %")


def interval(estimate: Estimate) -> str:
    """The interval of a share, which is not to be parted."""
    low, high = _number(estimate.low), f"{_number(estimate.high)} %"
    return f'<span class="range">{figure(estimate.low, low)}–{figure(estimate.high, high)}</span>'  # noqa: RUF001


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return figure(difference, signed_points(difference))


def count(number: float) -> str:
    """A count, with separators."""
    return figure(number, f"{number:,.0f}")


def usd(amount: float) -> str:
    """Dollars, to the cent, or to two digits that count where it is less."""
    if amount == 0:
        return figure(amount, "$0")
    digits = 2 if amount >= 1 else 1 - math.floor(math.log10(amount))
    return figure(amount, f"${amount:,.{digits}f}")


def megabytes(count_bytes: float) -> str:
    """Bytes in a unit that fits."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count_bytes >= size:
            return figure(count_bytes, f"{count_bytes / size:.3g} {unit}")
    return figure(count_bytes, f"{count_bytes:.0f} B" if count_bytes else "0 MB")


def milliseconds(value_s: float) -> str:
    """A duration in a unit that fits."""
    if value_s >= 1:
        return figure(value_s, f"{value_s:.2f} s")
    ms = value_s * 1e3
    return figure(value_s, f"{ms:.3g} ms" if ms >= 1 else f"{value_s * 1e6:.0f} µs")


def short(value: float) -> str:
    """Any other number, to three digits that count."""
    return figure(value, f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.3g}")


def threshold(value: float) -> str:
    """A threshold; one that lies close to 1 by how much, as rounding would hide it."""
    return figure(value, f"1 − {1 - value:.3g}" if 0 < 1 - value < 1e-4 else f"{value:.4g}")  # noqa: RUF001


def _number(share: float) -> str:
    if share in (0.0, 1.0):
        return f"{share * 100:.0f}"
    return f"{share * 100:.{2 if abs(share) < 0.01 else 1}f}"
