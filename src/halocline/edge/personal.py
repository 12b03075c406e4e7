"""Let a device come to a threshold of its own: checks in, a policy in force out, and what it rested on."""

import threading
from collections.abc import Callable

from halocline.decide.personal import Check, Evidence, PolicyUpdate, Start, learnt, update, withdrawn
from halocline.decide.promise import Promise
from halocline.edge.judge import Judge
from halocline.records import Owner

MAX_KEPT = 100
"""So many changes of the threshold are remembered, the latest of them."""


class PersonalPolicy:
    """The learning half of a Judge. Thread-safe."""

    def __init__(self, judge: Judge, on_change: Callable[[], None]) -> None:
        policy = judge.policy
        assert policy.personal is not None
        self._policy = policy
        self._owner = owner = judge.owner
        self._judge = judge
        self._on_change = on_change
        self._from_cloud = policy.personal.start is Start.CLOUD
        self._lock = threading.Lock()
        self._evidence = Evidence()
        self._promise: Promise | None = None
        self._updates: list[PolicyUpdate] = []
        judge.take(policy, owner, everything_up=self._from_cloud)

    @property
    def everything_up(self) -> bool:
        """Whether every row goes up, since the device has no promise yet: then each row is a check."""
        return self._from_cloud and self._promise is None

    @property
    def promise(self) -> Promise | None:
        """The device's own promise; None as long as it has none."""
        return self._promise

    @property
    def updates(self) -> tuple[PolicyUpdate, ...]:
        """Each change of the threshold, or proposal of one, with its evidence and what it undoes."""
        return tuple(self._updates)

    @property
    def evidence(self) -> Evidence:
        """The checks so far."""
        return self._evidence

    def check(self, sureness: float, *, lost: bool) -> None:
        """Take one check, and move the threshold where that is certified."""
        with self._lock:
            self._evidence = learnt(self._evidence, Check(sureness, lost))
            step = update(self._policy, self._evidence, self._judge.policy)
            told = self._updates[-1].proposed if self._updates else self._policy
            is_first = step.promise is not None and self._promise is None
            if is_first or step.proposed.threshold != told.threshold:
                self._keep(step)
            if step.promise is None:
                return
            self._promise = step.promise
            self._judge.take(step.policy, Owner.DEVICE)
        if is_first:
            self._on_change()

    def withdraw(self, reason: str) -> None:
        """Go back to the start: what the device had learnt does not hold any more."""
        with self._lock:
            if self._promise is None:
                return
            self._keep(withdrawn(self._policy, self._judge.policy, reason))
            self._promise, self._evidence = None, Evidence()
            self._judge.take(self._policy, self._owner, everything_up=self._from_cloud)
        self._on_change()

    def _keep(self, step: PolicyUpdate) -> None:
        self._updates.append(step)
        del self._updates[:-MAX_KEPT]
