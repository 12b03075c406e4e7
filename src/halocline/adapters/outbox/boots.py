"""Count the starts of a queue in a file of its own, so that the count survives a damaged database."""

import re
from pathlib import Path
from typing import Final

import msgspec

from halocline.whole_files import write_file

_ASIDE: Final = re.compile(r"\.damaged-(\d+)")


class Boots(msgspec.Struct, frozen=True):
    """How often the queue was opened, and how many databases were set aside as damaged."""

    boot: int = 0
    damaged: int = 0


def read(path: Path) -> Boots:
    """What the file says, and what the names of databases that were set aside say."""
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=Boots)
    except (OSError, msgspec.DecodeError):
        kept = Boots()
    stem = path.with_suffix(".db").name
    # No name of a database set aside is shorter than the base's and none of its companions counts.
    names = [name for entry in path.parent.glob(f"{stem}.damaged-*") if _is_main(name := entry.name)]
    highest = max((int(found[1]) for name in names if (found := _ASIDE.search(name))), default=0)
    return Boots(max(kept.boot, highest), max(kept.damaged, len(names)))


def write(path: Path, boots: Boots) -> None:
    """Keep it. Raises OSError."""
    write_file(path, msgspec.json.encode(boots))


def _is_main(name: str) -> bool:
    return not name.endswith(("-wal", "-shm", "-journal"))
