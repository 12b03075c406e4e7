"""Read small files of TOML, and write TOML that a person can read: comments, and tables of plain values."""

import math
import textwrap
import tomllib
from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, TypeAlias

from halocline.errors import Misconfigured

Value: TypeAlias = str | bool | int | float | Sequence[str] | Sequence[float]

_ESCAPES = {
    **{code: f"\\u{code:04x}" for code in (*range(0x20), 0x7F)},
    ord('"'): '\\"',
    ord("\\"): "\\\\",
    ord("\n"): "\\n",
    ord("\t"): "\\t",
}


COMMENT_WIDTH = 108
MAX_FILE_BYTES = 1 << 20
"""A policy or a description is a page, or a page of labels; what is larger is something else."""


def read(file: Path, code: str, *, subject: str, kind: str, content: str, advice: str) -> dict[str, Any]:
    """What that file holds. Raises Misconfigured, with that code, where it cannot be read.

    The rest is for its message: `subject` names the file, `kind` and `content` say what it should be and
    what should be in it, `advice` how to come by one.
    """
    try:
        size = file.stat().st_size
        if size > MAX_FILE_BYTES:
            raise Misconfigured(
                code, f"{file}: {size} bytes are no {kind}; expected {MAX_FILE_BYTES} at most"
            )
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as exc:
        why = "does not exist" if isinstance(exc, FileNotFoundError) else f"cannot be read: {exc.strerror}"
        raise Misconfigured(code, f"{subject} {why}. {advice}") from None
    except UnicodeDecodeError:
        raise Misconfigured(code, f"{subject} is not text; expected {content} in TOML") from None
    except tomllib.TOMLDecodeError as exc:
        raise Misconfigured(code, f"{subject} is not TOML: {exc}") from None


def document(
    head: str,
    tables: Mapping[str, Mapping[str, Value | None]],
    comments: Mapping[str, str] | None = None,
) -> str:
    """A document with `head` as its first comment; keys whose value is None, and empty tables, are left out.

    The table "" holds the keys before the first table. `comments` stand above the table of their name, as
    `comment` makes them.
    """
    parts = ["".join(f"# {line}\n" for line in head.splitlines())]
    for name, table in tables.items():
        lines = [f"{_key(key)} = {literal(value)}\n" for key, value in table.items() if value is not None]
        if lines:
            above = (comments or {}).get(name, "")
            parts.append(above + (f"[{name}]\n" if name else "") + "".join(lines))
    return "\n".join(parts)


def comment(title: str, lines: Sequence[str]) -> str:
    """A comment of a title and its lines, each an item; nothing where there is no line.

    What TOML allows in no comment, a line's end above all, becomes a space.
    """
    if not lines:
        return ""
    told = [title]
    for line in lines:
        plain = " ".join("".join(sign if sign.isprintable() else " " for sign in line).split())
        told += textwrap.wrap(
            plain,
            COMMENT_WIDTH,
            initial_indent="- ",
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "".join(f"# {line}\n" for line in told)


def literal(value: Value) -> str:
    """The value as TOML writes it; reading it gives the same value back."""
    if isinstance(value, str):
        return f'"{value.translate(_ESCAPES)}"'
    if isinstance(value, Sequence):
        return "[" + ", ".join(literal(each) for each in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Integral):  # numpy's numbers too
        return str(int(value))
    number = float(value)
    if math.isfinite(number):
        return repr(number)
    return "nan" if math.isnan(number) else ("inf" if number > 0 else "-inf")


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if bare else literal(key)
