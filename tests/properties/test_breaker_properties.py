"""The breaker does what its table says and what a plain description of it says, whatever happens to it."""

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from halocline.decide.breaker import (
    TRANSITIONS,
    Breaker,
    BreakerLimits,
    Event,
    State,
    admit,
    failed,
    succeeded,
)
from halocline.records import Reason

LIMITS = BreakerLimits(consecutive_failures=3, failure_rate=0.6, window=5, probe_interval_s=1.0)


class Described:
    """A breaker as one would describe it, step by step, with plain variables."""

    def __init__(self):
        self.state = "closed"
        self.in_a_row = 0
        self.last = deque(maxlen=LIMITS.window)
        self.wait_until_s = 0.0
        self.asked_to_wait = False

    def may_call(self, now_s):
        if self.state == "closed":
            return None
        if now_s < self.wait_until_s:
            return Reason.REFUSED if self.asked_to_wait else Reason.BREAKER_OPEN
        self.state, self.asked_to_wait = "half_open", False
        self.wait_until_s = now_s + LIMITS.probe_interval_s
        return None

    def answered(self):
        if self.state == "half_open":
            self.__init__()
        elif self.state == "closed":
            self.in_a_row = 0
            self.last.append(False)

    def gave_nothing(self, now_s, rest_s):
        if rest_s is not None:
            floor_s = self.wait_until_s if self.asked_to_wait else 0.0
            self.state, self.asked_to_wait = "open", True
            self.wait_until_s = max(floor_s, now_s + rest_s)
            return
        if self.state == "half_open":
            self._open(now_s)
        elif self.state == "closed":
            self.in_a_row += 1
            self.last.append(True)
            often = len(self.last) == LIMITS.window and sum(self.last) >= LIMITS.failure_rate * LIMITS.window
            if self.in_a_row >= LIMITS.consecutive_failures or often:
                self._open(now_s)

    def _open(self, now_s):
        self.state, self.asked_to_wait = "open", False
        self.wait_until_s = now_s + LIMITS.probe_interval_s


class BreakerMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.now_s = 100.0
        self.breaker = Breaker()
        self.described = Described()
        self.let_through_s = []

    def follow(self, after, event):
        assert after.state is TRANSITIONS[self.breaker.state, event]
        self.breaker = after

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 3.0]))
    def time_passes(self, seconds):
        self.now_s += seconds

    @rule()
    def a_call_comes(self):
        was = self.breaker.state
        reason, after = admit(self.breaker, LIMITS, self.now_s)
        assert reason == self.described.may_call(self.now_s)
        if reason is None:
            self.follow(after, Event.COOLED)
            if was is not State.CLOSED:
                self.let_through_s.append(self.now_s)
        else:
            assert after == self.breaker

    @rule()
    def a_call_is_answered(self):
        self.follow(succeeded(self.breaker, LIMITS), Event.SUCCEEDED)
        self.described.answered()
        if self.breaker.state is State.CLOSED:
            self.let_through_s.clear()

    @rule(rest_s=st.sampled_from([None, None, None, 0.0, 0.5, 2.0]))
    def a_call_fails(self, rest_s):
        was = self.breaker.state
        self.described.gave_nothing(self.now_s, rest_s)
        after = failed(self.breaker, LIMITS, self.now_s, rest_s)
        opens = self.described.state == "open" and was is State.CLOSED
        self.follow(after, Event.TRIPPED if opens or rest_s is not None else Event.FAILED)
        if rest_s is not None and rest_s < LIMITS.probe_interval_s:
            self.let_through_s.clear()  # the upstream asked to be tried sooner

    @invariant()
    def both_are_in_the_same_state(self):
        assert self.breaker.state.value == self.described.state

    @invariant()
    def probes_are_an_interval_apart(self):
        for earlier_s, later_s in zip(self.let_through_s, self.let_through_s[1:], strict=False):
            assert later_s - earlier_s >= LIMITS.probe_interval_s - 1e-9

    @invariant()
    def recovery_is_never_further_off_than_one_interval_unless_asked_for(self):
        if self.breaker.state is not State.CLOSED and not self.breaker.refused:
            assert admit(self.breaker, LIMITS, self.now_s + LIMITS.probe_interval_s)[0] is None


BreakerMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestBreaker = BreakerMachine.TestCase
