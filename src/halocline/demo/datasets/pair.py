"""Train an edge and a cloud model on a real set and choose where to escalate, once; then read the cache."""

from pathlib import Path

import msgspec
import numpy as np

from halocline.decide.evidence import Evidence
from halocline.decide.gate import Policy
from halocline.decide.targets import Escalate
from halocline.decide.tune import tune
from halocline.demo.cache import kept, key
from halocline.demo.datasets.catalogue import Dataset
from halocline.demo.datasets.files import digest
from halocline.demo.datasets.model import Trained, train
from halocline.demo.datasets.network import as_facts
from halocline.demo.datasets.rows import Parts, Rows
from halocline.extras import need
from halocline.folders import cache_folder
from halocline.records import Array

RECIPE = 2
"""Raised when training changes, so that no cached model of an older recipe is taken."""
FOLDS = 6
"""Where no rows only tune, so many parts of the groups stand for new ones in turn."""


class Pair(msgspec.Struct, frozen=True, eq=False):
    """Two models as ONNX files, the evidence that chose the threshold, and rows that none of it has seen.

    `served` is a folder NAME/VERSION/model.onnx with the cloud model, for `halocline serve`. `evidence`
    holds both tiers' answers on rows that they were not trained on; where the set has no part for
    tuning, they are answers of models trained alike on the other groups.
    """

    dataset: Dataset
    edge_path: Path
    cloud_path: Path
    served: Path
    evidence: Evidence
    threshold: float
    test: Rows
    edge_parameters: int
    cloud_parameters: int

    @property
    def policy(self) -> Policy:
        """Escalate the set's share, starting at the threshold that the evidence gave."""
        return Policy(threshold=self.threshold, share=self.dataset.share)


def trained_pair(dataset: Dataset, folder: Path, *, seed: int = 0) -> Pair:
    """The pair for that seed, from the cache where it is whole; the same seed gives the same pair.

    Raises Misconfigured: HAL-103 (an extra is missing), HAL-304 (a file is missing or not what it should be).
    """
    need("demo", "onnx", "threadpoolctl", what=f"the {dataset.name} models")
    names = dataset.files(folder)
    parts = dataset.read(folder)
    known = key(RECIPE, msgspec.json.encode(_facts(dataset)).hex(), seed, digest(folder, names))
    made = kept(
        cache_folder() / f"{dataset.name}-{seed}-{known}",
        lambda building: _write(building, dataset, parts, seed),
        lambda found: _read(found, dataset),
    )
    edge_path, cloud_path, evidence, facts = made
    return Pair(
        dataset=dataset,
        edge_path=edge_path,
        cloud_path=cloud_path,
        served=cloud_path.parents[2],
        evidence=evidence,
        threshold=facts.threshold,
        test=parts.test,
        edge_parameters=facts.edge_parameters,
        cloud_parameters=facts.cloud_parameters,
    )


def _facts(dataset: Dataset) -> dict[str, object]:
    """What the models depend on besides the data."""
    return {
        "share": dataset.share,
        "labels": dataset.labels,
        "edge": as_facts(dataset.edge),
        "cloud": as_facts(dataset.cloud),
    }


class _Manifest(msgspec.Struct, frozen=True):
    threshold: float
    edge_parameters: int
    cloud_parameters: int


def _write(folder: Path, dataset: Dataset, parts: Parts, seed: int) -> None:
    edge, cloud = _both(dataset, parts.train, seed)
    evidence = (
        _across_groups(dataset, parts.train, seed) if parts.tune is None else _seen(edge, cloud, parts.tune)
    )
    inputs = parts.train.x.shape[1]
    served = _cloud_path(folder, dataset)
    served.parent.mkdir(parents=True)
    served.write_bytes(cloud.to_onnx(inputs, dataset.labels, features=False))
    (folder / "edge.onnx").write_bytes(edge.to_onnx(inputs, dataset.labels, features=True))
    np.savez(folder / "evidence.npz", **{name: getattr(evidence, name) for name in _EVIDENCE})
    threshold = tune(evidence, Escalate(dataset.share)).threshold
    facts = _Manifest(threshold, edge.parameters, cloud.parameters)
    (folder / "pair.json").write_bytes(msgspec.json.encode(facts))


def _read(folder: Path, dataset: Dataset) -> tuple[Path, Path, Evidence, _Manifest]:
    with np.load(folder / "evidence.npz") as arrays:
        evidence = Evidence(**{name: arrays[name] for name in _EVIDENCE})
    manifest = msgspec.json.decode((folder / "pair.json").read_bytes(), type=_Manifest)
    return folder / "edge.onnx", _cloud_path(folder, dataset), evidence, manifest


_EVIDENCE = ("confidence", "edge_index", "edge_correct", "cloud_correct", "label", "group")


def _cloud_path(folder: Path, dataset: Dataset) -> Path:
    return folder / "cloud" / dataset.name / "1" / "model.onnx"


def _both(dataset: Dataset, rows: Rows, seed: int) -> tuple[Trained, Trained]:
    classes = len(dataset.labels)
    return (
        train(rows.x, rows.y, classes, dataset.edge, seed),
        train(rows.x, rows.y, classes, dataset.cloud, seed),
    )


def _across_groups(dataset: Dataset, rows: Rows, seed: int) -> Evidence:
    """Each group answered by models that have not met it."""
    groups = np.random.default_rng(seed).permutation(np.unique(rows.groups))
    parts = []
    for out in np.array_split(groups, min(FOLDS, len(groups))):
        unseen = np.isin(rows.groups, out)
        edge, cloud = _both(dataset, rows.where(~unseen), seed)
        parts.append(_seen(edge, cloud, rows.where(unseen)))
    return Evidence(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in _EVIDENCE})


def _seen(edge: Trained, cloud: Trained, rows: Rows) -> Evidence:
    scores = edge.scores(rows.x)
    index: Array = scores.argmax(axis=1)
    return Evidence(
        confidence=np.minimum(scores.max(axis=1), 1.0).astype(np.float64),
        edge_index=index,
        edge_correct=index == rows.y,
        cloud_correct=cloud.scores(rows.x).argmax(axis=1) == rows.y,
        label=rows.y,
        group=rows.groups,
    )
