"""Say shares and intervals, and break lines, as people read them."""

import re
import shutil
import textwrap
from collections.abc import Sequence

from halocline.stats.bounds import Estimate

WIDEST = 110


def percent(share: float) -> str:
    """A share to a tenth of a percent, to a hundredth below one percent; only all is 100 %, only none 0 %."""
    return f"{_number(share)} %"


def interval(estimate: Estimate) -> str:
    """A share with its interval."""
    return f"{percent(estimate.value)} ({_number(estimate.low)}–{_number(estimate.high)})"  # noqa: RUF001 - a range


def threshold(value: float) -> str:
    """A threshold to six digits; one that lies closer to 1 than that by how much."""
    return f"1 - {1 - value:.3g}" if 0 < 1 - value < 1e-5 else f"{value:.6g}"


def short_digests(text: str) -> str:
    """The text with the heads of the digests in it: enough to tell one from another."""
    return re.sub(r"(sha256:[0-9a-f]{12})[0-9a-f]+", r"\1…", text)


def _number(share: float) -> str:
    if share in (0.0, 1.0):
        return f"{share * 100:.0f}"
    return f"{share * 100:.{2 if abs(share) < 0.01 else 1}f}"


def lines_of(text: str, *, first: str = "", rest: str = "") -> list[str]:
    """The text in lines that fit the terminal; none ends between a number and its percent sign."""
    width = min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST)
    lines = textwrap.wrap(
        text.replace(" %", "\xa0%"),
        max(width, 40),
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\xa0%", " %") for line in lines]


def print_block(pairs: Sequence[tuple[str, str]]) -> None:
    """Print names and what they stand for, one under the other, long ones over several lines."""
    width = max(len(name) for name, _ in pairs) + 2
    for name, text in pairs:
        for line in lines_of(text, first=f"{name:<{width}}", rest=" " * width):
            print(line)
