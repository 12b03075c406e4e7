"""halocline data get: make a public set into files that --data reads, fetched only when asked for."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from halocline.cli import FAILED
from halocline.cli.output import Json, print_json
from halocline.errors import Misconfigured

if TYPE_CHECKING:
    from halocline.demo.datasets.public.facts import PublicSet


def get(
    name: str,
    /,
    *,
    source: Annotated[Path | None, Parameter(name="--from")] = None,
    to: Path | None = None,
    rows: int | None = None,
    yes: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    json: Json = False,
) -> int:
    """Make a public set into files that --data reads: verified, laid out, whole or not at all.

    Shows size, licence, source and digest, and asks before it fetches anything; with
    --from it takes a copy that is here and fetches nothing. Pictures and sounds become
    files in class folders with a table of labels and groups, beats .npz, series CSV.

    Examples
    --------
    halocline data get machine-temperature --from nab

    Parameters
    ----------
    name
        A set that `halocline data list` names.
    source
        The folder of a local copy of the set's files.
    to
        The folder to write; it must not be there yet (the set's name, here, by default).
    rows
        The most rows of each part, drawn once and for all; of a series the first.
    yes
        Fetch without asking.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.data_list import set_lines, size
    from halocline.cli.tiers import progress_on_stderr
    from halocline.cli.words import print_block
    from halocline.demo.datasets.public.get import check_target, write_set

    known = _known(name)
    where = Path(known.name) if to is None else to
    if rows is not None and rows < 1:
        raise Misconfigured("HAL-101", f"--rows must be 1 or more, got {rows}")
    check_target(where)
    if not json:
        print_block([("set", known.name), *set_lines(known)])
    if source is None and known.fetched is not None and not yes:
        what = f"{size(known.fetched.size_bytes)} from {known.fetched.files[0].url}"
        _check_terminal(name, what, json=json)
        answer = input(f"\nFetch {what}? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            print("Nothing was fetched.")
            return FAILED
    with progress_on_stderr("fetching") as progress:
        written = write_set(known, where, source=source, rows=rows, progress=progress)
    if json:
        print_json({"set": known.name, "to": str(where), "data": [str(path) for path in written]})
    else:
        print()
        for path in written:
            print(f"wrote  {path}")
        print(f"\nNext: halocline data check {written[0]}")
    return 0


def _known(name: str) -> "PublicSet":
    from difflib import get_close_matches

    from halocline.demo.datasets.public.facts import public_sets

    known = public_sets()
    if name in known:
        return known[name]
    near = get_close_matches(name, known, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise Misconfigured("HAL-102", f"there is no set {name!r}; known are {', '.join(known)}.{hint}")


def _check_terminal(name: str, what: str, *, json: bool) -> None:
    if not json and sys.stdin.isatty() and sys.stdout.isatty():
        return
    raise Misconfigured(
        "HAL-109",
        f"nobody can be asked here whether to fetch {what}. Try: halocline data get {name} --yes, or give a "
        "local copy with --from DIR",
    )
