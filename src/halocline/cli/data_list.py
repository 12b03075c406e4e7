"""halocline data list: the public sets that are known by name, and where they come from."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from halocline.cli.output import Json, print_json

if TYPE_CHECKING:
    from halocline.demo.datasets.public.facts import PublicSet


def list(*, json: Json = False) -> int:  # noqa: A001 - a command is called as its last word
    """List the public sets that `data get` knows, with size, licence, source and digests.

    Examples
    --------
    halocline data list

    Parameters
    ----------
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.words import print_block
    from halocline.demo.datasets.public.facts import public_sets

    known = [*public_sets().values()]
    if json:
        print_json({"sets": known})
        return 0
    for at, each in enumerate(known):
        if at:
            print()
        print_block([("set", each.name), *set_lines(each)])
    return 0


def set_lines(known: "PublicSet") -> Sequence[tuple[str, str]]:
    """What people should know before they take a set."""
    form = known.fetched
    files = (form or known.forms[0]).files
    told = "; ".join(f"{file.name} {file.digest}" for file in files)
    return [
        ("holds", known.holds),
        ("licence", known.licence),
        ("source", known.source),
        ("cite", known.cite),
        ("size", f"{size((form or known.forms[0]).size_bytes)}{'' if form else ', of a local copy'}"),
        ("digest", told),
    ]


def size(count_bytes: int) -> str:
    """A size as people read it."""
    return f"{count_bytes / 1e6:.1f} MB"
