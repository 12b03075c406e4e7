"""What 2 % of the samples, chosen by the rules, catch of the edge's errors and of a new kind, beside random.

A day of pictures of clothes, and one of spoken digits; --data DIR holds fashion_mnist and fsdd, and a set
that is not there is skipped by name. The edge model never saw one class; rows of it are planted in the second
half, and for a fifth of the day all drifts: darker, noisier pictures; noisier sound. Each way has one budget.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np

from common import arguments, report
from halocline.decide.candidate import Candidate
from halocline.decide.quota import DAY_S, Quota
from halocline.decide.rules import Periodic, Rule, Rules, SpotChecks, Strangeness, Thin, Uncertainty
from halocline.decide.select import Chosen, Selection
from halocline.decide.sketch import sketch
from halocline.demo.datasets import recipes
from halocline.demo.datasets.catalogue import FASHION, SPEECH
from halocline.demo.datasets.model import train
from halocline.demo.datasets.network import Recipe
from halocline.records import Reason, Tier
from halocline.stats.novelty import distances, fit_novelty

Rows: TypeAlias = np.ndarray[Any, np.dtype[Any]]

SEEDS = (0, 1, 2)
UNSEEN = {"fashion_mnist": (8, 5, 1), "speech": (9, 4, 7)}
"""One class for each seed: bags, sandals, trousers; nine, four, seven."""
BUDGET = 0.02
NOVEL = 0.02
"""Of all rows are of the new kind, all in the second half."""
DRIFT = (0.6, 0.8)
"""Between these shares of the day all drifts, but mildly: where half of the answers are wrong, no choice can
hold three times the errors of a random one."""
BELOW = 0.8
"""The threshold that a policy has by default: what goes up without a selection, too."""
LEAST = 3.0
"""Times as many as random."""
RANDOM_DRAWS = 200
MOST_ROWS = 20_000
FRAMES, FRAME_NOISE = 8, 0.05
"""In `scenes` each row is shown so many times, with noise of this share of the spread."""

WAYS = ("uncertainty", "uncertainty_with_hindsight", "rules", "rules_apart")
SETS = ("fashion_mnist", "speech")
AT_MOST = {f"missed_by.{name}.{what}": 0.0 for name in SETS for what in ("errors", "novel")}


class Day(msgspec.Struct, frozen=True, eq=False):
    """A stream in order: rows `[n, features]`, what the edge said, what is so, and which rows are new."""

    x: Rows
    confidence: Rows
    label: Rows
    distance: Rows
    is_error: Rows
    is_novel: Rows
    cut: float

    def __len__(self) -> int:
        return len(self.x)


def main() -> int:
    here = Path(__file__).resolve().parent.parent
    options = arguments(
        __doc__ or "",
        data={"type": Path, "default": here.parent / "shared" / "data", "help": "folder of the data sets"},
    )
    found = {
        name: options.data / folder
        for name, folder in (("fashion_mnist", "fashion_mnist"), ("speech", "fsdd"))
        if (options.data / folder).is_dir()
    }
    skipped = [name for name in SETS if name not in found]
    for name in skipped:
        print(f"skipped: {name} is not in {options.data}", file=sys.stderr)
    values: dict[str, Any] = {name: _measure(name, folder) for name, folder in found.items()}
    values["missed_by"] = {
        name: {
            what: max(0.0, LEAST - values[name]["rules"]["over_random"][what]) for what in ("errors", "novel")
        }
        for name in found
    }
    values |= {"seeds": list(SEEDS), "budget": BUDGET, "skipped": skipped, "choose": _timed()}
    return report("selection", values, options, at_most=AT_MOST)


def _measure(name: str, folder: Path) -> dict[str, Any]:
    """Means over the seeds, each with another unseen class."""
    each = []
    for seed, unseen in zip(SEEDS, UNSEEN[name], strict=True):
        print(f"{name}: seed {seed}, class {unseen} unseen", file=sys.stderr)
        each.append(_of_seed(name, folder, seed, unseen))
    told = _mean(each)
    for way in (told[name] for name in WAYS):
        way["over_random"] = {
            what: way[what] / told["random"][what] for what in ("errors", "errors_known", "novel")
        }
    for way in ("rules", "rules_apart"):
        told[way]["over_uncertainty"] = {
            what: told[way][what] / told["uncertainty"][what] for what in ("errors", "novel")
        }
    told["novel_over_random"] = {
        f"class_{unseen}": {way: one[way]["novel"] / one["random"]["novel"] for way in WAYS}
        for unseen, one in zip(UNSEEN[name], each, strict=True)
    }
    return told


def _of_seed(name: str, folder: Path, seed: int, unseen: int) -> dict[str, Any]:
    rng = np.random.default_rng((seed, unseen))
    day, frames = _days(name, folder, unseen, seed, rng)
    budget = round(BUDGET * len(day))
    ways = {
        "random": _random(day, budget, rng),
        "uncertainty": _caught(day, _chosen(day, _uncertainty_alone(budget), seed)),
        "uncertainty_with_hindsight": _caught(day, np.argsort(day.confidence, kind="stable")[:budget]),
        "rules": _caught(day, _chosen(day, _rules(budget, Thin()), seed)),
        "rules_apart": _caught(day, _chosen(day, _apart(budget), seed)),
    }
    of_all = {
        "rows": len(day),
        "errors": float(day.is_error.mean()),
        "errors_in_drift": float(day.is_error[_drifted(day)].mean()),
        "novel": float(day.is_novel.mean()),
        "scenes": _scenes(day, frames, seed),
    }
    return {**ways, "day": of_all}


def _drifted(rows: Day | Rows) -> slice:
    begin, end = (round(share * len(rows)) for share in DRIFT)
    return slice(begin, end)


def _days(name: str, folder: Path, unseen: int, seed: int, rng: np.random.Generator) -> tuple[Day, Day]:
    """The day, and the same day with each row shown FRAMES times."""
    dataset, recipe, drift = _SETS[name]
    parts = dataset.read(folder)
    assert parts.tune is not None
    x, y = parts.train.x, parts.train.y
    order = rng.permutation(len(x))
    size = min(MOST_ROWS, len(x) // 2)
    later = order[size:] if name == "speech" else order[:0]  # its test part alone is too short for a day
    stream = (np.concatenate([parts.test.x, x[later]]), np.concatenate([parts.test.y, y[later]]))
    edge = _Edge((x[order[:size]], y[order[:size]]), (parts.tune.x, parts.tune.y), unseen, recipe, seed)
    rows, truth = _planted(*stream, unseen, rng)
    drifted = _drifted(rows)
    rows[drifted] = drift(rows[drifted], rng)
    day = edge.asked(rows, truth)
    shown = rows.repeat(FRAMES, axis=0)
    noise = FRAME_NOISE * rows.std() * rng.standard_normal(shown.shape, dtype=np.float32)
    return day, edge.asked(shown + noise.astype(np.float32), truth.repeat(FRAMES))


def _planted(x: Rows, y: Rows, unseen: int, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """The known rows in an order by chance, those of the unseen class strewn over the second half."""
    known, new = rng.permutation(np.flatnonzero(y != unseen)), rng.permutation(np.flatnonzero(y == unseen))
    new = new[: round(NOVEL * len(known))]
    places = np.sort(rng.integers(len(known) // 2, len(known), len(new)))
    order = np.insert(known, places, new)
    return x[order].copy(), y[order]


class _Edge:
    """An edge model that never saw one class, and how far rows are from what it saw."""

    def __init__(
        self, rows: tuple[Rows, Rows], held: tuple[Rows, Rows], unseen: int, recipe: Recipe, seed: int
    ) -> None:
        self._left = [each for each in range(10) if each != unseen]
        x, y = self._known(*rows)
        self._session = _session(
            train(x, y, len(self._left), recipe, seed).to_onnx(
                x.shape[1], [*map(str, self._left)], features=True
            )
        )
        held_x, _ = self._known(*held)
        self._novelty = fit_novelty(self._run(x)[1], y, held_out=self._run(held_x)[1])

    def asked(self, x: Rows, truth: Rows) -> Day:
        scores, features = self._run(x)
        said = np.asarray(self._left)[scores.argmax(axis=1)]
        return Day(
            x=x,
            confidence=scores.max(axis=1),
            label=said,
            distance=distances(self._novelty, features),
            is_error=said != truth,
            is_novel=~np.isin(truth, self._left),
            cut=self._novelty.cut,
        )

    def _known(self, x: Rows, y: Rows) -> tuple[Rows, Rows]:
        keep = np.isin(y, self._left)
        return x[keep], np.searchsorted(self._left, y[keep])

    def _run(self, x: Rows) -> Sequence[Rows]:
        outputs: Sequence[Rows] = self._session.run(None, {"x": x})
        return outputs


def _session(model: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _darker(x: Rows, rng: np.random.Generator) -> Rows:
    noise = 0.08 * rng.standard_normal(x.shape, dtype=np.float32)
    return np.clip(0.8 * x + noise, 0, 1).astype(np.float32)


def _louder_room(x: Rows, rng: np.random.Generator) -> Rows:
    return (x + 0.6 * rng.standard_normal(x.shape, dtype=np.float32)).astype(np.float32)


_SETS: dict[str, Any] = {
    "fashion_mnist": (FASHION, recipes.FASHION_EDGE, _darker),
    "speech": (SPEECH, recipes.SPEECH_EDGE, _louder_room),
}


# Ways to choose


def _rules(budget: int, thin: Thin) -> Rules:
    """What is measured: two rules that share the budget by degree, and two that draw a tenth of it."""
    return Rules(
        rules=[
            Rule(name="new", what=Strangeness()),
            Rule(name="unsure", what=Uncertainty(BELOW)),
            Rule(name="each", what=Periodic(DAY_S), priority=3, quota=_some(budget), thin=False),
            Rule(name="check", what=SpotChecks(0.001), priority=3, quota=_some(budget), thin=False),
        ],
        total=Quota(records_per_day=budget),
        thin=thin,
    )


def _apart(budget: int) -> Rules:
    """The same, where what is new has a budget of its own, so that what is unsure cannot outbid it."""
    new, unsure, *drawn = _rules(budget, Thin()).rules
    own = [
        msgspec.structs.replace(rule, quota=Quota(records_per_day=max(1, round(share * budget))))
        for rule, share in ((new, 0.4), (unsure, 0.5))
    ]
    return Rules(rules=[*own, *drawn], total=Quota(records_per_day=budget))


def _some(budget: int) -> Quota:
    return Quota(records_per_day=max(1, round(0.05 * budget)))


def _uncertainty_alone(budget: int) -> Rules:
    rule = Rule(name="unsure", what=Uncertainty(BELOW))
    return Rules(rules=[rule], total=Quota(records_per_day=budget))


def _chosen(day: Day, rules: Rules, seed: int) -> Rows:
    """The rows that are sent, one after the other over the day."""
    selection = Selection(rules, seed=seed)
    step_s = DAY_S / len(day)
    return np.asarray(
        [
            at
            for at, sample in enumerate(_samples(day))
            if isinstance(selection.choose(sample, at * step_s), Chosen)
        ],
        dtype=np.int64,
    )


def _samples(day: Day) -> list[Candidate]:
    return [
        Candidate(
            id=str(at),
            confidence=float(day.confidence[at]),
            label=str(day.label[at]),
            novelty=float(day.distance[at]),
            novelty_cut=day.cut,
            tier=Tier.EDGE,
            reason=Reason.CONFIDENT,
            payload_bytes=day.x[at].nbytes,
            sketch=lambda at=at: sketch(day.x[at]),  # type: ignore[misc]  # the default binds the row
        )
        for at in range(len(day))
    ]


# What was caught


def _caught(day: Day, sent: Rows) -> dict[str, Any]:
    """The share that is sent, and of the errors, those on known kinds, and the new rows, the share in it."""
    known = day.is_error & ~day.is_novel
    return {
        "sent": len(sent) / len(day),
        "errors": float(day.is_error[sent].sum() / day.is_error.sum()),
        "errors_known": float(known[sent].sum() / known.sum()),
        "novel": float(day.is_novel[sent].sum() / day.is_novel.sum()),
    }


def _random(day: Day, budget: int, rng: np.random.Generator) -> dict[str, Any]:
    draws = [_caught(day, rng.permutation(len(day))[:budget]) for _ in range(RANDOM_DRAWS)]
    return _mean(draws)


def _scenes(day: Day, frames: Day, seed: int) -> dict[str, Any]:
    """With each row shown FRAMES times: of the scenes that the edge gets wrong, how many are caught."""
    budget = round(BUDGET * len(frames))
    wrong = np.flatnonzero(frames.is_error.reshape(-1, FRAMES).any(axis=1))
    told: dict[str, Any] = {}
    for name, thin in (("thinned", Thin()), ("not_thinned", Thin(distance=0.0))):
        sent = _chosen(frames, _rules(budget, thin), seed)
        scenes = np.unique(sent // FRAMES)
        told[name] = {
            "errors": float(np.isin(wrong, scenes).mean()),
            "frames_a_scene": len(sent) / len(scenes),
        }
    return told


def _timed() -> dict[str, float]:
    """Microseconds a sample: that no rule wants, and of a sketch of 28 x 28."""
    selection = Selection(_rules(1_000, Thin()))
    sure = Candidate(
        id="a", confidence=0.99, label="7", tier=Tier.CLOUD, reason=Reason.ESCALATED, payload_bytes=1
    )
    picture = np.random.default_rng(0).random((28, 28)).astype(np.float32)
    calls = 20_000
    selection.choose(sure, 0.0)
    began_s = time.perf_counter()
    for _ in range(calls):
        selection.choose(sure, 0.0)
    unwanted_s = time.perf_counter() - began_s
    began_s = time.perf_counter()
    for _ in range(1_000):
        sketch(picture)
    return {"unwanted_us": unwanted_s / calls * 1e6, "sketch_us": (time.perf_counter() - began_s) * 1e3}


def _mean(each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        key: _mean([one[key] for one in each])
        if isinstance(each[0][key], Mapping)
        else float(np.mean([one[key] for one in each]))
        for key in each[0]
    }


if __name__ == "__main__":
    sys.exit(main())
