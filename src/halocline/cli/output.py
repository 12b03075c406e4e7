"""Print results: one versioned JSON object, or a table for people."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeAlias

import msgspec
from cyclopts import Parameter

VERSION = 1
"""Of every JSON object that a command prints; raised when a field changes its meaning or goes."""

Json: TypeAlias = Annotated[
    bool,
    Parameter(negative="", show_default=False, help="Print one JSON object on stdout and nothing else."),
]
"""The flag --json of every command that ends: one object on stdout and nothing else."""

JsonToo: TypeAlias = Annotated[bool, Parameter(negative="", show_default=False)]
"""The same flag of a command that goes on, or prints more: its own words say what it does."""


def print_json(values: Mapping[str, Any]) -> None:
    """Print one object, with its version first. NaN and infinities, which JSON lacks, become null."""
    print(msgspec.json.encode({"version": VERSION, **values}, enc_hook=_plain).decode())


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "", numbers: bool = False
) -> None:
    """Print rows under column names; with `numbers`, all columns but the first are flush right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for at, column in enumerate(columns):
        table.add_column(column, overflow="fold", justify="right" if numbers and at else "left")
    for row in rows:
        table.add_row(*(_escaped(cell) for cell in row))
    Console(highlight=False).print(table)


def print_pairs(pairs: Sequence[tuple[str, str]]) -> None:
    """Print one name and value a line."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        print(f"{name:<{width}}  {value}")


def seconds(value_s: float) -> str:
    """A duration as people read it."""
    if value_s < 0.001:
        return f"{value_s * 1e6:.0f} µs"
    return f"{value_s * 1e3:.1f} ms" if value_s < 1 else f"{value_s:.2f} s"


def finite(value: float) -> float | None:
    """The value, or None where JSON has no word for it."""
    return value if math.isfinite(value) else None


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise NotImplementedError(f"{type(value).__name__} has no JSON form")
