"""Measure what a policy does on labelled rows that it was not tuned on, beside each tier alone."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from halocline.decide.allowance import EscalationBudget
from halocline.decide.checks import check_number
from halocline.decide.evidence import Evidence
from halocline.decide.gate import NO_CONFIDENCE, Policy
from halocline.decide.told import percent
from halocline.errors import Misconfigured, Rejected
from halocline.ports import Feed, Function, Model, Upstream
from halocline.records import Array, Task
from halocline.stats.bounds import Estimate
from halocline.stats.calibrate import expected_calibration_error
from halocline.tuning.curve import Curve, class_name, curve_with, doubts_of
from halocline.tuning.desk import CloudCost, Progress
from halocline.tuning.gather import BATCH_ROWS, Cache, gather
from halocline.tuning.gathered import Gathered, Latency
from halocline.tuning.judged import judged
from halocline.tuning.labelled import Labelled
from halocline.tuning.measures import Measure, measures_of
from halocline.tuning.replay import goes_up, is_beyond, within_budget
from halocline.tuning.rows import Truth, data_digest
from halocline.tuning.tally import CLOUD, EDGE, LOST, TIERED, UP, Tally
from halocline.tuning.tuned import Tuned
from halocline.tuning.verdict import PromiseCheck, check_promise, told_gain
from halocline.wire.policy_file import PolicyFile, read_policy

if TYPE_CHECKING:
    from matplotlib.figure import Figure


RATES = (1e-6, 1e9)
"""Requests a second, from one in eleven days to more than any machine takes."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """How often one way of answering is right, with 95 % intervals: all rows, mean of classes, by class."""

    accuracy: Estimate
    balanced_accuracy: Estimate
    recall: Mapping[str, Estimate]


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """What answering these rows one by one takes: cloud calls, bytes of their request bodies, USD.

    `usd` is None where no price was given.
    """

    calls: int
    bytes_up: int
    usd: float | None


class Evaluation(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What a policy does on labelled rows: `tiered`, beside `edge` and `cloud` alone on the same rows.

    Intervals are 95 %, over the drawing of groups where the rows have them, else of rows. `lost` is the
    share answered at the edge, wrongly, where the cloud is right; `gain` is the accuracy of both tiers
    together less the cloud's, and `gain_told` says in words whether that is more than chance.
    `calibration_error` is the expected calibration error of the edge's confidence. `bill` is what the
    policy takes, `cloud_bill` what the cloud alone does; `saved` is the share of calls saved.
    `kept_by_budget` counts the rows that were to go up and the budget kept: the promise does not cover them.
    None where there is no budget, or where it was not replayed (`notes` say so).
    `measures` are figures of the `task` beside the share of right answers: mAP of a detector, the mean
    absolute error of a regressor, precision and recall of a scorer.
    """

    rows: int
    groups: int | None
    edge: Figures
    cloud: Figures
    tiered: Figures
    escalated: Estimate
    lost: Estimate
    gain: Estimate
    gain_told: str
    calibration_error: Estimate | None
    promise: PromiseCheck
    bill: Bill
    cloud_bill: Bill
    saved: float
    kept_by_budget: int | None
    edge_s: Latency
    cloud_s: Latency | None
    curve: Curve
    cost: CloudCost
    notes: tuple[str, ...]
    task: Task = Task.CLASSIFY
    measures: tuple[Measure, ...] = ()

    def plot(self, path: str | Path | None = None) -> "Figure":
        """Draw the curve on these rows with the policy's point in it (see `Curve.plot`)."""
        return self.curve.plot(path)

    def as_dict(self) -> dict[str, Any]:
        """Everything but the curve's points, for JSON."""
        named = {name: getattr(self, name) for name in Evaluation.__struct_fields__}
        return {**named, "curve": self.curve.as_dict()}

    def __repr__(self) -> str:
        return (
            f"<Evaluation of {self.rows} rows: {percent(self.escalated.value)} go up; accuracy together "
            f"{percent(self.tiered.accuracy.value)}, cloud {percent(self.cloud.accuracy.value)}, "
            f"edge {percent(self.edge.accuracy.value)}; {self.promise.told}>"
        )


