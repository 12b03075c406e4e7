"""Make a pair of models that take raw samples, with files to try them on, once; then read the cache."""

from pathlib import Path

import msgspec

from halocline.demo.cache import kept, key
from halocline.demo.datasets.described import Kit, write_models
from halocline.demo.datasets.files import digest
from halocline.demo.datasets.network import as_facts
from halocline.extras import need
from halocline.folders import cache_folder

RECIPE = 5
"""Raised when training, the made samples or what is written changes, so that no older pair is taken."""


class SamplePair(msgspec.Struct, frozen=True):
    """Two models with their descriptions beside them, and samples as files.

    `tune` is for choosing a policy, `test` for looking at what it does: neither trained a model. Both are
    what `halocline.data.read` takes.
    """

    edge: Path
    cloud: Path
    tune: Path
    test: Path


def sample_pair(kit: Kit, folder: Path | None, *, seed: int = 0) -> SamplePair:
    """The pair for the real set in that folder, or for the kit's small made samples where it is None.

    Raises Misconfigured: HAL-103 (an extra is missing), HAL-304 (a file is missing or not what it should be).
    """
    need("demo", "onnx", "threadpoolctl", "sklearn", what=f"the {kit.name} models")
    data = "made" if folder is None else digest(folder, kit.files(folder))
    sides = [
        (side.input, as_facts(side.recipe), side.is_scaled, side.is_turned) for side in (kit.edge, kit.cloud)
    ]
    known = key(RECIPE, kit.task, msgspec.json.encode(sides).hex(), seed, data)
    where = cache_folder() / f"{kit.name}-pair-{known}"
    return kept(where, lambda building: _write(building, kit, folder, seed), _read)


def _write(building: Path, kit: Kit, folder: Path | None, seed: int) -> None:
    parts = kit.made() if folder is None else kit.read(folder)
    for name, part in (("tune", parts.tune), ("test", parts.test)):
        kit.write(part, parts.labels, building / name)
    write_models(building, kit, parts, seed)


def _read(where: Path) -> SamplePair:
    (tune,), (test,) = (list(where.glob(f"{name}*")) for name in ("tune", "test"))
    return SamplePair(where / "edge.onnx", where / "cloud.onnx", tune, test)
