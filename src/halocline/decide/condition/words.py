"""Cut the text of a condition into words, each with its place."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple, NoReturn

from halocline.errors import Misconfigured

_SHOWN = 20


class Sort(StrEnum):
    """What a word is."""

    NAME = "a name"
    TEXT = "text"
    NUMBER = "a number"
    SIGN = "a sign"
    END = "the end"


class Word(NamedTuple):
    """One word: what it is, how it is written, and its place among the characters, from 0."""

    sort: Sort
    text: str
    at: int


_WORD = re.compile(
    r"""(?P<space>\s+)
    |(?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    |(?P<text>"(?:[^"\\]|\\["\\])*"|'(?:[^'\\]|\\['\\])*')
    |(?P<name>[A-Za-z_]\w*(?:\.[\w-]*)*)
    |(?P<sign>==|!=|<=|>=|<(?!>)|>|\(|\)|\[|\]|,)""",
    re.VERBOSE | re.ASCII,
)
_SORTS = {"number": Sort.NUMBER, "text": Sort.TEXT, "name": Sort.NAME, "sign": Sort.SIGN}
_MEANT = {"=": "==", "&": "and", "|": "or", "!": "not", "<>": "!=", "“": '"', "”": '"', "‘": "'", "’": "'"}  # noqa: RUF001 - what editors make of quotes


def words_of(text: str) -> Iterator[Word]:
    """The words, and the end. Raises Misconfigured (HAL-802) at the first thing that is no word."""
    at = 0
    while at < len(text):
        found = _WORD.match(text, at)
        if found is None:
            _refuse(text, at)
        if found.lastgroup is not None and found.lastgroup != "space":
            yield Word(_SORTS[found.lastgroup], found[0], at)
        at = found.end()
    yield Word(Sort.END, "", len(text))


def fault(text: str, at: int, what: str) -> Misconfigured:
    """The error of what is wrong at that place."""
    rest = text[at : at + _SHOWN]
    where = f"at character {at + 1} ({rest!r})" if rest else "at its end"
    return Misconfigured("HAL-802", f"the condition, {where}: {what}")


def _refuse(text: str, at: int) -> NoReturn:
    if text[at] in "\"'":
        raise fault(text, at, f"text that begins with {text[at]} does not end, or holds a lone \\")
    meant = _MEANT.get(text[at : at + 2]) or _MEANT.get(text[at])
    hint = f"write {meant}" if meant else "expected a name, text in quotes, a number or a comparison"
    raise fault(text, at, hint)
