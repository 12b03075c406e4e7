"""How well each score tells rows of unseen classes from rows of known ones, on digits, speech and clothes.

Small edge models are trained without some classes and asked about them. AUROC: 1 tells all apart, .5 none.
Each class is unseen in turn. In clothes, beside it, each kind of thing (shoes, bags, trousers, what is worn
above): a coat among pullovers is news to no score, and this second reading was added when that had been seen.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np

from common import arguments, report
from halocline.decide.gate import Score, confidence_of
from halocline.demo.datasets import graph, recipes
from halocline.demo.datasets.catalogue import FASHION, SPEECH
from halocline.demo.datasets.model import train
from halocline.demo.datasets.network import Recipe
from halocline.stats.novelty import Novelty, auroc, distances, fit_novelty

Rows: TypeAlias = np.ndarray[Any, np.dtype[Any]]

SEEDS = (0, 1, 2)
LEAST_AUROC = 0.85
FALSE_POSITIVES = 0.05
MOST_ROWS = 20_000
"""Enough to train a small model on; 42 are trained on clothes."""
INPUT_ROWS = 4_000

DIGITS_EDGE = Recipe(hidden=(32,), epochs=60, learning_rate=5e-3)
EACH_CLASS = tuple((one,) for one in range(10))
KINDS = ((5, 7, 9), (8,), (1,), (0, 2, 3, 4, 6))
"""Shoes; bags; trousers; what is worn above."""

SETS = ("digits", "speech", "fashion_mnist_by_class")
AT_MOST = {f"missed_by.{name}": 0.0 for name in SETS}


class Known(msgspec.Struct, frozen=True, eq=False):
    """Rows that train, that set the cut, and that test."""

    train: tuple[Rows, Rows]
    held: tuple[Rows, Rows]
    test: tuple[Rows, Rows]


def main() -> int:
    here = Path(__file__).resolve().parent.parent
    options = arguments(
        __doc__ or "",
        data={"type": Path, "default": here.parent / "shared" / "data", "help": "folder of the data sets"},
    )
    values: dict[str, Any] = {"digits": _measure("digits", _digits(), DIGITS_EDGE, EACH_CLASS)}
    if (options.data / "fsdd").is_dir():
        spoken = _parts(SPEECH.read(options.data / "fsdd"))
        values["speech"] = _measure("speech", spoken, recipes.SPEECH_EDGE, EACH_CLASS)
    if (options.data / "fashion_mnist").is_dir():
        clothes = _parts(FASHION.read(options.data / "fashion_mnist"))
        for name, unseen in (("fashion_mnist_by_kind", KINDS), ("fashion_mnist_by_class", EACH_CLASS)):
            values[name] = _measure(name, clothes, recipes.FASHION_EDGE, unseen)
    values["missed_by"] = {
        name: max(0.0, LEAST_AUROC - values[name]["auroc"]["mahalanobis_on_features"]["mean"])
        for name in SETS
        if name in values
    }
    return report("novelty", values, options, at_most=AT_MOST)


def _digits() -> Known:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = (x[order] / 16).astype(np.float32), y[order]
    parts = [(x[part], y[part]) for part in (slice(1_000), slice(1_000, 1_300), slice(1_300, None))]
    return Known(*parts)


def _parts(parts: Any) -> Known:
    rows = (parts.train, parts.tune, parts.test)
    return Known(*((each.x[:MOST_ROWS], each.y[:MOST_ROWS]) for each in rows))


def _measure(name: str, rows: Known, recipe: Recipe, unseen: Sequence[tuple[int, ...]]) -> dict[str, Any]:
    """AUROC of each score: mean over what is unseen and the seeds, and the worst of what is unseen."""
    found: dict[str, list[list[float]]] = {}
    caught, kept = [], []
    for out in unseen:
        print(f"{name} without {out}", file=sys.stderr)
        each = [_without(rows, recipe, out, seed) for seed in SEEDS]
        for score in each[0].auroc:
            found.setdefault(score, []).append([one.auroc[score] for one in each])
        caught.append([one.caught for one in each])
        kept.append([one.false_positives for one in each])
    return {
        "auroc": {
            score: {
                "mean": float(np.mean(values)),
                "worst_class": float(np.mean(values, axis=1).min()),
                "seeds": [float(one) for one in np.mean(values, axis=0)],
            }
            for score, values in found.items()
        },
        "unseen_caught": float(np.mean(caught)),
        "known_sent_up": float(np.mean(kept)),
    }


class _Told(msgspec.Struct, frozen=True):
    auroc: Mapping[str, float]
    caught: float
    false_positives: float


def _without(rows: Known, recipe: Recipe, out: tuple[int, ...], seed: int) -> _Told:
    """Train without those classes, set the cut on held-out known rows, and ask about the test rows."""
    left = [one for one in range(10) if one not in out]
    x, y = _only(rows.train, left)
    held, _ = _only(rows.held, left)
    edge = _asked(train(x, y, len(left), recipe, seed).to_onnx(x.shape[1], [*map(str, left)], features=True))
    test, new = rows.test[0], np.isin(rows.test[1], out)
    probabilities, features = edge(test)
    on_features = fit_novelty(
        edge(x)[1], y, output=graph.FEATURES, false_positive_share=FALSE_POSITIVES, held_out=edge(held)[1]
    )
    distance = distances(on_features, features)
    strange: dict[str, Rows] = {
        "mahalanobis_on_features": distance,
        "mahalanobis_on_input": distances(_on_input(x, y, seed), test),
    }
    for score in Score:
        strange[score.value] = -confidence_of(probabilities.astype(np.float64), score)[1]
    return _Told(
        {name: auroc(value[~new], value[new]) for name, value in strange.items()},
        float((distance[new] > on_features.cut).mean()),
        float((distance[~new] > on_features.cut).mean()),
    )


def _only(rows: tuple[Rows, Rows], left: list[int]) -> tuple[Rows, Rows]:
    x, y = rows
    keep = np.isin(y, left)
    return x[keep], np.searchsorted(left, y[keep])


def _asked(model: bytes) -> Callable[[Rows], tuple[Rows, Rows]]:
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    def ask(x: Rows) -> tuple[Rows, Rows]:
        scores, features = session.run([graph.SCORES, graph.FEATURES], {graph.INPUT: x})
        return scores, features

    return ask


def _on_input(x: Rows, y: Rows, seed: int) -> Novelty:
    some = np.random.default_rng(seed).permutation(len(x))[:INPUT_ROWS]
    return fit_novelty(x[some], y[some], held_out=x[some])


if __name__ == "__main__":
    sys.exit(main())
