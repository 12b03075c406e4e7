"""What each rule wants of one sample, and how valuable the sample is to it."""

import math
from typing import Protocol

from halocline.decide.candidate import Candidate
from halocline.decide.chance import seed_of, uniform
from halocline.decide.gate import NO_CONFIDENCE
from halocline.decide.rules import Event, Periodic, Rule, SpotChecks, Strangeness, Uncertainty
from halocline.decide.spot_check import SpotCheck, after, first
from halocline.records import Reason, Tier

MOST_CLASSES = 1_000
"""Beyond, further classes count as one: memory is bounded, and labels may be made up."""
OTHERS = "\0others"
CHECK_VALUE = 0.5
"""Spot checks are alike: none says more than another."""
EVENT_VALUE = 1.0


class Want(Protocol):
    """Says of each sample in turn whether a rule wants it."""

    is_by_degree: bool
    """Whether its values tell which samples are better, so that a budget goes to the best of them."""

    def value(self, sample: Candidate, now_s: float) -> float | None:
        """How valuable the sample is, in [0, 1]; None where it is not wanted. Asked once a sample."""

    def sent(self, sample: Candidate, now_s: float) -> None:
        """A sample that it wanted is sent."""


def want_of(rule: Rule, seed: int) -> Want:
    """What that rule wants; what it draws follows from the seed."""
    own = seed_of(seed, rule.name)
    match rule.what:
        case Uncertainty(below=below):
            return _Unsure(below)
        case Strangeness(above=above):
            return _Strange(above)
        case Event():
            return Happening(rule.what)
        case Periodic(every_s=every_s):
            return _Regular(every_s, own)
        case SpotChecks(share=share):
            return _Checked(SpotCheck(share=share, seed=own))


class _Stateless:
    def sent(self, sample: Candidate, now_s: float) -> None:
        pass


class _Unsure(_Stateless):
    is_by_degree = True

    def __init__(self, below: float) -> None:
        self._below = below

    def value(self, sample: Candidate, now_s: float) -> float | None:
        confidence = sample.confidence
        if confidence >= self._below:
            return None
        if confidence == NO_CONFIDENCE or not confidence > 0:  # NaN too: nothing is less sure
            return 1.0
        return 1.0 - confidence / self._below


class _Strange(_Stateless):
    is_by_degree = True

    def __init__(self, above: float | None) -> None:
        self._above = above

    def value(self, sample: Candidate, now_s: float) -> float | None:
        above = self._above if self._above is not None else sample.novelty_cut
        if sample.novelty is None or above is None or sample.novelty <= above:
            return None
        return 1.0 - above / sample.novelty if math.isfinite(sample.novelty) else 1.0


class Happening(_Stateless):
    """Wants the samples of which a condition holds; `untold` counts those of which that cannot be told."""

    is_by_degree = False

    def __init__(self, event: Event) -> None:
        self._holds = event.when.holds
        self.untold = 0

    def value(self, sample: Candidate, now_s: float) -> float | None:
        """Of all that it wants the same."""
        holds = self._holds(sample)
        if holds is None:
            self.untold += 1
        return EVENT_VALUE if holds else None


class _Regular:
    """A class is due once in each period, from a moment on that is drawn; its first sample is at once."""

    is_by_degree = False

    def __init__(self, every_s: float, seed: int) -> None:
        self._every_s = every_s
        self._seed = seed
        self._due_s: dict[str, float] = {}
        self._seen: dict[str, int] = {}
        self._all = 0

    def value(self, sample: Candidate, now_s: float) -> float | None:
        name = self._class_of(sample)
        self._all += 1
        self._seen[name] = self._seen.get(name, 0) + 1
        if now_s < self._due_s.get(name, -math.inf):
            return None
        return 1.0 - self._seen[name] / self._all if len(self._seen) > 1 else 0.5

    def sent(self, sample: Candidate, now_s: float) -> None:
        name = self._class_of(sample)
        period = math.floor(now_s / self._every_s) + 1
        self._due_s[name] = (period + uniform(seed_of(self._seed, name), period)) * self._every_s

    def _class_of(self, sample: Candidate) -> str:
        name = sample.label or ""
        return name if name in self._seen or len(self._seen) < MOST_CLASSES else OTHERS


class _Checked(_Stateless):
    is_by_degree = False

    def __init__(self, spot_check: SpotCheck) -> None:
        self._spot_check = spot_check
        self._draw = first(spot_check)
        self._left = self._draw.left

    def value(self, sample: Candidate, now_s: float) -> float | None:
        if sample.tier is not Tier.EDGE or sample.reason not in (Reason.CONFIDENT, Reason.BUDGET):
            return None
        self._left -= 1
        if self._left:
            return None
        self._draw = after(self._spot_check, self._draw)
        self._left = self._draw.left
        return CHECK_VALUE
