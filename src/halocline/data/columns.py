"""Tell by its name what a column of a table holds."""

from collections.abc import Sequence
from typing import NamedTuple

from halocline.errors import Misconfigured

PATHS = ("file", "path", "filename", "file_name", "filepath", "image", "audio")
LABELS = ("label", "labels", "y", "class", "target", "in_anomaly_window")
GROUPS = ("group", "groups")
TIMES = ("timestamp", "time", "date", "datetime")


class Columns(NamedTuple):
    """Where each kind of column stands; None where there is none."""

    path: int | None
    label: int | None
    group: int | None
    time: int | None

    def taken(self) -> set[int]:
        """The places of them all."""
        return {at for at in self if at is not None}


def columns_of(names: Sequence[str], where: object) -> Columns:
    """The columns by name, whatever its case. Raises Misconfigured (HAL-322) where two claim a place."""
    lowered = [name.strip().lower() for name in names]
    return Columns(*(_place(lowered, wanted, where) for wanted in (PATHS, LABELS, GROUPS, TIMES)))


def _place(names: Sequence[str], wanted: Sequence[str], where: object) -> int | None:
    found = [at for at, name in enumerate(names) if name in wanted]
    if len(found) > 1:
        both = " and ".join(names[at] for at in found)
        raise Misconfigured("HAL-322", f"{where} has both {both}, which mean the same here; keep one of them")
    return found[0] if found else None