def evaluate(
    edge: Model,
    cloud: Upstream | Model | Function,
    policy: Policy | PolicyFile | Tuned | str | Path,
    x: Array | Feed | Sequence[Any],
    y: Any,
    groups: Any = None,
    *,
    cloud_price: float | None = None,
    link_price: float | None = None,
    latency_calls: int = 0,
    requests_per_s: float | None = None,
    to_cloud: Callable[[Array], Array] | None = None,
    label_map: Mapping[str, str] | None = None,
    cache: Cache = None,
    timeout_s: float = 30.0,
    batch_rows: int = BATCH_ROWS,
    progress: Progress | None = None,
    strict: bool = False,
    tolerance: float | None = None,
) -> Evaluation:
    """Say what the policy does on labelled rows that neither training nor tuning has seen.

    `policy` is a Policy, what `tune` gave, or the path of a policy file. `cloud_price` is USD a call and
    `link_price` USD a megabyte (1,000,000 bytes) sent up. `latency_calls` rows are sent one by one to
    time the cloud, whatever the cache knows. The policy's budget is replayed in the order of the rows, one
    by one; `requests_per_s` says how fast they come, which a budget by the minute needs. The rest is as
    in `tune`; the `tolerance` of a policy file holds where none is given. Raises as `tune` does, and
    Misconfigured where the policy was made for another model.
    """
    if requests_per_s is not None:
        check_number("requests_per_s", requests_per_s, *RATES)
    file = _file_of(policy)
    if isinstance(file, PolicyFile):
        _check_edge(file, edge)
    if y is None:
        raise Rejected("HAL-305", "y is None, and without labels what is right cannot be counted: give them")
    if tolerance is None and isinstance(file, PolicyFile):
        tolerance = file.tolerance
    labelled = Labelled(y, groups, tolerance)
    seen = gather(
        edge,
        cloud,
        x,
        to_cloud=to_cloud,
        label_map=label_map,
        cache=cache,
        timeout_s=timeout_s,
        batch_rows=batch_rows,
        latency_calls=latency_calls,
        progress=progress,
        strict=strict,
        check=labelled.read,
    )
    return evaluate_on(
        seen,
        file,
        *labelled.of(seen.places),
        cloud_price=cloud_price,
        link_price=link_price,
        requests_per_s=requests_per_s,
    )


def evaluate_on(
    seen: Gathered,
    policy: Policy | PolicyFile,
    labels: Truth | None,
    group: Array | None = None,
    *,
    cloud_price: float | None = None,
    link_price: float | None = None,
    requests_per_s: float | None = None,
) -> Evaluation:
    """Say what the policy does on rows that both tiers have answered already; the rest as in `evaluate`.

    Without labels (None) the cloud's answers are the truth.
    """
    file = policy if isinstance(policy, PolicyFile) else None
    in_force = policy.policy if isinstance(policy, PolicyFile) else policy
    said = () if file is None else (*_of_cloud(file, seen), *_of_tolerance(file, labels))
    same_rows = False
    known = None if labels is None else labels.key
    if file is not None and file.data_digest == data_digest(seen.inputs, known, group):
        same_rows = True
        said = (
            "these are the very rows that the policy was tuned on, and they flatter it: take others",
            *said,
        )
    wants_up = goes_up(seen, in_force)
    granted = within_budget(wants_up, in_force.budget, requests_per_s)
    up = wants_up if granted is None else granted
    judge = judged(seen, in_force, labels)
    confidence, edge_right, cloud_right = judge.confidence, judge.edge_right, judge.cloud_right
    tally = Tally(judge.counted, edge_right, cloud_right, up, group)
    new = None if in_force.novelty is None else is_beyond(seen, in_force.novelty)
    evidence = Evidence(
        confidence=confidence if new is None else np.where(new, NO_CONFIDENCE, confidence),
        edge_index=judge.index,
        edge_correct=edge_right,
        cloud_correct=None if labels is None else cloud_right,
        label=judge.counted if labels is not None and judge.has_classes else None,
        group=group,
    )
    curve = curve_with(evidence, tally, in_force.threshold, seen.classes, always=judge.always)
    names = [class_name(seen.classes, int(each)) for each in tally.classes] if judge.has_classes else []
    gain = tally.gain(TIERED, CLOUD)
    bills = [_bill(seen, calls, cloud_price, link_price) for calls in (int(up.sum()), seen.rows)]
    promise = None if file is None else file.promise
    covered = tally if granted is None else Tally(judge.counted, edge_right, cloud_right, wants_up, group)
    kept = None if in_force.budget is None or granted is None else int((wants_up & ~up).sum())
    return Evaluation(
        rows=seen.rows,
        groups=tally.groups,
        edge=_figures(tally, EDGE, names),
        cloud=_figures(tally, CLOUD, names),
        tiered=_figures(tally, TIERED, names),
        escalated=tally.share(UP),
        lost=tally.share(LOST),
        gain=gain,
        gain_told=told_gain(gain, tally.groups),
        calibration_error=_calibration(confidence, edge_right, group),
        promise=check_promise(
            promise,
            covered,
            dict(zip(tally.classes.tolist(), names, strict=False)),
            untested=said[0] if said else "",
            same_rows=same_rows,
        ),
        bill=bills[0],
        cloud_bill=bills[1],
        saved=1.0 - float(up.mean()),
        kept_by_budget=kept,
        edge_s=seen.edge_s,
        cloud_s=seen.cloud_s,
        curve=curve,
        cost=seen.cost,
        notes=(
            *said,
            *(() if labels is None else labels.notes),
            *_doubts(tally, has_classes=judge.has_classes),
            *_of_budget(in_force.budget, int(wants_up.sum()), kept),
            *doubts_of(curve.baselines, has_classes=judge.has_classes),
            *seen.notes,
        ),
        task=seen.edge.task,
        measures=measures_of(seen, labels, up.tolist()),
    )


