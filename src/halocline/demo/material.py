"""What the demo plays with: models, policies, and rows that neither training nor tuning has seen."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from halocline.decide.gate import Policy
from halocline.demo.datasets.catalogue import DATASETS, Dataset
from halocline.demo.datasets.pair import trained_pair
from halocline.demo.samples import digit_folds
from halocline.errors import Misconfigured
from halocline.records import Array

DIGITS = "digits"

MOST_ROWS = 4_000
"""A run streams so many rows twice, one by one; more would be long to watch."""
FAULT_ROWS = 160
"""As many as a phase with a fault asks for."""
FAULT_FOLDS = 3


class Fold(msgspec.Struct, frozen=True, eq=False):
    """One program's models and policy, and the rows `[n, features]` that it is asked, with their classes."""

    edge_path: Path
    cloud: str
    policy: Policy
    labels: tuple[str, ...]
    x: Array
    y: Array


class Material(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Everything that is played with.

    `rows` is what people call a row, many of them. `asked` are the folds of the baseline and the normal
    case; the folds 1, 2 and 3 each meet one fault. `served` is the folder of cloud models to serve.
    """

    dataset: str
    rows: str
    folds: tuple[Fold, ...]
    asked: tuple[int, ...]
    served: Path


def material_of(name: str, folder: Path | None, *, seed: int, say: Callable[[str], None]) -> Material:
    """The set of that name, its models trained first where the cache lacks them; `say` is told so.

    Raises Misconfigured: HAL-102 (a folder for the digits), HAL-103 (an extra is missing), HAL-304 (no
    folder, or not that set's).
    """
    if name == DIGITS:
        if folder is not None:
            raise Misconfigured(
                "HAL-102",
                f"--from {folder} says where a real set lies, and the digits come with scikit-learn. Try "
                f"--dataset {'|'.join(DATASETS)}, or leave --from out",
            )
        say("two digit models for each of five splits: trained the first time, a few seconds, then cached")
        return digit_material()
    if folder is None:
        raise Misconfigured(
            "HAL-304", f"--dataset {name} is read from a folder of yours. Try: --dataset {name} --from DIR"
        )
    say(f"two models for {DATASETS[name].rows}: trained the first time, up to two minutes, then cached")
    return real_material(DATASETS[name], folder, seed=seed)


def digit_material() -> Material:
    """Each of 1,797 digits once, in five splits. Raises Misconfigured (HAL-103)."""
    samples = digit_folds()
    folds = tuple(
        Fold(each.edge_path, f"digits-{at}", Policy(threshold=each.threshold), each.labels, each.x, each.y)
        for at, each in enumerate(samples.folds)
    )
    return Material(
        dataset=DIGITS, rows="digits", folds=folds, asked=tuple(range(len(folds))), served=samples.served
    )


def real_material(dataset: Dataset, folder: Path, *, seed: int) -> Material:
    """Rows of the set's test part, drawn by the seed, which also trains the models.

    One program is asked in the normal case, so that it sees the rows of everybody, as a gateway would.
    Raises as `trained_pair` does.
    """
    pair = trained_pair(dataset, folder, seed=seed)
    drawn = np.random.default_rng(seed).permutation(len(pair.test))
    faults = min(FAULT_ROWS, len(drawn) // (2 * FAULT_FOLDS))
    cuts = [at * faults for at in range(1, FAULT_FOLDS + 1)]
    *broken, rest = np.split(drawn, cuts)
    parts = [rest[:MOST_ROWS], *broken]
    folds = tuple(
        Fold(pair.edge_path, dataset.name, pair.policy, dataset.labels, pair.test.x[part], pair.test.y[part])
        for part in parts
    )
    return Material(dataset=dataset.name, rows=dataset.rows, folds=folds, asked=(0,), served=pair.served)
