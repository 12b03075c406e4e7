"""Write a starter's folder whole or not at all."""

import shutil
import tempfile
from importlib import resources
from pathlib import Path

from halocline.demo.starter.kinds import STARTERS, fill
from halocline.errors import Misconfigured

KINDS = tuple(STARTERS)


def write_starter(kind: str, folder: Path, *, seed: int = 0) -> tuple[str, ...]:
    """Fill the folder, which must be empty or not there, and give the names of what lies in it.

    Raises Misconfigured: HAL-342 (it holds something, or cannot be written), HAL-102 (no such kind).
    """
    if kind not in STARTERS:
        raise Misconfigured("HAL-102", f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    try:
        return _written(kind, folder.expanduser().resolve(), seed)
    except OSError as exc:
        raise Misconfigured("HAL-342", f"{folder} cannot be written: {exc.strerror or exc}") from None


def _written(kind: str, folder: Path, seed: int) -> tuple[str, ...]:
    if folder.exists():
        if not folder.is_dir() or any(folder.iterdir()):
            raise Misconfigured(
                "HAL-342",
                f"{folder} holds files already, and none is overwritten. Try: halocline init {kind} OTHER",
            )
    else:
        folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".halocline-init-", dir=folder.parent))
    try:
        _copy_templates(kind, building)
        fill(building, STARTERS[kind], seed)
        building.chmod(0o755)
        if folder.exists():  # somebody may stand in it: it stays, and is filled
            _move_into(folder, building)
        else:
            building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return tuple(sorted(path.name for path in folder.iterdir()))


def _move_into(folder: Path, building: Path) -> None:
    moved: list[Path] = []
    try:
        for path in list(building.iterdir()):
            moved.append(path.rename(folder / path.name))  # noqa: PERF401 - known when one fails
    except OSError:
        for path in moved:
            path.rename(building / path.name)
        raise


def _copy_templates(kind: str, folder: Path) -> None:
    for file in resources.files("halocline.demo.starter").joinpath("templates", kind).iterdir():
        # Scripts are kept as text, so that no tool takes them for modules of this package.
        (folder / file.name.removesuffix(".txt")).write_bytes(file.read_bytes())
