"""Choose a policy for a pair of models on the user's own rows, with the promise that the rows carry."""

import datetime
import math
import re
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec
import numpy as np

import halocline
from halocline.decide.allowance import EscalationBudget
from halocline.decide.evidence import rows_of
from halocline.decide.floors import check_floors, check_recalls
from halocline.decide.gate import Policy, Score
from halocline.decide.promise import Promise
from halocline.decide.targets import as_share
from halocline.decide.told import percent
from halocline.decide.tune import Choice, Escalate, Evidence, MaxLoss, Prices, Target
from halocline.decide.tune import tune as choose
from halocline.edge.arguments import choice, edge_of
from halocline.errors import Misconfigured
from halocline.ports import Feed, Function, Model, Upstream
from halocline.records import Array, ModelSpec, Task
from halocline.stats.bounds import bootstrap, upper_bound
from halocline.stats.calibrate import fit_temperature
from halocline.stats.novelty import Novelty, fit_novelty
from halocline.tuning.curve import Curve, curve_with, doubts_of
from halocline.tuning.desk import CloudCost, Progress
from halocline.tuning.gather import BATCH_ROWS, Cache, gather
from halocline.tuning.gathered import Gathered
from halocline.tuning.judged import Judged, judged
from halocline.tuning.labelled import Labelled
from halocline.tuning.replay import check_source, features_of, goes_up, is_new
from halocline.tuning.rows import Truth, counted_once, data_digest
from halocline.tuning.split import calibration_rows
from halocline.tuning.store import row_keys
from halocline.tuning.tally import Tally
from halocline.tuning.truth import VERDICTS
from halocline.wire.policy_file import PolicyFile, write_policy

if TYPE_CHECKING:
    from halocline.wire.policy_form import OtherTask

DEFAULT_MAX_LOSS = 0.01
DEFAULT_ALPHA = 0.1


