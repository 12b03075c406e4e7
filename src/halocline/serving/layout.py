"""Find which model files are to be served, under which names and versions."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from halocline.errors import Misconfigured
from halocline.records import ModelRef

MODEL_FILE: Final = "model.onnx"
FIRST_VERSION: Final = "1"
"""The version of a model given as a single file."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class ModelFile(NamedTuple):
    """A file to load and what it is to be called."""

    ref: ModelRef
    path: Path


def find_models(sources: Sequence[str]) -> list[ModelFile]:
    """The files that `PATH`, `NAME=PATH` and folders laid out `NAME/VERSION/model.onnx` name, in order.

    Raises Misconfigured (HAL-201, HAL-206): nothing there, a name unfit for a URL, one model twice.
    """
    found: list[ModelFile] = []
    for source in sources:
        found.extend(_find(source))
    if not found:
        raise Misconfigured("HAL-206", "no model was given to serve. Try: halocline serve MODEL.onnx")
    _refuse_duplicates(found)
    return found


def _find(source: str) -> list[ModelFile]:
    name, path = _name_and_path(source)
    if path.is_dir():
        if name is not None:
            raise Misconfigured(
                "HAL-206", f"{source}: {path} is a folder, which names its models itself. Leave out {name}="
            )
        return _in_folder(path)
    if not path.is_file():
        raise Misconfigured("HAL-201", f"{path} does not exist (looked in {Path.cwd()})")
    return [ModelFile(ModelRef(_checked(name or path.stem, source), FIRST_VERSION), path)]


def _name_and_path(source: str) -> tuple[str | None, Path]:
    name, separator, path = source.partition("=")
    if not separator or Path(source).exists():
        return None, Path(source).expanduser()
    return name, Path(path).expanduser()


def _in_folder(folder: Path) -> list[ModelFile]:
    files = sorted(folder.glob(f"*/*/{MODEL_FILE}"))
    if not files:
        raise Misconfigured(
            "HAL-206",
            f"{folder} holds no NAME/VERSION/{MODEL_FILE}. "
            f"Try: mkdir -p {folder}/digits/1 && cp digits.onnx {folder}/digits/1/{MODEL_FILE}",
        )
    return [ModelFile(_ref(file), file) for file in files]


def _ref(file: Path) -> ModelRef:
    name, version = file.parts[-3:-1]
    return ModelRef(_checked(name, str(file)), _checked(version, str(file)))


def _checked(name: str, where: str) -> str:
    if not _NAME.fullmatch(name):
        raise Misconfigured(
            "HAL-206",
            f"{where}: expected a name or version of letters, digits, '.', '_' and '-', got {name!r}. "
            f"Try NAME=PATH with another name",
        )
    return name


def _refuse_duplicates(found: Sequence[ModelFile]) -> None:
    seen: dict[ModelRef, Path] = {}
    for file in found:
        other = seen.setdefault(file.ref, file.path)
        if other is not file.path:
            raise Misconfigured(
                "HAL-206",
                f"{other} and {file.path} would both be served as {file.ref}. Give one of them another name: "
                f"{file.ref.name}-2={file.path}",
            )
