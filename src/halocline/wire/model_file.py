"""Read and write the description of a model: TOML beside its file, JSON in its digest and on the wire."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from halocline.decide.outputs import OUTPUTS, DetectOutput, Output, RegressOutput, ScoreOutput, read_task
from halocline.errors import Misconfigured
from halocline.inputs.description import INPUTS, Input
from halocline.records import Task
from halocline.wire import toml
from halocline.wire.toml import Value, document

SUFFIX = ".model.toml"


class Description(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a model's file does not say itself: its task, its labels, its input, how its outputs are read.

    `detect`, `regress` and `score` are the tables of these tasks.
    """

    task: Task | None = None
    labels: tuple[str, ...] | None = None
    input: Input | None = None
    detect: DetectOutput | None = None
    regress: RegressOutput | None = None
    score: ScoreOutput | None = None


def beside(model: str | os.PathLike[str]) -> Path:
    """Where the description of that model's file lies, whether or not it is there: edge.model.toml."""
    return Path(model).with_suffix(SUFFIX)


def read_description(path: str | os.PathLike[str]) -> Description:
    """The description in that file. Raises Misconfigured (HAL-208), naming the nearest right key."""
    file = Path(path).expanduser()
    told = toml.read(
        file,
        "HAL-208",
        subject=f"{file}:",
        kind="description",
        content="a description",
        advice="Have one proposed: halocline model inspect M.onnx",
    )
    try:
        return _made(told)
    except Misconfigured as exc:
        raise Misconfigured(exc.code, f"{file}: {exc.message}") from None


def task_of(description: Description) -> tuple[Task, Output | None]:
    """The task that it states, by its name or by a table, and how its outputs are read.

    Raises Misconfigured (HAL-208) where the name and the tables do not agree.
    """
    tables = {task: table for task in OUTPUTS if (table := getattr(description, task)) is not None}
    task = description.task or next(iter(tables), Task.CLASSIFY)
    if set(tables) - {task}:
        told = " and ".join(f"[{each}]" for each in tables)
        raise Misconfigured(
            "HAL-208", f"it states the task {task.value!r} and has the table {told}; keep one"
        )
    return task, tables.get(task)


def with_task(description: Description, given: Task | str | Output) -> Description:
    """The description, with this task in place of its own. Raises Misconfigured (HAL-102)."""
    task, output = read_task(given)
    if output is None and task_of(description)[0] is task:
        return description  # its own table says how
    tables = {each.value: output if each is task else None for each in OUTPUTS}
    return msgspec.structs.replace(description, task=task, **tables)


def description_text(description: Description, head: str) -> str:
    """The file that gives that description back when it is read; `head` is its first comment."""
    told = msgspec.to_builtins(description)
    tables: dict[str, Mapping[str, Value | None]] = {
        "": {key: value for key, value in told.items() if not isinstance(value, Mapping)}
    }
    tables |= {key: value for key, value in told.items() if isinstance(value, Mapping)}
    return document(head, tables)


def canonical(description: Description) -> bytes:
    """The same bytes for the same meaning, whatever the order of the keys in the file."""
    return _encoded(description, Description)


def described_digest(file_digest: str, description: Description) -> str:
    """The digest of a model whose file has that digest and that has this description."""
    import hashlib  # loads OpenSSL, which a start need not pay

    return f"sha256:{hashlib.sha256(file_digest.encode() + canonical(description)).hexdigest()}"


def input_to_json(value: Input) -> str:
    """The description of an input as a server tells it in its metadata, on one line."""
    return _encoded(value, Input).decode()


def input_from_json(text: str) -> Input:
    """The description of an input as a server told it. Raises Misconfigured (HAL-208)."""
    try:
        value: Input = msgspec.json.decode(text, type=Input)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise Misconfigured("HAL-208", f"the description of an input is not one: {exc}") from None
    return value


def _encoded(value: Any, kind: Any) -> bytes:
    # Through plain values and back: 1 and 1.0 mean the same number, and are written the same.
    return msgspec.json.encode(_meant(msgspec.convert(msgspec.to_builtins(value), kind)), order="sorted")


def _meant(value: Any) -> Any:
    """The value without what is a default; msgspec itself leaves out only what is the same object."""
    if not isinstance(value, msgspec.Struct):
        return value
    config = value.__struct_config__
    meant = {config.tag_field: config.tag} if config.tag_field else {}
    for field in msgspec.structs.fields(value):
        own = getattr(value, field.name)
        if own != field.default or field.required:
            meant[field.name] = _meant(own)
    return meant


def _made(told: dict[str, Any]) -> Description:
    _check_keys("", told, Description)
    table = told.get("input")
    if isinstance(table, dict):
        if "kind" not in table:
            raise Misconfigured("HAL-208", f"[input] has no kind; expected one of {', '.join(INPUTS)}")
        kind = table["kind"]
        if not isinstance(kind, str) or kind not in INPUTS:
            raise _no_choice("input.kind", kind, tuple(INPUTS))
        _check_keys("input", {key: value for key, value in table.items() if key != "kind"}, INPUTS[kind])
    for name in ("input", *OUTPUTS):
        if not isinstance(told.get(name, {}), dict):
            raise Misconfigured("HAL-208", f"{name} must be a table, [{name}], got {told[name]!r}")
    for task, output in OUTPUTS.items():
        if task in told:
            _check_keys(task, told[task], output)
    try:
        made = msgspec.convert(told, Description)
        task_of(made)
        return made
    except msgspec.ValidationError as exc:
        raise Misconfigured("HAL-208", str(exc).replace("`$.", "`")) from None


def _check_keys(table: str, told: Mapping[str, Any], kind: type[msgspec.Struct]) -> None:
    """Raise Misconfigured, with the nearest right word, for a key or a choice that is not known."""
    hints = get_type_hints(kind)
    for key, value in told.items():
        at = f"{table}.{key}" if table else key
        if key not in kind.__struct_fields__:
            raise Misconfigured(
                "HAL-208", f"{at} is not a key. {_nearest(key, kind.__struct_fields__)}".rstrip()
            )
        choices = _choices(hints[key])
        if choices and value not in choices:
            raise _no_choice(at, value, choices)


def _choices(hint: Any) -> tuple[Any, ...]:
    """The values that a setting may have, where they are a list of words."""
    if isinstance(hint, type) and issubclass(hint, Task):
        return tuple(hint)
    kinds = get_args(hint)
    if get_origin(hint) is not None and all(not isinstance(each, type) for each in kinds):
        return kinds if all(isinstance(each, str | int) for each in kinds) else ()
    words = [_choices(each) for each in kinds if each is not type(None)]
    return words[0] if len(words) == 1 else ()


def _no_choice(at: str, value: Any, choices: tuple[Any, ...]) -> Misconfigured:
    shown = ", ".join(map(str, choices))
    near = _nearest(value, choices, listed=False) if isinstance(value, str) else ""
    return Misconfigured("HAL-208", f"{at} must be one of {shown}, got {value!r}. {near}".rstrip(". "))


def _nearest(word: str, words: tuple[str, ...], *, listed: bool = True) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, list(map(str, words)), 1, 0.6)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known are {', '.join(words)}" if listed else ""
