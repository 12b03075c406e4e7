"""Look at each file that a folder or a table lists, and keep those that can be used."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from halocline.data.dataset import BadRow, Content, Dataset, Kind, Progress
from halocline.data.files import READ, content_of, look, samples_of
from halocline.data.known import as_array, check_found, group_in
from halocline.errors import Misconfigured


class Listed(NamedTuple):
    """One file, the name it is told by, and what the folder or table says of it."""

    path: Path
    name: str
    label: str | None = None
    group: str | None = None


def read_listed(
    rows: Sequence[Listed],
    where: Path,
    kind: Kind,
    *,
    bad: Sequence[BadRow] = (),
    unread: tuple[str, ...] = (),
    group_by: re.Pattern[str] | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """The rows whose files look whole; the others are in `bad`. Raises Misconfigured (HAL-321, HAL-325).

    A row without a label is bad where others have one, and so is one without a group.
    """
    content = one_content(rows, where)
    labelled = any(row.label is not None for row in rows)
    grouped = group_by is not None or any(row.group is not None for row in rows)
    unmatched = "" if group_by is None else f"its name does not match --group-by {group_by.pattern!r}"
    kept: list[Listed] = []
    left = list(bad)
    for at, row in enumerate(rows):
        if progress is not None and at % 100 == 0:
            progress(at, len(rows))
        if group_by is not None:
            row = row._replace(group=group_in(row.name, group_by))
        why = None
        if labelled and row.label is None:
            why = "it has no label"
        elif grouped and row.group is None:
            why = unmatched or "it has no group"
        why = why or look(row.path).why
        if why is None:
            kept.append(row)
        else:
            left.append(BadRow(row.name, why))
    if progress is not None:
        progress(len(rows), len(rows))
    if group_by is not None:
        check_found([row.group for row in kept if row.group], left, group_by, unmatched)
    return Dataset(
        kind=kind,
        content=content,
        samples=samples_of([row.path for row in kept], content),
        names=[row.name for row in kept],
        labels=as_array([row.label for row in kept if row.label is not None]) if labelled else None,
        groups=as_array([row.group for row in kept if row.group is not None]) if grouped else None,
        bad=tuple(left),
        unread=unread,
    )


def one_content(rows: Sequence[Listed], where: Path) -> Content:
    """What all the files are. Raises Misconfigured (HAL-320, HAL-321) for none, or for several kinds."""
    counts: dict[Content, int] = {}
    for row in rows:
        content = content_of(row.path)
        if content is not None:
            counts[content] = counts.get(content, 0) + 1
    if not counts:
        raise Misconfigured("HAL-320", f"{where} names no file that can be read. Read are: {READ}")
    if len(counts) > 1:
        told = " and ".join(f"{count} {content}" for content, count in counts.items())
        raise Misconfigured(
            "HAL-321", f"{where} mixes {told}; a model takes one kind. Give a folder or table for each"
        )
    return next(iter(counts))
