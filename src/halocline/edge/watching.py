"""Watch the promise in force: what checks say of it, which cloud answers, and whose promise it is."""

import threading
from typing import TYPE_CHECKING

from halocline.decide.latest import Latest, counted
from halocline.decide.promise import Promise
from halocline.decide.watch import (
    Promised,
    PromiseHealth,
    Watch,
    answered_by,
    checked,
    is_broken,
    lowered,
    promise_health,
)
from halocline.edge.judge import Judge
from halocline.edge.personal import PersonalPolicy
from halocline.records import ModelRef
from halocline.stats.sequences import LossSequence

if TYPE_CHECKING:
    from halocline.decide.personal import PolicyUpdate

_ALL_UP = Promise(
    scope="none",
    reason="every row goes up until this device has certified a promise of its own",
)


class Watching:
    """Load, decide, apply: state under one lock, decisions in `decide/watch.py`. Thread-safe."""

    def __init__(
        self,
        promise: Promise | None,
        promised: Promised,
        judge: Judge,
        probability: float | None,
    ) -> None:
        self._promise = promise
        self._promised = promised
        self._judge = judge
        self._policy = judge.policy
        self._probability = probability or 1.0
        self._lock = threading.Lock()
        self._watch = Watch(losses=LossSequence(least_probability=self._probability))
        self._kept = Latest()
        self._personal: PersonalPolicy | None = None
        if judge.policy.personal is not None:
            self._personal = PersonalPolicy(judge, self._start_anew)

    @property
    def every_row_is_a_check(self) -> bool:
        """Whether everything goes up so that the device learns from each row."""
        return self._personal is not None and self._personal.everything_up

    @property
    def updates(self) -> "tuple[PolicyUpdate, ...]":
        """What the device made of its checks (see `PersonalPolicy.updates`)."""
        return () if self._personal is None else self._personal.updates

    def cloud_is(self, cloud: ModelRef) -> None:
        """This cloud model answered, or told its name."""
        with self._lock:
            self._watch = answered_by(self._watch, self._promised, cloud)

    def answered(self, rows: int, kept: int) -> None:
        """So many rows were answered, and so many of them were to go up and could not."""
        with self._lock:
            self._kept = counted(self._kept, rows, kept)

    def overridden(self, threshold: float, rows: int) -> None:
        """So many rows were decided by a threshold of the request's own."""
        in_force = max(self._judge.threshold, *self._policy.class_thresholds.values(), 0.0)
        if threshold < in_force:
            with self._lock:
                self._watch = lowered(self._watch, rows)

    def checked(self, gap: int, sureness: float, *, stayed: bool, differs: bool) -> None:
        """A row that was drawn: whether it stayed at the edge, and whether the cloud says otherwise."""
        with self._lock:
            self._watch = checked(self._watch, gap, lost=stayed and differs, probability=self._probability)
            promise = self._promise_in_force()
            broken = promise is not None and is_broken(promise, self._watch, self._promised)
        if self._personal is not None:
            if broken and self._personal.promise is not None:
                self._personal.withdraw("the checks since show that this device loses more than it promised")
            else:
                self._personal.check(sureness, lost=differs)

    def went_up(self, gap: int) -> None:
        """A row that was drawn and went up; the cloud has not answered yet, but nothing of it can be lost."""
        with self._lock:
            self._watch = checked(self._watch, gap, lost=False, probability=self._probability)

    def learn(self, sureness: float, *, differs: bool) -> None:
        """A row that went up because everything does: it tells as much as a check."""
        if self._personal is not None:
            self._personal.check(sureness, lost=differs)

    def health(self) -> PromiseHealth:
        """How the promise in force stands."""
        with self._lock:
            watch, kept = self._watch, self._kept
        return promise_health(
            self._promise_in_force(),
            watch,
            self._promised,
            owner=self._judge.owner,
            share=self._judge.policy.share,
            seen=self._judge.seen,
            whose=self._whose(),
            kept=kept,
        )

    def _promise_in_force(self) -> Promise | None:
        if self._personal is None:
            return self._promise
        return self._personal.promise or (_ALL_UP if self._personal.everything_up else self._promise)

    def _whose(self) -> str:
        if self._personal is None:
            return "policy"
        return "fleet" if self._personal.promise is None else "device"

    def _start_anew(self) -> None:
        """Another promise is in force: what was seen of the one before does not speak of it."""
        with self._lock:
            kept = self._watch
            self._watch = Watch(
                losses=LossSequence(least_probability=self._probability),
                cloud_known=kept.cloud_known,
                foreign=kept.foreign,
            )
