"""Try two models on rows: choose a threshold on one half, see on the other half what it does."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import msgspec
import numpy as np

from halocline.decide.targets import Escalate, MaxLoss, Target
from halocline.decide.told import counted
from halocline.decide.worth import Findings, worth
from halocline.errors import Misconfigured, Rejected
from halocline.ports import Feed, Function, Model, Upstream
from halocline.prices import Prices, read_prices
from halocline.records import Array
from halocline.stats.bounds import Estimate, wilson
from halocline.stats.paired import paired_difference
from halocline.trial.answers import answers_of
from halocline.trial.link import LinkModel, link_named
from halocline.trial.look import Kind, Look, check_kind, look_of
from halocline.trial.preparing import preparing
from halocline.trial.raw import look_of_raw
from halocline.trial.result import Commands, Data, Times, Trial
from halocline.trial.samples import Sample, moves_of, picked
from halocline.trial.split import choosing_half
from halocline.trial.timing import Timing, kept_timing
from halocline.trial.ways import Way, month_of
from halocline.tuning.asking import RemoteCloud
from halocline.tuning.curve import doubts_of
from halocline.tuning.desk import Progress
from halocline.tuning.evaluation import Evaluation, Figures, evaluate_on
from halocline.tuning.gather import BATCH_ROWS, Cache, gather
from halocline.tuning.gathered import Gathered, Latency, told_left_out
from halocline.tuning.judged import judged
from halocline.tuning.labelled import Labelled
from halocline.tuning.replay import goes_up
from halocline.tuning.rows import Truth, counted_once, only
from halocline.tuning.tally import CLOUD, EDGE, LOST, TIERED, UP, Tally
from halocline.tuning.tuned import DEFAULT_ALPHA, DEFAULT_MAX_LOSS, Tuned, target_of, tune_on

FEWEST_ROWS = 4
TIMED_CALLS = 10
LIBRARY = Commands(
    "hc.try_(edge, cloud, x, y)",
    (
        ("choose the threshold on all rows", 'hc.tune(edge, cloud, x, y).save("policy.toml")'),
        ("run it", 'hc.Tiered(edge, cloud, policy="policy.toml")'),
    ),
)


def try_(
    edge: Model,
    cloud: Upstream | Model | Function,
    x: Array | Feed | Sequence[Any],
    y: Any = None,
    groups: Any = None,
    *,
    max_loss: float | str | None = None,
    alpha: float | str = DEFAULT_ALPHA,
    escalate: float | str | None = None,
    link: str = "lte",
    calls_per_day: int = 1000,
    prices: Path | None = None,
    show: str | None = None,
    names: Sequence[str] | None = None,
    seed: int = 0,
    to_cloud: Callable[[Array], Array] | None = None,
    label_map: Mapping[str, str] | None = None,
    cache: Cache = None,
    timeout_s: float = 30.0,
    batch_rows: int = BATCH_ROWS,
    progress: Progress | None = None,
    strict: bool = False,
    tolerance: float | None = None,
) -> Trial:
    """Say whether these two models are worth running together on these rows, which neither was trained on.

    Half of the rows, or of the groups, choose the threshold for `max_loss` (1 % where no target is given)
    or `escalate`; what it does is shown on the other half; `seed` decides the halves. Without `y` the
    cloud's answers are the truth. Money and megabytes are those of a device-month of `calls_per_day`
    requests at the `prices` of a file; the time of a call adds a `link` ("lte", "wifi", "1mbit") as
    modelled. Rows are shown as `show` says ("picture", "sound", "series", "values"), else as their shape
    suggests, and are called by their `names`. The rest is as in `tune`; where the cloud is known by a URL
    or a file, its answers and its time are kept, and trying again makes no call.

    Raises as `tune` does, and Misconfigured (HAL-340, HAL-341), Rejected (HAL-343).
    """
    target = target_of(max_loss, alpha, escalate)
    model, kind, bill = link_named(link), check_kind(show), read_prices(prices)
    _check_calls(calls_per_day)
    how: dict[str, Any] = {
        "to_cloud": to_cloud,
        "label_map": label_map,
        "cache": cache,
        "timeout_s": timeout_s,
        "batch_rows": batch_rows,
        "strict": strict,
    }
    labelled = Labelled(y, groups, tolerance)
    seen = gather(edge, cloud, x, progress=progress, check=labelled.read, **how)
    if seen.rows < FEWEST_ROWS:
        raise Rejected("HAL-343", f"{counted(seen.rows, 'row')} cannot be parted in two: give some hundreds")
    truth, group = labelled.of(seen.places)
    choosing = choosing_half(seen.inputs, group, seed)
    if choosing.all():
        raise Rejected("HAL-343", f"all {seen.rows} rows are copies of one, and cannot be parted in two")

    def measure() -> Latency:
        timed = gather(edge, cloud, _these(x, seen.places[:TIMED_CALLS]), latency_calls=TIMED_CALLS, **how)
        assert timed.cloud_s is not None  # calls were asked for
        return timed.cloud_s

    timing = kept_timing(_identity(cloud, seen), cache, measure)
    tuned = tune_on(
        part_of(seen, choosing), only(truth, choosing), _of(group, choosing), target, alpha=_alpha(target)
    )
    shown = _Shown(part_of(seen, ~choosing), tuned, only(truth, ~choosing), _of(group, ~choosing))
    gallery = _Gallery(x, seen, np.flatnonzero(~choosing), names, kind)
    return _trial(
        seen,
        shown,
        target=target,
        timing=timing,
        link=model,
        prices=bill,
        calls_per_day=calls_per_day,
        data=_data(seen, choosing, group, has_labels=y is not None, seed=seed),
        samples=shown.samples(gallery, seed),
        is_remote=isinstance(cloud, RemoteCloud),
        prepare=preparing(edge, x, seen.places),
        single_group=group is not None and len(np.unique(group)) == 1,
    )


def worth_of(share: Estimate, rows: int, groups: int) -> float:
    """So many independent rows would give a share an interval as wide; from `groups` up to `rows`."""
    spread = (share.high - share.low) / (2 * NormalDist().inv_cdf(0.975))
    alone = share.value * (1 - share.value)
    return float(np.clip(alone / spread**2, groups, rows)) if alone and spread else float(groups)


def part_of(seen: Gathered, rows: Array) -> Gathered:
    """What both tiers say of these rows alone."""
    return msgspec.structs.replace(
        seen,
        scores=seen.scores[rows],
        said=None if seen.said is None else seen.said.of(rows),
        outputs={name: array[rows] for name, array in seen.outputs.items()},
        inputs={name: array[rows] for name, array in seen.inputs.items()},
        cloud_index=seen.cloud_index[rows],
        given=int(rows.sum()),
        places=np.arange(int(rows.sum())),
        left_out=(),
    )


class _Shown:
    """The half that the threshold was not chosen on, and what was counted on it."""

    def __init__(self, seen: Gathered, tuned: Tuned, labels: Truth | None, group: Array | None) -> None:
        self.seen, self.tuned = seen, tuned
        self.evaluation: Evaluation = evaluate_on(seen, tuned.file, labels, group)
        self.labels = labels
        self.judge = judged(seen, tuned.policy, labels)
        self.up = goes_up(seen, tuned.policy)
        self.edge_right, self.cloud_right = self.judge.edge_right, self.judge.cloud_right
        self.tally = Tally(self.judge.counted, self.edge_right, self.cloud_right, self.up, group)
        once, has_many_copies = counted_once(seen.inputs, self.judge.key, group)
        self.independent = int(once.sum()) if has_many_copies else seen.rows
        """Rows that tell something new: many copies of a row would fake certainty."""

    def difference(self, one: Array, other: Array) -> Estimate:
        """How much more often one way is right than the other, with an interval that has a width."""
        counts = self.tally.counts.sum(axis=0)
        wins, losses = (float((counts * (a * (1 - b))).sum()) for a, b in ((one, other), (other, one)))
        rows = self.seen.rows
        if self.tally.groups is None:
            part = self.independent / rows
            return paired_difference(wins * part, losses * part, self.independent)
        drawn = self.tally.gain(one, other)
        if drawn.low < drawn.high:
            return drawn
        # No group differs, so drawing groups tells nothing of the spread between them: it is taken to be
        # that of the edge's accuracy, which says how many independent rows these groups are worth.
        worth = worth_of(self.evaluation.edge.accuracy, rows, self.tally.groups)
        return paired_difference(wins / rows * worth, losses / rows * worth, worth)

    def lost(self) -> Estimate:
        """The share of rows lost against the cloud; where no group loses any, as in `difference`."""
        seen, groups = self.tally.share(LOST), self.tally.groups
        if groups is None or seen.value > 0:
            return seen
        return wilson(0, int(worth_of(self.evaluation.edge.accuracy, self.seen.rows, groups)))

    def samples(self, gallery: "_Gallery", seed: int) -> tuple[Sample, ...]:
        """Up to 24 rows that go up."""
        answers = answers_of(self.seen, self.judge, self.labels)
        return tuple(
            Sample(
                row=gallery.name(row),
                edge=answers.edge(row),
                confidence=float(self.judge.confidence[row]),
                cloud=answers.cloud(row),
                truth=answers.truth(row),
                edge_right=bool(self.edge_right[row]),
                cloud_right=bool(self.cloud_right[row]),
                look=gallery.look(row),
                drawn=answers.drawn(row),
            )
            for row in picked(self.up, self.judge.confidence, seed)
        )


class _Gallery:
    """The rows of the half that is shown, as people may look at them."""

    def __init__(
        self, x: Any, seen: Gathered, rows: Array, names: Sequence[str] | None, kind: Kind | None
    ) -> None:
        self._x, self._seen, self._rows, self._names, self._kind = x, seen, rows, names, kind

    def name(self, row: int) -> str:
        """What the data call the row, else its number."""
        at = int(self._seen.places[self._rows[row]])
        return f"row {at}" if self._names is None else str(self._names[at])

    def look(self, row: int) -> Look:
        """The row as it came; of several inputs, or of one given by name, the first as the edge takes it."""
        at = int(self._rows[row])
        if isinstance(self._x, Mapping):
            return look_of(next(iter(self._seen.inputs.values()))[at], self._kind)
        return look_of_raw(self._x[int(self._seen.places[at])], self._seen.edge.input, self._kind)


def _trial(
    seen: Gathered,
    shown: _Shown,
    *,
    target: Target,
    timing: Timing,
    link: LinkModel,
    prices: Prices,
    calls_per_day: int,
    data: Data,
    samples: tuple[Sample, ...],
    single_group: bool,
    is_remote: bool,
    prepare: Latency | None,
) -> Trial:
    tuned, evaluation = shown.tuned, shown.evaluation
    gain, edge_gain = shown.difference(TIERED, CLOUD), shown.difference(EDGE, CLOUD)
    tolerance = target.loss if isinstance(target, MaxLoss) else DEFAULT_MAX_LOSS
    escalated = shown.tally.share(UP)
    verdict = worth(
        Findings(
            rows=shown.independent,
            groups=shown.tally.groups,
            has_labels=data.has_labels,
            tolerance=tolerance,
            edge=evaluation.edge.accuracy,
            cloud=evaluation.cloud.accuracy,
            tiered=evaluation.tiered.accuracy,
            gain=gain,
            edge_gain=edge_gain,
            over_edge=shown.difference(TIERED, EDGE),
            majority=evaluation.curve.baselines.majority,
            escalated=escalated.value,
            least_escalated=_least_escalated(evaluation, tolerance),
            is_promised=_is_promised(tuned, evaluation, tolerance),
            is_share=isinstance(target, Escalate),
        )
    )
    left_out = told_left_out(seen.left_out, seen.given)
    link_s = link.call_s(seen.row_bytes)
    ready_s = 0.0 if prepare is None else prepare.p50_s
    call_s = ready_s + link_s + timing.latency.p50_s
    edge_s = ready_s + seen.edge_s.p50_s

    def way(figures: Figures, up: float, typical_s: float, slowest_s: float | None) -> Way:
        return Way(
            accuracy=figures.accuracy,
            balanced_accuracy=figures.balanced_accuracy,
            month=month_of(calls_per_day, up, seen.row_bytes, prices),
            typical_s=typical_s,
            slowest_s=slowest_s,
        )

    return Trial(
        made=datetime.datetime.now(datetime.UTC).date().isoformat(),
        edge=str(seen.edge.ref),
        cloud=str(seen.cloud),
        is_remote=is_remote,
        verdict=verdict,
        tolerance=tolerance,
        data=data,
        cloud_alone=way(evaluation.cloud, 1.0, call_s, call_s),
        tiered=way(evaluation.tiered, escalated.value, edge_s + escalated.value * call_s, edge_s + call_s),
        edge_alone=way(evaluation.edge, 0.0, edge_s, None),
        escalated=escalated,
        lost=shown.lost(),
        gain=gain,
        edge_gain=edge_gain,
        moves=moves_of(shown.up, shown.edge_right, shown.cloud_right),
        times=Times(prepare_s=prepare, edge_s=seen.edge_s, cloud=timing, link=link, link_s=link_s),
        up_bytes=seen.row_bytes,
        calls_per_day=calls_per_day,
        prices=prices,
        samples=samples,
        warnings=(*left_out, *_warnings(shown, single_group=single_group)),
        notes=tuple(
            note for note in dict.fromkeys((*tuned.notes, *evaluation.notes)) if note not in left_out
        ),
        asked=seen.cost,
        commands=LIBRARY,
        tuned=tuned,
        evaluation=evaluation,
    )


def _least_escalated(evaluation: Evaluation, tolerance: float) -> float:
    """The least share of calls at which these rows lose no more; 1 where there is none."""
    curve = evaluation.curve
    return float(curve.escalated[curve.loss <= tolerance].min(initial=1.0))


def _is_promised(tuned: Tuned, evaluation: Evaluation, tolerance: float) -> bool:
    """Whether a loss within the tolerance was certified, and these rows do not contradict it."""
    promised = tuned.promise.max_loss
    return promised is not None and promised <= tolerance and evaluation.promise.state != "broken"


def _warnings(shown: _Shown, *, single_group: bool) -> tuple[str, ...]:
    tuned, promise = shown.tuned, shown.evaluation.promise
    # What it says of accuracy was counted on its own half; every figure here is of the other.
    of_its_half = doubts_of(tuned.curve.baselines)
    said = [line for line in tuned.warnings if line not in of_its_half]
    said += doubts_of(shown.evaluation.curve.baselines)
    if single_group:
        said.append("all rows are of one group, and were parted by rows: another group may look different")
    if promise.state == "broken" or (promise.state == "by_chance" and tuned.promise.max_loss is not None):
        said.append(f"on the half that did not choose the threshold the promise came out {promise.told}")
    return tuple(dict.fromkeys(said))


def _data(seen: Gathered, choosing: Array, group: Array | None, *, has_labels: bool, seed: int) -> Data:
    def groups(rows: Array) -> int | None:
        return None if group is None else len(np.unique(group[rows]))

    return Data(
        rows=seen.rows,
        rows_chosen_on=int(choosing.sum()),
        rows_shown_on=int((~choosing).sum()),
        groups=groups(np.ones(seen.rows, dtype=bool)),
        groups_chosen_on=groups(choosing),
        groups_shown_on=groups(~choosing),
        has_labels=has_labels,
        seed=seed,
    )


def _alpha(target: Target) -> float:
    return target.alpha if isinstance(target, MaxLoss) else DEFAULT_ALPHA


def _check_calls(calls_per_day: int) -> None:
    if isinstance(calls_per_day, bool) or not isinstance(calls_per_day, int) or calls_per_day < 1:
        raise Misconfigured("HAL-101", f"calls_per_day must be a whole number above 0, got {calls_per_day!r}")


def _identity(cloud: object, seen: Gathered) -> str | None:
    """What the time of a call depends on, as far as that is known; None for a function."""
    place = cloud.url if isinstance(cloud, RemoteCloud) else seen.cloud_digest
    return f"{place} {seen.cloud} {seen.row_bytes}" if place else None


def _of(values: Array | None, rows: Array) -> Array | None:
    return None if values is None else values[rows]


def _these(x: Any, rows: Array) -> Any:
    """Some of the rows, in the form that all of them came in."""
    if isinstance(x, Mapping):
        return {name: np.asarray(array)[rows] for name, array in x.items()}
    return x[rows] if isinstance(x, np.ndarray) else [x[int(row)] for row in rows]