class Tuned(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A tuned policy, what it promises, what it was chosen among, and what to be wary of.

    `file` is what `save` writes and `Tiered(policy=…)` reads; `cost` says what asking the cloud took;
    `rows` and `groups` count what was given, of which the promise may rest on a part.
    """

    file: PolicyFile
    curve: Curve
    warnings: tuple[str, ...]
    cost: CloudCost
    rows: int
    groups: int | None
    notes: tuple[str, ...]

    @property
    def policy(self) -> Policy:
        """Threshold, temperature, novelty and share."""
        return self.file.policy

    @property
    def promise(self) -> Promise:
        """What is promised, to whom, and what it rests on; or why nothing is."""
        return self.file.promise

    def save(self, path: str | Path) -> Path:
        """Write the policy, with the warnings, as a file that people can review; novelty goes beside it."""
        where = Path(path)
        write_policy(where, self.file, self.warnings)
        return where

    def __repr__(self) -> str:
        there = self.curve.chosen
        return (
            f"<Tuned threshold {self.policy.threshold:.4g}: {percent(there.escalated)} of the calls go up, "
            f"accuracy {percent(there.accuracy)}; {self.promise.reason}>"
        )


def tune(
    edge: Model,
    cloud: Upstream | Model | Function,
    x: Array | Feed | Sequence[Any],
    y: Any = None,
    groups: Any = None,
    *,
    max_loss: float | str | None = None,
    alpha: float | str = DEFAULT_ALPHA,
    escalate: float | str | None = None,
    cloud_price: float | None = None,
    error_price: float | None = None,
    class_floors: Mapping[Any, float | str] | None = None,
    budget: EscalationBudget | None = None,
    novelty: bool = False,
    novelty_output: str | None = None,
    temperature: bool | float = True,
    score: Score | str = Score.MAX_SOFTMAX,
    to_cloud: Callable[[Array], Array] | None = None,
    label_map: Mapping[str, str] | None = None,
    cache: Cache = None,
    timeout_s: float = 30.0,
    batch_rows: int = BATCH_ROWS,
    progress: Progress | None = None,
    strict: bool = False,
    tolerance: float | None = None,
) -> Tuned:
    """Choose the threshold on rows that neither model was trained on, and say what it promises.

    One target: `max_loss`, the share of answers lost against the cloud at most (edge wrong, cloud
    right), with probability 1 - `alpha` over the drawing of the rows (0.01 where no target is given);
    `escalate`, the share that goes up; or `cloud_price` and `error_price` in USD, of one call and of one
    wrong answer. `y` are labels by name or number; without them the cloud's answers are the truth.
    `groups` name the patient, speaker or device of each row: the promise is then for new groups.
    `class_floors` are recalls by class that are to be kept. Shares may be written "2%". `budget` caps what
    goes up at run time, whatever the target; rows that it keeps are covered by no promise. `novelty` also
    sends up what is unlike the rows given here, measured on the input or on the edge's output
    `novelty_output`. `temperature` is fitted where True and enough rows are there.
    `x` are arrays, or raw samples (paths, bytes, arrays) that are read as they are needed and made ready by
    each model's description; one that cannot be is left out and named in `notes`, or refused with `strict`.
    What is right depends on the task. A detector (`y`: Boxes, in fractions of the picture) is right where
    every thing has a box at an overlap of one half, with the right class, and nothing else has one; a
    regressor (numbers) within `tolerance` of the truth, in its unit, which must be stated; a scorer (0 or 1,
    whether it is an anomaly) with the right verdict. Without `y` an answer is right where it and the cloud's
    say the same, as a correction's `changed` has it. In these tasks `temperature`, `score` and `novelty` have
    no meaning, and only a scorer has `class_floors`, of "normal" and "anomaly".
    The cloud's answers are kept in `cache` (a folder, the user's cache folder by default, False for none),
    so that tuning again asks only what is new; a call carries up to `batch_rows` rows and may take
    `timeout_s`.

    Raises Misconfigured (HAL-101, HAL-102, HAL-111, HAL-333), Rejected (HAL-301 to HAL-305, HAL-601,
    HAL-602), and Transient, Rejected or Untrusted where the cloud gives no answer.
    """
    alpha = as_share("alpha", alpha)
    target = target_of(max_loss, alpha, escalate, cloud_price, error_price)
    kind = choice(Score, "score", score)
    if not isinstance(budget, EscalationBudget | None):
        raise Misconfigured(
            "HAL-102",
            f"budget must be an EscalationBudget, got {budget!r}. Try hc.EscalationBudget(share=0.05)",
        )
    if not isinstance(temperature, bool):
        Policy(temperature=temperature)  # refused at once where it is none
    wanted = novelty or novelty_output is not None
    spec = edge_of(edge).spec
    _check_task(spec, floors=bool(class_floors), novelty=wanted, temperature=temperature, score=kind)
    names = VERDICTS if spec.task is Task.SCORE else spec.labels
    check_recalls(_floors(class_floors or {}, spec, names, None), names)
    if wanted:
        check_source(spec, novelty_output or "")
    labelled, floors = Labelled(y, groups, tolerance), dict[int, float]()

    def check(spec: ModelSpec, classes: int, rows: int) -> None:
        floors.update(_floors(class_floors or {}, spec, names, classes))
        labelled.read(spec, classes, rows)
        check_floors(None if labelled.truth is None else labelled.truth.index, floors, names)

    seen = gather(
        edge,
        cloud,
        x,
        to_cloud=to_cloud,
        label_map=label_map,
        cache=cache,
        timeout_s=timeout_s,
        batch_rows=batch_rows,
        progress=progress,
        strict=strict,
        check=check,
    )
    read, group = labelled.of(seen.places)
    return tune_on(
        seen,
        read,
        group,
        target,
        alpha=alpha,
        floors=floors,
        budget=budget,
        novelty_on=(novelty_output or "") if wanted else None,
        temperature=temperature,
        score=kind,
    )


def tune_on(
    seen: Gathered,
    read: Truth | None,
    group: Array | None,
    target: Target,
    *,
    alpha: float,
    floors: Mapping[int, float] | None = None,
    budget: EscalationBudget | None = None,
    novelty_on: str | None = None,
    temperature: bool | float = True,
    score: Score = Score.MAX_SOFTMAX,
) -> Tuned:
    """Choose the threshold on rows that both tiers have answered already; the rest is as in `tune`.

    `novelty_on` names what novelty is measured on, "" being the input; None measures none.
    """
    wanted = novelty_on is not None
    if seen.said is not None:
        temperature = False  # it divides logits, and there are none
    raw = judged(seen, Policy(score=score), read)
    truth = raw.counted
    once, copied = counted_once(seen.inputs, raw.key, group)
    # A copy would serve twice wherever the rows are parted, so where there are many none fits.
    split = None if temperature is not True or copied else calibration_rows(once, group, target)
    fitted, said = _temperature(temperature, seen, truth, split, target, has_copies=bool(copied))
    policy = Policy(
        temperature=fitted,
        score=score,
        budget=budget,
        novelty=None if novelty_on is None else _novelty(seen, truth, novelty_on),
    )
    rest = np.ones(seen.rows, dtype=bool) if split is None else ~split
    new = np.zeros(seen.rows, dtype=bool) if policy.novelty is None else is_new(seen, policy.novelty, truth)
    judge = judged(seen, policy, read)
    evidence = _evidence(seen, judge, group, has_labels=read is not None)
    chosen = _chosen(rows_of(evidence, rest), new[rest], target, floors or {}, once[rest], novelty=wanted)
    reason = _named(chosen.promise.reason, seen.classes)
    promise = msgspec.structs.replace(chosen.promise, reason=reason)
    policy = msgspec.structs.replace(policy, threshold=chosen.threshold)
    up = goes_up(seen, msgspec.structs.replace(policy, novelty=None)) | new
    policy = msgspec.structs.replace(policy, share=promise.share)
    shown = rows_of(_without(evidence, new), rest)
    tally = Tally(truth[rest], shown.edge_correct, shown.cloud_right, up[rest], shown.group)
    prices = (target.cloud_usd, target.error_usd) if isinstance(target, Prices) else None
    curve = curve_with(shown, tally, policy.threshold, seen.classes, prices, judge.always)
    kept, uncounted = _of_budget(budget, curve.chosen.escalated)
    notes = (*(read.notes if read else ()), *said, *_of_novelty(new[rest], policy), *uncounted, *seen.notes)
    return Tuned(
        file=PolicyFile(
            policy=policy,
            promise=promise,
            edge_digest=seen.edge_digest,
            cloud_digest=seen.cloud_digest,
            cloud=str(seen.cloud),
            data_digest=data_digest(seen.inputs, None if read is None else read.key, group),
            tuned=datetime.datetime.now(datetime.UTC).date().isoformat(),
            halocline=halocline.__version__,
            disagreement=_disagreement(seen, policy, judge, (rest, rest & once), group, alpha)
            if read is not None
            else None,
            task=None if seen.edge.task is Task.CLASSIFY else cast("OtherTask", seen.edge.task.value),
            tolerance=None if read is None else read.tolerance,
        ),
        curve=curve,
        warnings=(
            *copied,
            *doubts_of(curve.baselines, has_classes=judge.has_classes),
            *(_named(line, seen.classes) for line in chosen.warnings),
            *kept,
        ),
        cost=seen.cost,
        rows=seen.rows,
        groups=None if group is None else len(np.unique(group)),
        notes=notes,
    )


def _disagreement(
    seen: Gathered,
    policy: Policy,
    judge: Judged,
    readings: tuple[Array, ...],
    group: Array | None,
    alpha: float,
) -> float:
    """How often a kept answer differs from the cloud's at most, by each choice of rows."""
    stays = ~goes_up(seen, msgspec.structs.replace(policy, share=None))
    differs = stays & ~judge.same
    return max(_bound_of(differs[rows], None if group is None else group[rows], alpha) for rows in readings)


