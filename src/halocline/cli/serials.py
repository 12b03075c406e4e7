"""Read a list of serial numbers as people keep them: a CSV file, each number once, faults named by line."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from halocline.errors import Misconfigured

MAX_SERIALS: Final = 100_000
MAX_CHARS: Final = 128
_HEADERS: Final = frozenset({"serial", "serials", "serialno", "serialnumber", "sn"})
"""What the column may be called, whatever stands between the letters."""


def read_serials(path: Path) -> list[str]:
    """The serial numbers in the file, in its order.

    Of several columns the one called `serial` counts; a single column needs no header. Raises Misconfigured
    (HAL-777).
    """
    found: dict[str, int] = {}
    for line, serial in _cells(path):
        if not serial or len(serial) > MAX_CHARS or not serial.isprintable():
            seen = repr(serial[:40]) if serial else "none"
            raise _refused(path, line, f"a serial has 1 to {MAX_CHARS} printable characters, got {seen}")
        if serial in found:
            raise _refused(path, line, f"{serial} stands in line {found[serial]} already. Remove one of them")
        if len(found) == MAX_SERIALS:
            raise _refused(path, line, f"one invite takes {MAX_SERIALS} serials. Make two lists of it")
        found[serial] = line
    if not found:
        raise Misconfigured("HAL-777", f"--serials: {path} holds no serial number; expected one a line")
    return list(found)


def _cells(path: Path) -> Iterator[tuple[int, str]]:
    """Each serial and its line; empty lines are passed over."""
    lines = list(io.StringIO(_text(path), newline=""))
    reader = csv.reader(lines, delimiter=_delimiter(lines), strict=True)
    at: int | None = None
    while True:
        first_line = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise _refused(path, first_line, f"it is no CSV ({error}). Is a quote open?") from None
        if row is None:
            return
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if at is None:
            at, is_header = _column(path, first_line, cells)
            if is_header:
                continue
        yield first_line, cells[at] if at < len(cells) else ""


def _column(path: Path, line: int, cells: list[str]) -> tuple[int, bool]:
    """Which column counts, and whether this first line is the header that says so."""
    words = [re.sub("[^a-z]", "", cell.lower()) if not re.search("[0-9]", cell) else "" for cell in cells]
    named = [at for at, word in enumerate(words) if word in _HEADERS]
    if named:
        return named[0], True
    if len(cells) > 1:
        columns = ", ".join(repr(cell[:20]) for cell in cells[:5])
        raise _refused(
            path, line, f"none of its columns is called serial: {columns}. Name the one that counts"
        )
    return 0, False


def _delimiter(lines: list[str]) -> str:
    """What parts the columns: a comma, or what spreadsheets write in its place."""
    first = next((line for line in lines if line.strip()), "")
    return max(",;\t", key=first.count)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Misconfigured("HAL-777", f"--serials: {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Misconfigured(
            "HAL-777", f"--serials: {path} is no text in UTF-8. Save it as CSV, UTF-8, and try again"
        ) from None


def _refused(path: Path, line: int, why: str) -> Misconfigured:
    return Misconfigured("HAL-777", f"--serials: {path}, line {line}: {why}")