def _file_of(policy: Policy | PolicyFile | Tuned | str | Path) -> Policy | PolicyFile:
    if isinstance(policy, Policy | PolicyFile):
        return policy
    if isinstance(policy, Tuned):
        return policy.file
    if isinstance(policy, str | Path):
        return read_policy(Path(policy))
    raise Misconfigured(
        "HAL-102", f"policy must be a Policy, what tune gave, or a path, got {type(policy).__name__}"
    )


def _check_edge(file: PolicyFile, edge: Model) -> None:
    """Raise Misconfigured (HAL-207) for another edge model than the policy was tuned for."""
    digest = getattr(edge, "digest", "")
    if file.edge_digest and digest and file.edge_digest != digest:
        raise Misconfigured(
            "HAL-207",
            f"the policy was tuned for the edge model {file.edge_digest[:19]}…, this one ({edge.spec.ref}) "
            f"is {digest[:19]}…: its confidences mean something else. Tune again for this model",
        )


def _of_cloud(file: PolicyFile, seen: Gathered) -> tuple[str, ...]:
    """What there is to say where the cloud is another one."""
    if file.cloud_digest and seen.cloud_digest and file.cloud_digest != seen.cloud_digest:
        return ("the policy was tuned against another cloud model; its promise says nothing of this one",)
    if file.cloud != str(seen.cloud):
        told = f"the policy was tuned against the cloud {file.cloud}, this one is {seen.cloud}"
        return (f"{told}; its promise says nothing of this one",)
    return ()


def _of_tolerance(file: PolicyFile, labels: Truth | None) -> tuple[str, ...]:
    """What there is to say where something else counts as right."""
    if labels is None or labels.tolerance in (None, file.tolerance):
        return ()
    if file.tolerance is None:
        return (
            "the policy was tuned without a tolerance: its promise says nothing of what is right within one",
        )
    told = f"the policy was tuned with the tolerance {file.tolerance:g}, this one is {labels.tolerance:g}"
    return (f"{told}; its promise says nothing of this one",)


def _figures(tally: Tally, cells: Array, names: list[str]) -> Figures:
    return Figures(
        accuracy=tally.share(cells),
        balanced_accuracy=tally.balanced(cells),
        recall={name: tally.share(cells, at) for at, name in enumerate(names)},
    )


def _bill(seen: Gathered, calls: int, cloud_price: float | None, link_price: float | None) -> Bill:
    bytes_up = calls * seen.row_bytes
    usd = None
    if cloud_price is not None or link_price is not None:
        usd = calls * (cloud_price or 0.0) + bytes_up / 1e6 * (link_price or 0.0)
    return Bill(calls=calls, bytes_up=bytes_up, usd=usd)


def _calibration(confidence: Array, edge_right: Array, group: Array | None) -> Estimate | None:
    told = confidence >= 0
    if not told.any():
        return None
    return expected_calibration_error(
        confidence[told], edge_right[told], groups=None if group is None else group[told]
    )


def _doubts(tally: Tally, *, has_classes: bool) -> tuple[str, ...]:
    said = []
    if has_classes and len(tally.classes) == 1:
        said.append("every row is of one class: the figures say nothing about the others")
    if tally.groups == 1:
        said.append("every row is of one group: the intervals are too narrow to believe")
    return tuple(said)


def _of_budget(budget: EscalationBudget | None, wanted: int, kept: int | None) -> tuple[str, ...]:
    """What the budget did, or why that is not known."""
    if budget is None or kept == 0:
        return ()
    if kept is None:
        told = (
            f"the budget of {budget.per_minute:g} calls a minute was not replayed, so fewer rows may go up: "
            "that takes the rate of requests (requests_per_s=, --requests-per-s)"
        )
    else:
        told = (
            f"of the {wanted} rows that were to go up, asked one by one, the budget kept {kept} at the edge: "
            "no promise covers those"
        )
    return (told,)