def _bound_of(differs: Array, group: Array | None, alpha: float) -> float:
    if group is None:
        return upper_bound(int(differs.sum()), len(differs), alpha)
    spread = bootstrap(
        lambda weights: float(weights @ differs / weights.sum()),
        len(differs),
        groups=group,
        alpha=2 * alpha,
    )
    return spread.high


def target_of(
    max_loss: float | str | None,
    alpha: float | str,
    escalate: float | str | None,
    cloud_price: float | None = None,
    error_price: float | None = None,
) -> Target:
    """The one target that the arguments of `tune` name. Raises Misconfigured (HAL-101, HAL-102)."""
    if (cloud_price is None) != (error_price is None):
        raise Misconfigured(
            "HAL-102",
            "prices come as a pair, in USD: what one cloud call costs (cloud_price, --cloud-price) and what "
            "one wrong answer costs (error_price, --error-price)",
        )
    given = [
        name
        for name, value in (("max_loss", max_loss), ("escalate", escalate), ("prices", cloud_price))
        if value is not None
    ]
    if len(given) > 1:
        raise Misconfigured(
            "HAL-102", f"one target at a time, got {' and '.join(given)}: a threshold can serve only one"
        )
    if escalate is not None:
        return Escalate(as_share("escalate", escalate))
    if cloud_price is not None and error_price is not None:
        return Prices(cloud_price, error_price)
    loss = DEFAULT_MAX_LOSS if max_loss is None else as_share("max_loss", max_loss)
    return MaxLoss(loss, as_share("alpha", alpha))


