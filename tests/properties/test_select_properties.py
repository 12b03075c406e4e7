"""Budgets hold in every window, a sample travels once with all its reasons, chance follows from the seed."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from halocline.decide.candidate import Candidate
from halocline.decide.condition import parse
from halocline.decide.quota import DAY_S, HOUR_S, Quota
from halocline.decide.rules import Event, Periodic, Rule, Rules, SpotChecks, Thin, Uncertainty
from halocline.decide.select import Choice, Chosen, Left, Saved, Selection
from halocline.records import Reason, Tier

QUOTAS = st.builds(
    Quota,
    records_per_hour=st.none() | st.integers(0, 5),
    bytes_per_hour=st.none() | st.integers(0, 3_000),
    records_per_day=st.none() | st.integers(0, 20),
    bytes_per_day=st.none() | st.integers(0, 9_000),
)
GAPS_S = st.sampled_from([0.0, 1.0, 29.9, 30.0, 60.0, 600.0, 3_599.0, 3_600.0, 7_200.0, 50_000.0])
LIMITS = [
    ("records_per_hour", HOUR_S, False),
    ("bytes_per_hour", HOUR_S, True),
    ("records_per_day", DAY_S, False),
    ("bytes_per_day", DAY_S, True),
]


class Offered(NamedTuple):
    sample: Candidate
    now_s: float


@st.composite
def offers(draw: st.DrawFn) -> list[Offered]:
    now_s, found = draw(st.floats(0, 1e6)), []
    for at in range(draw(st.integers(1, 40))):
        now_s += draw(GAPS_S)
        look = draw(st.integers(0, 3))
        sample = Candidate(
            id=f"{draw(st.integers(0, at))}",
            confidence=draw(st.sampled_from([-1.0, 0.0, 0.3, 0.59, 0.7, 1.0])),
            label=draw(st.sampled_from(["cat", "dog", None])),
            tier=Tier.EDGE,
            reason=Reason.CONFIDENT,
            payload_bytes=draw(st.integers(0, 1_500)),
            source=draw(st.sampled_from(["left", "right"])),
            sensors={"temp": draw(st.sampled_from([20.0, 50.0]))},
            sketch=lambda look=look: np.full(3, look, np.float32),
        )
        found.append(Offered(sample, now_s))
    return found


@st.composite
def rules(draw: st.DrawFn) -> Rules:
    hot = Event(parse("sensor.temp > 40"))
    return Rules(
        rules=[
            Rule(name="unsure", what=Uncertainty(0.6), priority=2, quota=draw(QUOTAS)),
            Rule(name="hot", what=hot, priority=draw(st.integers(0, 3)), quota=draw(QUOTAS)),
            Rule(name="each", what=Periodic(3_600.0), priority=3, quota=draw(QUOTAS), thin=False),
            Rule(name="check", what=SpotChecks(0.3), priority=3, quota=draw(QUOTAS), thin=False),
        ],
        total=draw(QUOTAS),
        thin=Thin(distance=draw(st.sampled_from([0.0, 0.5])), for_s=600.0),
    )


def chosen(given_rules: Rules, offered: Sequence[Offered], seed: int = 7) -> list[Choice]:
    selection = Selection(given_rules, seed=seed)
    return [selection.choose(each.sample, each.now_s) for each in offered]


def most_in_any_window(sent: list[tuple[float, int]], window_s: float) -> int:
    """The most that any closed window of that length holds; the fullest ones end at something sent."""
    return max(
        (sum(size for at_s, size in sent if end_s - window_s <= at_s <= end_s) for end_s, _ in sent),
        default=0,
    )


def check_quota(quota: Quota, sent: list[Offered]) -> None:
    for name, window_s, is_bytes in LIMITS:
        most = getattr(quota, name)
        if most is not None:
            sizes = [(each.now_s, each.sample.payload_bytes if is_bytes else 1) for each in sent]
            assert most_in_any_window(sizes, window_s) <= most, name


@given(rules(), offers())
@settings(max_examples=150)
def test_no_budget_is_exceeded_in_any_window(given_rules: Rules, offered: list[Offered]) -> None:
    pairs = list(zip(offered, chosen(given_rules, offered), strict=True))
    check_quota(given_rules.total, [each for each, choice in pairs if isinstance(choice, Chosen)])
    for rule in given_rules.rules:
        paid = [each for each, choice in pairs if isinstance(choice, Chosen) and choice.paid_by == rule.name]
        check_quota(rule.quota, paid)


@given(rules(), offers(), st.integers(0, 40))
@settings(max_examples=100)
def test_a_restart_in_between_does_not_renew_a_budget(
    given_rules: Rules, offered: list[Offered], cut: int
) -> None:
    before = Selection(given_rules, seed=1)
    choices = [before.choose(each.sample, each.now_s) for each in offered[:cut]]
    kept = msgspec.json.decode(msgspec.json.encode(before.saved()), type=Saved)
    after = Selection(given_rules, seed=2, saved=kept)
    choices += [after.choose(each.sample, each.now_s) for each in offered[cut:]]
    sent = [each for each, one in zip(offered, choices, strict=True) if isinstance(one, Chosen)]
    check_quota(given_rules.total, sent)


@given(rules(), offers())
def test_a_sample_travels_once(given_rules: Rules, offered: list[Offered]) -> None:
    sent = [choice.id for choice in chosen(given_rules, offered) if isinstance(choice, Chosen)]
    assert len(sent) == len(set(sent))


@given(rules(), offers())
def test_a_sample_carries_all_its_reasons_and_the_best_priority(
    given_rules: Rules, offered: list[Offered]
) -> None:
    priorities = {rule.name: rule.priority for rule in given_rules.rules}
    for each, choice in zip(offered, chosen(given_rules, offered), strict=True):
        plain = {"unsure"} if each.sample.confidence < 0.6 else set()
        plain |= {"hot"} if each.sample.sensors["temp"] > 40 else set()
        assert set(choice.reasons) - {"each", "check"} == plain
        if isinstance(choice, Chosen):
            assert choice.paid_by in choice.reasons
            assert choice.priority == min(priorities[name] for name in choice.reasons)
            assert 0.0 <= choice.value <= 1.0
            assert (choice.probability is not None) == ("check" in choice.reasons)


@given(rules(), offers(), st.integers(0, 2**64))
def test_the_same_seed_chooses_the_same(given_rules: Rules, offered: list[Offered], seed: int) -> None:
    assert chosen(given_rules, offered, seed) == chosen(given_rules, offered, seed)


@given(rules(), offers())
def test_without_budgets_and_thinning_all_that_is_wanted_is_sent(
    given_rules: Rules, offered: list[Offered]
) -> None:
    free = Rules(
        rules=[msgspec.structs.replace(rule, quota=Quota()) for rule in given_rules.rules],
        thin=Thin(distance=0.0),
    )
    for choice in chosen(free, offered):
        assert isinstance(choice, Chosen) or choice.why in ("unwanted", "sent")
        assert not (isinstance(choice, Left) and choice.why == "unwanted" and choice.reasons)
