"""The way up to one cloud model: whether to try, the call, and what it teaches about cloud and link."""

import threading
import time
from collections.abc import Callable

from halocline.decide.allowance import Allowance, EscalationBudget, full, seen, take
from halocline.decide.breaker import Breaker, BreakerLimits, State, admit, failed, succeeded
from halocline.decide.link import Link, measured, too_slow
from halocline.edge.reading import CloudReader, CloudRows
from halocline.ports import Answered, Failed, Feed, Upstream, Verdict
from halocline.records import ModelRef, Reason


class Escalation:
    """Load, decide, apply: state under one lock, decisions in `decide/`, the call in the upstream."""

    def __init__(
        self,
        upstream: Upstream,
        reader: CloudReader,
        limits: BreakerLimits | None,
        budget: EscalationBudget | None,
    ) -> None:
        self._upstream = upstream
        self._reader = reader
        self._limits = limits
        self._budget = budget
        self._lock = threading.Lock()
        self._breaker = Breaker()
        self._link = Link()
        self._allowance = Allowance(0.0, 0.0) if budget is None else full(budget, time.monotonic())
        self._last_failure: Failed | None = None
        self._answered_by: ModelRef | None = None
        self.on_cloud: Callable[[ModelRef], None] | None = None
        """Told of each cloud model that answers, as it changes."""

    def grant(
        self,
        wanted: int,
        rows: int,
        rows_before: int,
        payload_bytes: int,
        time_left_s: float,
        *,
        budgeted: bool = True,
    ) -> tuple[int, Reason]:
        """How many of the `wanted` rows in a call of `rows` may go up now, and why the others may not.

        `rows_before` were answered since the last question; both refill a budget by share.
        """
        now_s = time.monotonic()
        with self._lock:
            if self._budget is not None:
                before = seen(self._budget, self._allowance, rows_before, now_s)
                self._allowance = seen(self._budget, before, rows, now_s)
            if time_left_s <= 0:
                return 0, Reason.DEADLINE
            slow, link = too_slow(self._link, payload_bytes, time_left_s, now_s)
            if slow:
                return 0, Reason.LINK_TOO_SLOW
            hold, breaker = (
                admit(self._breaker, self._limits, now_s) if self._limits else (None, self._breaker)
            )
            if hold is not None:
                return 0, hold
            granted = wanted
            if self._budget is not None and budgeted:
                granted, self._allowance = take(self._allowance, wanted)
            if granted:
                self._breaker, self._link = breaker, link
        return granted, Reason.BUDGET

    def ask(
        self,
        feed: Feed,
        rows: int,
        payload_bytes: int,
        *,
        call_id: str,
        until_s: float,
        on_late: Callable[[CloudRows], None],
    ) -> CloudRows | Failed:
        """The cloud's rows, or why there are none, at `until_s` at the latest."""

        def late(verdict: Verdict) -> None:
            cloud = self._read(verdict, rows)
            if isinstance(cloud, CloudRows):
                self._measure(payload_bytes, cloud)
                on_late(cloud)

        verdict = self._upstream.call(feed, call_id=call_id, until_s=until_s, on_late=late)
        cloud = self._read(verdict, rows)
        self._learn(payload_bytes, cloud)
        return cloud

    def send(
        self,
        feed: Feed,
        rows: int,
        payload_bytes: int,
        *,
        call_id: str,
        on_verdict: Callable[[CloudRows], None],
    ) -> None:
        """Ask without waiting."""

        def arrived(verdict: Verdict) -> None:
            cloud = self._read(verdict, rows)
            self._learn(payload_bytes, cloud)
            if isinstance(cloud, CloudRows):
                on_verdict(cloud)

        self._upstream.send(feed, call_id=call_id, on_verdict=arrived)

    @property
    def breaker_state(self) -> State:
        """Whether the breaker lets calls through."""
        return self._breaker.state

    @property
    def link(self) -> Link:
        """The link as measured."""
        return self._link

    @property
    def last_failure(self) -> Failed | None:
        """The last failed call; None where the last one was answered."""
        return self._last_failure

    def _read(self, verdict: Verdict, rows: int) -> CloudRows | Failed:
        if not isinstance(verdict, Answered):
            return verdict
        cloud = self._reader.read(verdict, self._upstream.spec, rows)
        if self.on_cloud is not None and isinstance(cloud, CloudRows) and cloud.model != self._answered_by:
            self._answered_by = cloud.model
            self.on_cloud(cloud.model)
        return cloud

    def _measure(self, payload_bytes: int, cloud: CloudRows) -> None:
        with self._lock:
            self._link = measured(self._link, payload_bytes, cloud.elapsed_s, time.monotonic())

    def _learn(self, payload_bytes: int, cloud: CloudRows | Failed) -> None:
        now_s = time.monotonic()
        with self._lock:
            if isinstance(cloud, CloudRows):
                self._link = measured(self._link, payload_bytes, cloud.elapsed_s, now_s)
                self._last_failure = None
                if self._limits is not None:
                    self._breaker = succeeded(self._breaker, self._limits)
            else:
                self._last_failure = cloud
                if self._limits is not None:
                    self._breaker = failed(self._breaker, self._limits, now_s, cloud.retry_after_s)
