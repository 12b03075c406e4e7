"""Propose a model's description from its graph, as a file to go on from."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from halocline.errors import Misconfigured

if TYPE_CHECKING:
    from halocline.adapters.onnxruntime.graph import Graph
    from halocline.records import ModelSpec
    from halocline.wire.model_file import Description

_FIRST_OPERATORS = 4


class Proposed(NamedTuple):
    """The text of the file ("" where there is nothing to propose), and what a graph cannot say."""

    text: str
    table: Mapping[str, Any]
    unknown: tuple[str, ...]


def proposed(spec: "ModelSpec", graph: "Graph") -> Proposed:
    """A description for this model; the keys that matter are written out, whatever their defaults."""
    import msgspec

    from halocline.adapters.onnxruntime.inputs import show
    from halocline.inputs.propose import propose
    from halocline.wire.toml import document

    if len(spec.inputs) != 1:
        count = len(spec.inputs)
        return Proposed("", {}, (f"it takes {count} inputs: [input] describes one, these are given by name",))
    takes = spec.inputs[0]
    found = propose(takes.name, takes.dtype, takes.shape[1:], _first_operators(graph, takes.name))
    if found.input is None:
        return Proposed("", {}, found.unknown)
    plain = msgspec.to_builtins(found.input)
    shown = (key for key in _SHOWN[plain["kind"]] if getattr(found.input, key) not in (None, ""))
    table = {"kind": plain["kind"], **{key: getattr(found.input, key) for key in shown}}
    head = [
        f"What the input of {spec.ref.name} means, proposed from its graph: {takes.name} {show(takes)}.",
        "A graph cannot say what follows; correct it where it is wrong:",
        *(f"- {line}" for line in found.unknown),
    ]
    return Proposed(document("\n".join(head), {"input": table}), table, found.unknown)


def written_beside(model: Path, proposal: Proposed | None) -> Path:
    """Write the proposal beside the model, and never over a file. Raises Misconfigured (HAL-208)."""
    from halocline.wire.model_file import beside

    path = beside(model)
    if proposal is None or path.exists():
        raise Misconfigured(
            "HAL-208", f"{path} is there already and stays as it is; remove it to begin again"
        )
    if not proposal.text:
        raise Misconfigured("HAL-208", f"nothing to write for {model}: {proposal.unknown[0]}")
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(proposal.text)
    except OSError as exc:
        raise Misconfigured("HAL-208", f"{os.fspath(path)} cannot be written: {exc.strerror}") from None
    return path


def described(
    description: "Description | None", proposal: Proposed | None, written: str | None
) -> dict[str, Any]:
    """What --json says of the description."""
    return {
        "description": description,
        "proposal": None
        if proposal is None
        else {"input": proposal.table or None, "toml": proposal.text or None, "unknown": proposal.unknown},
        "written": written,
    }


def _first_operators(graph: "Graph", name: str) -> tuple[str, ...]:
    """The operators that the input goes through first, as long as they follow each other."""
    found: list[str] = []
    while len(found) < _FIRST_OPERATORS:
        users = [node for node in graph.nodes if name in node.inputs]
        if len(users) != 1:
            break
        found.append(users[0].op)
        name = users[0].outputs[0]
    return tuple(found)


_SHOWN = {
    "image": ("width", "height", "fit", "filter", "colour", "layout", "dtype", "scale", "mean", "std"),
    "series": ("columns", "window", "layout", "missing", "dtype", "mean", "std"),
    "array": ("dtype", "scale", "mean", "std"),
}
"""The keys that a person will want to look at."""
