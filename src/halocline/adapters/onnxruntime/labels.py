"""Find the names of a model's classes: given as a list, in a file, or in the model itself."""

import os
from collections.abc import Sequence

from halocline.errors import Misconfigured

_MAX_FILE_BYTES = 16 * 1024 * 1024


def read_labels(
    given: Sequence[str] | str | os.PathLike[str] | None, in_model: str | None, listed_in: str = "labels="
) -> tuple[tuple[str, ...] | None, str]:
    """The labels, or None, and where they come from (for messages).

    `given` is a list (from `listed_in`), a text file with one label a line, or a .json list; without it
    `in_model`, the model's own "labels" property (a JSON list), counts. Raises Misconfigured (HAL-203).
    """
    if given is None:
        if in_model is None:
            return None, ""
        return _from_json(in_model, "the model's own 'labels' property"), "the model's own 'labels' property"
    if isinstance(given, str | os.PathLike):
        where = f"the label file {given}"
        return _from_file(given, where), where
    labels = tuple(str(label) for label in given)
    return _checked(labels, listed_in), listed_in


def check_count(labels: tuple[str, ...] | None, where: str, classes: int | None, model: str) -> None:
    """Raise Misconfigured (HAL-203) unless there is one label for each class."""
    if labels is not None and classes is not None and len(labels) != classes:
        raise Misconfigured(
            "HAL-203",
            f"{where} gives {len(labels)} labels, but {model} has {classes} classes. "
            f"Give one label for each class, in the order of the model's outputs",
        )


def _from_file(path: str | os.PathLike[str], where: str) -> tuple[str, ...]:
    try:
        if os.stat(path).st_size > _MAX_FILE_BYTES:
            raise Misconfigured("HAL-203", f"{where} is larger than {_MAX_FILE_BYTES} bytes")
        with open(path, encoding="utf-8-sig") as file:
            text = file.read()
    except UnicodeDecodeError:
        raise Misconfigured("HAL-203", f"{where} is not text in UTF-8") from None
    except OSError as exc:
        raise Misconfigured("HAL-203", f"{where} cannot be read: {exc.strerror}") from None
    if os.fspath(path).endswith(".json"):
        return _from_json(text, where)
    return _checked(tuple(line.strip() for line in text.splitlines() if line.strip()), where)


def _from_json(text: str, where: str) -> tuple[str, ...]:
    import json  # only here: a device starts faster without it

    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, list) or any(isinstance(each, list | dict) for each in value):
        raise Misconfigured("HAL-203", f'{where} is not a JSON list of names, as in ["cat", "dog"]')
    return _checked(tuple(str(each) for each in value), where)


def _checked(labels: tuple[str, ...], where: str) -> tuple[str, ...]:
    if not labels:
        raise Misconfigured("HAL-203", f"{where} holds no labels")
    twice = (
        next((label for at, label in enumerate(labels) if label in labels[:at]), None)
        if len(set(labels)) < len(labels)
        else None
    )
    if twice is not None:
        raise Misconfigured("HAL-203", f"{where} names {twice!r} twice; each class needs a name of its own")
    return labels