def _temperature(
    asked: bool | float,
    seen: Gathered,
    truth: Array,
    split: Array | None,
    target: Target,
    *,
    has_copies: bool,
) -> tuple[float, tuple[str, ...]]:
    """The temperature, and how it came about where that is not plain."""
    if not isinstance(asked, bool):
        return float(asked), ()
    if not asked:
        return 1.0, ()
    if has_copies and isinstance(target, MaxLoss):
        return 1.0, ("the temperature stays 1: copies of a row would fit it and prove the loss as well",)
    if split is None and isinstance(target, MaxLoss):
        return 1.0, ("the temperature stays 1: these rows are too few to fit it and to prove a loss as well",)
    assert seen.score_kind is not None  # the edge classifies
    rows = np.ones(seen.rows, dtype=bool) if split is None else split
    fitted = round(fit_temperature(seen.scores[rows], seen.score_kind, truth[rows]), 4)
    if split is None:
        return fitted, ()
    return fitted, (
        f"{int(split.sum())} of the {seen.rows} rows fitted the temperature, the others the promise",
    )


def _novelty(seen: Gathered, truth: Array, output: str) -> Novelty:
    return fit_novelty(features_of(seen, output), truth, output=output)


def _of_novelty(new: Array, policy: Policy) -> tuple[str, ...]:
    if policy.novelty is None:
        return ()
    what = policy.novelty.output or "the input"
    return (
        f"novelty on {what}: {percent(float(new.mean()))} of these rows go up for being unlike the others",
    )


