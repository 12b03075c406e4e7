"""Tell from a Parquet file's description of its columns where the samples are, and the names of classes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from halocline.data.columns import PATHS
from halocline.data.parquet_rows import Samples
from halocline.errors import Misconfigured
from halocline.records import Array


def samples_of(schema: Any, taken: set[int], where: Path) -> tuple[Samples, tuple[str, ...]]:
    """Where the samples are, and the columns that are not read."""
    fields = list(schema)
    for kind, cut in ((_is_bytes, _bytes_in), (_is_list, _lists_in)):
        found = [field.name for field in fields if kind(field.type)]
        named = [name for name in found if name.lower() in (*PATHS, "x", "inputs")] or found
        if len(named) > 1:
            raise Misconfigured(
                "HAL-322", f"{where} has several columns of samples ({', '.join(named)}); call one of them x"
            )
        if named:
            unread = [
                each.name for at, each in enumerate(fields) if at not in taken and each.name != named[0]
            ]
            return Samples((named[0],), cut), tuple(unread)
    numbers = [each.name for at, each in enumerate(fields) if at not in taken and _is_number(each.type)]
    if not numbers:
        raise Misconfigured(
            "HAL-322",
            f"{where} has the columns {', '.join(schema.names)}: none holds pictures or sounds as bytes, "
            "lists, or numbers",
        )
    return Samples(tuple(numbers), _numbers_in), _others(schema, taken, numbers)


def _others(schema: Any, taken: set[int], names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for at, name in enumerate(schema.names) if at not in taken and name not in names)


def class_names(schema: Any, name: str) -> list[str]:
    """The names of a column's classes, where the file says them as public sets do."""
    try:
        said = json.loads((schema.metadata or {})[b"huggingface"])
        return [str(each) for each in said["info"]["features"][name]["names"]]
    except (KeyError, TypeError, ValueError):
        return []


def _bytes_in(table: Any) -> list[bytes | None]:
    values = table.column(0).to_pylist()
    return [value["bytes"] if isinstance(value, dict) else value for value in values]


def _lists_in(table: Any) -> list[Array | None]:
    return [
        None if value is None else np.asarray(value, dtype=np.float32)
        for value in table.column(0).to_pylist()
    ]


def _numbers_in(table: Any) -> Array:
    columns = [table.column(name).to_numpy().astype(np.float32) for name in table.column_names]
    return np.stack(columns, axis=1)


def _is_bytes(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return any(kind.field(at).name == "bytes" for at in range(kind.num_fields))
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _is_list(kind: Any) -> bool:
    from pyarrow import types

    while types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        kind = kind.value_type
        if _is_number(kind):
            return True
    return False


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))


def is_text(kind: Any) -> bool:
    """Whether a column holds text."""
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind))
