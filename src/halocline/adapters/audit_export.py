"""Write an audit log as JSON lines, an entry a line with its place in the chain, and read it back."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from halocline.errors import Misconfigured, Rejected
from halocline.fleet import Link
from halocline.whole_files import write_parts

_LONGEST_BYTES: Final = 1 << 20


def write_log(path: Path, links: Iterable[Link]) -> int:
    """Put the whole log there, or nothing; how many entries. Raises Misconfigured (HAL-103)."""
    count = 0

    def lines() -> Iterator[bytes]:
        nonlocal count
        for link in links:
            count += 1
            yield msgspec.json.encode(link) + b"\n"

    try:
        write_parts(path, lines())
    except OSError as error:
        raise Misconfigured("HAL-103", f"{path} cannot be written: {error.strerror or error}") from None
    return count


class Log:
    """An exported audit log; what it holds is known once it was read through."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.unread: list[int] = []
        """The lines that are no entry."""
        self.newest: dict[str, int] = {}
        """The last number of each chain."""
        self.entries = 0

    def read(self) -> Iterator[Link]:
        """Its entries in their order. Raises Rejected (HAL-759) where it cannot be read, or holds none."""
        try:
            with self._path.open("rb") as file:
                number = 0
                while line := file.readline(_LONGEST_BYTES):
                    number += 1
                    try:
                        link = msgspec.json.decode(line, type=Link)
                    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                        self.unread.append(number)
                        continue
                    self.entries += 1
                    self.newest[link.chain] = link.number
                    yield link
        except OSError as error:
            raise Rejected("HAL-759", f"{self._path} cannot be read: {error.strerror or error}") from None
        if not self.entries and self.unread:
            raise Rejected(
                "HAL-759",
                f"{self._path} is no audit log. Expected JSON lines. Try: halocline audit export --to FILE",
            )