def _of_budget(budget: EscalationBudget | None, wanted: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What to be wary of, and what to know, of a budget where this share of the rows wants up."""
    if budget is None:
        return (), ()
    note = "the budget is not counted in these figures; an evaluation replays it"
    if budget.share is None or wanted <= budget.share:
        return (), (note,)
    told = (
        f"{percent(wanted)} of these rows want up and the budget lets {percent(budget.share)} go: the others"
    )
    return (f"{told} keep the edge's answer, and no promise covers them",), (note,)


def _evidence(seen: Gathered, judge: Judged, group: Array | None, *, has_labels: bool) -> Evidence:
    return Evidence(
        confidence=judge.confidence,
        edge_index=judge.index,
        edge_correct=judge.edge_right,
        cloud_correct=judge.cloud_right if has_labels else None,
        label=judge.counted if has_labels and judge.has_classes else None,
        group=group,
        row_id=np.asarray([int.from_bytes(key[:8], "big") for key in row_keys(seen.inputs)], dtype=np.uint64),
    )


def _check_task(
    edge: ModelSpec, *, floors: bool, novelty: bool, temperature: bool | float, score: Score
) -> None:
    """Raise Misconfigured (HAL-333) for a setting that has no meaning in the edge's task."""
    asked = {
        "class_floors": floors and edge.task is not Task.SCORE,
        "novelty": novelty,
        "temperature": not isinstance(temperature, bool) and temperature != 1.0,
        "score": score is not Score.MAX_SOFTMAX,
    }
    given = [name for name, is_given in asked.items() if is_given]
    if edge.task is not Task.CLASSIFY and given:
        raise Misconfigured(
            "HAL-333",
            f"{edge.ref} is said to {edge.task}, and {' and '.join(given)} work on classes. Leave them out",
        )


def _named(text: str, labels: Sequence[str] | None) -> str:
    """The text with the names of classes where it has their numbers."""
    if labels is None:
        return text
    return re.sub(r"\bclass (\d+)\b", lambda found: f"class {labels[int(found[1])]!r}", text)


def _without(evidence: Evidence, new: Array) -> Evidence:
    """The evidence where rows that are new have no confidence: they go up at any threshold."""
    return msgspec.structs.replace(evidence, confidence=np.where(new, -1.0, evidence.confidence))


def _chosen(
    evidence: Evidence,
    new: Array,
    target: Target,
    floors: Mapping[int, float],
    once: Array,
    *,
    novelty: bool,
) -> Choice:
    """The choice, with its promise.

    A loss is certified as if there were no novelty: novelty was learnt from these very rows, and what more
    goes up for it loses nothing against the cloud. A floor is another matter, for the cloud may be the
    one that is wrong; with novelty none is promised.
    """
    if not isinstance(target, MaxLoss):
        evidence = _without(evidence, new)
    found = choose(evidence, target, class_floors=floors, once=once, promise_floors=not novelty)
    if not novelty or not floors or not isinstance(target, MaxLoss):
        return found
    said = (
        "the recall floors are tested and not promised: novelty sends up rows beside those that were counted"
    )
    return msgspec.structs.replace(found, warnings=(*found.warnings, said))


def _floors(
    asked: Mapping[Any, float | str], edge: ModelSpec, labels: Sequence[str] | None, classes: int | None
) -> dict[int, float]:
    """Recall floors by class index. Raises Misconfigured (HAL-102) for a class that there is not.

    `classes` counts them, None where that is known only if they have names.
    """
    if not isinstance(asked, Mapping):
        raise Misconfigured(
            "HAL-102", f"class_floors must name a recall by class, {{'V': 0.9}}, got {asked!r}"
        )
    names = list(labels or ())
    most = len(names) or classes or math.inf
    found = {}
    for key, given in asked.items():
        recall = as_share(f"the recall floor of class {key!r}", given)
        if isinstance(key, str) and key in names:
            found[names.index(key)] = recall
        elif (isinstance(key, Integral) or _is_number_of_class(key, names)) and 0 <= int(key) < most:
            found[int(key)] = recall
        else:
            what = "label" if names and isinstance(key, str) else "class"
            known = ", ".join(names) or f"0 to {most - 1:g}"
            raise Misconfigured(
                "HAL-102", f"class_floors: {key!r} is no {what} of {edge.ref}; known are {known}"
            )
    return found


def _is_number_of_class(key: object, names: Sequence[str]) -> bool:
    """Whether this text is a class number: on the command line it is, where classes have no names."""
    return isinstance(key, str) and not names and key.isdecimal()
