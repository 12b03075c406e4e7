"""halocline data check: say what lies at a path, row by row what is wrong, and what it is fit for."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from halocline.cli.output import Json, print_json

if TYPE_CHECKING:
    from halocline.data.checkup import Checkup
    from halocline.records import ModelSpec

_NAMED = 10
_SHOWN = 12
_LINES = "each line is taken for a row; for a model that looks at windows of lines, say so: --edge MODEL"


def check(
    path: Path,
    /,
    *,
    group_by: str | None = None,
    edge: Path | None = None,
    strict: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    json: Json = False,
) -> int:
    """Say what lies at a path: rows by class and group, sizes, what is wrong, and what it is fit for.

    Reads an .npz file, a folder of class folders of pictures or sounds, a CSV table of
    files or numbers, COCO annotations, and Parquet. Nothing is changed.

    Examples
    --------
    halocline data check cal.npz

    Parameters
    ----------
    path
        A file or folder, as --data of the other commands takes it.
    group_by
        A regular expression that finds the group (patient, speaker, device) in a file's name.
    edge
        The model that they are for, an ONNX file: a table is looked at in the windows that it takes.
    strict
        Fail where one row cannot be used.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.tiers import progress_on_stderr
    from halocline.cli.told_tuned import print_list
    from halocline.cli.words import print_block
    from halocline.data import read
    from halocline.data.checkup import check_up
    from halocline.data.windows import series_for

    series = None if edge is None else series_for(_spec(edge).input)
    with progress_on_stderr("looking at the data") as progress:
        data = read(path, strict=strict, group_by=group_by, series=series, progress=progress)
        seen = check_up(data, progress)
    if json:
        print_json({"path": str(path), **{name: getattr(seen, name) for name in seen.__struct_fields__}})
        return 0
    print_block([("data", str(path)), *_lines(seen)])
    if seen.bad:
        more = [f"and {len(seen.bad) - _NAMED} more; --json names all"] if len(seen.bad) > _NAMED else []
        print_list("Left out:", [*(f"{row.name}: {row.why}" for row in seen.bad[:_NAMED]), *more])
    copies = [f"{one} is {other} once more" for one, other in seen.copies.named]
    lines = [_LINES] if edge is None and seen.kind == "table" and seen.content == "rows" else []
    print_list("To know:", [*lines, *seen.doubts, *copies, *(f"not read: {name}" for name in seen.unread)])
    fit = (f"{each.command}: {'yes' if each.is_fit else 'no'}, {each.why}" for each in seen.fit)
    print_list("Fit for:", fit)
    return 0


def _spec(edge: Path) -> "ModelSpec":
    from halocline.adapters.onnxruntime import load

    return load(edge).spec


def _lines(seen: "Checkup") -> list[tuple[str, str]]:
    lines = [("form", f"{seen.kind}, {seen.rows} {seen.content}")]
    if seen.labels is not None:
        lines.append(("labels", _told(seen.labels)))
    else:
        lines.append(("labels", "none"))
    lines.append(("groups", "none" if seen.groups is None else _told(seen.groups)))
    if seen.sizes:
        lines.append(("sizes", _told(seen.sizes)))
    if seen.seconds is not None:
        spread = seen.seconds
        length = f"{spread.least:.3g} to {spread.most:.3g} s, half of them up to {spread.middle:.3g} s"
        lines += [("length", length), ("rate", _told({f"{rate} Hz": n for rate, n in seen.rates_hz.items()}))]
    if seen.boxes is not None:
        lines.append(("boxes", f"{seen.boxes.least:.0f} to {seen.boxes.most:.0f} a picture"))
    return lines


def _told(counts: Mapping[str, int]) -> str:
    """How many there are, and how many rows each has; of many, the first few."""
    shown = ", ".join(f"{name} ({count})" for name, count in list(counts.items())[:_SHOWN])
    more = f", and {len(counts) - _SHOWN} more" if len(counts) > _SHOWN else ""
    return f"{len(counts)}: {shown}{more}" if len(counts) > 1 else shown
