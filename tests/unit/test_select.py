"""Which samples are chosen, why, and which stay."""

import numpy as np
import pytest
from sample_parts import candidate

from halocline.decide.condition import parse
from halocline.decide.quota import HOUR_S, PACE, Quota
from halocline.decide.rules import Event, Periodic, Rule, Rules, SpotChecks, Strangeness, Thin, Uncertainty
from halocline.decide.select import Choice, Chosen, Left, Selection, Why
from halocline.errors import Misconfigured
from halocline.records import Reason, Tier


def rule(what, name: str = "rule", **changed) -> Rule:
    return Rule(name=name, what=what, **changed)


def selection(*rules: Rule, **changed) -> Selection:
    return Selection(Rules(rules=rules, **changed))


def is_sent(choice: Choice) -> bool:
    return isinstance(choice, Chosen)


def test_the_less_sure_a_sample_the_more_it_is_worth() -> None:
    asked = selection(rule(Uncertainty(0.6)))
    assert asked.choose(candidate("a", confidence=0.6), 0.0) == Left(id="a", why=Why.UNWANTED)
    values = [asked.choose(candidate(str(sure), confidence=sure), 0.0).value for sure in (0.59, 0.3, 0.0, -1)]
    assert values == sorted(values)
    assert values[-1] == 1.0


def test_a_sample_beyond_the_cut_of_its_policy_is_wanted_the_farther_the_more() -> None:
    asked = selection(rule(Strangeness()))
    assert not is_sent(asked.choose(candidate("a", novelty=9.0), 0.0)), "no cut is known"
    assert not is_sent(asked.choose(candidate("b", novelty=3.0, novelty_cut=3.0), 0.0))
    near, far = (asked.choose(candidate(str(by), novelty=by, novelty_cut=3.0), 0.0) for by in (3.5, 30.0))
    assert 0 < near.value < far.value < 1
    own = selection(rule(Strangeness(above=1.0)))
    assert is_sent(own.choose(candidate("c", novelty=2.0, novelty_cut=3.0), 0.0))


def test_a_sample_that_several_rules_want_travels_once_with_the_best_priority() -> None:
    asked = selection(
        rule(Uncertainty(0.6), "unsure", priority=3),
        rule(Event(parse("sensor.temp > 40")), "hot", priority=1),
    )
    choice = asked.choose(candidate("a", confidence=0.3, sensors={"temp": 50.0}), 0.0)
    assert isinstance(choice, Chosen)
    assert (choice.reasons, choice.priority, choice.paid_by) == (("unsure", "hot"), 1, "hot")
    assert asked.choose(candidate("a", confidence=0.3), 0.0).why == Why.SENT


def test_a_rule_without_budget_left_rides_on_another_that_has_some() -> None:
    asked = selection(
        rule(Event(parse("degraded")), "late", priority=0, quota=Quota(records_per_hour=0)),
        rule(Event(parse("confidence < 1")), "any", priority=3),
    )
    choice = asked.choose(candidate("a", degraded=True), 0.0)
    assert (choice.reasons, choice.paid_by, choice.priority) == (("late", "any"), "any", 0)


@pytest.mark.parametrize(
    "limit", [{"records_per_hour": 2}, {"bytes_per_hour": 2_500}, {"records_per_day": 2}]
)
def test_a_budget_that_is_used_up_keeps_the_rest_and_says_so(limit: dict[str, int]) -> None:
    asked = selection(rule(Event(parse("confidence < 1")), quota=Quota(**limit)))
    whys = [getattr(asked.choose(candidate(str(at)), float(at)), "why", None) for at in range(3)]
    assert whys == [None, None, Why.BUDGET]


def test_an_hour_later_the_budget_of_the_hour_is_there_again() -> None:
    asked = selection(rule(Event(parse("confidence < 1")), quota=Quota(records_per_hour=1)))
    assert is_sent(asked.choose(candidate("a"), 0.0))
    assert not is_sent(asked.choose(candidate("b"), HOUR_S))
    assert is_sent(asked.choose(candidate("c"), HOUR_S * 1.02))


def test_all_rules_together_keep_the_total() -> None:
    asked = selection(
        rule(Event(parse("confidence < 1")), "one"),
        rule(Event(parse("degraded")), "two"),
        total=Quota(records_per_hour=1),
    )
    assert is_sent(asked.choose(candidate("a"), 0.0))
    assert asked.choose(candidate("b", degraded=True), 1.0).why == Why.TOTAL


def test_as_the_budget_is_used_only_the_more_valuable_go() -> None:
    asked = selection(rule(Uncertainty(0.6), quota=Quota(records_per_hour=100)))
    middling = [is_sent(asked.choose(candidate(f"m{at}", confidence=0.4), 0.0)) for at in range(40)]
    assert sum(middling) == pytest.approx(100 / PACE / 3, abs=1)
    assert is_sent(asked.choose(candidate("best", confidence=0.0), 0.0))
    assert asked.choose(candidate("next", confidence=0.4), 1.0).why == Why.PACE
    assert is_sent(asked.choose(candidate("later", confidence=0.4), HOUR_S / 5)), "time gives room"


def test_events_are_not_paced() -> None:
    asked = selection(rule(Event(parse("degraded")), quota=Quota(records_per_hour=20)))
    assert all(is_sent(asked.choose(candidate(str(at), degraded=True), 0.0)) for at in range(20))


def test_each_class_is_sent_once_in_each_period_and_the_rare_one_is_worth_more() -> None:
    asked = selection(rule(Periodic(3_600.0), thin=False))
    sent: dict[str, list[float]] = {"often": [], "rare": []}
    values = {}
    for at in range(20_000):
        label = "rare" if at % 50 == 49 else "often"
        choice = asked.choose(candidate(str(at), label=label), float(at))
        if isinstance(choice, Chosen):
            sent[label].append(at)
            values[label] = choice.value
    for times in sent.values():
        periods = [int(at // 3_600) for at in times]
        assert len(periods) in (5, 6)
        assert len(set(periods)) >= len(periods) - 1, "its first is at once, later ones one a period"
    assert values["rare"] > values["often"]


def test_spot_checks_are_a_share_of_the_confident_answers_whatever_they_look_like() -> None:
    asked = selection(rule(SpotChecks(0.1), thin=False))
    same = {"sketch": lambda: np.zeros(4, np.float32)}
    choices = [asked.choose(candidate(str(at), **same), 0.0) for at in range(5_000)]
    drawn = [choice for choice in choices if isinstance(choice, Chosen)]
    assert len(drawn) == pytest.approx(500, abs=70)
    assert {choice.probability for choice in drawn} == {0.1}
    up = candidate("up", tier=Tier.CLOUD, reason=Reason.ESCALATED)
    assert asked.choose(up, 0.0).why == Why.UNWANTED


def test_frames_of_one_scene_are_thinned_by_source_and_for_a_time() -> None:
    asked = selection(rule(Uncertainty(0.6)), thin=Thin(distance=0.1, for_s=60.0))

    def frame(name: str, look: float, source: str = "door"):
        return candidate(
            name, confidence=0.1, source=source, sketch=lambda: np.array([look, 1.0], np.float32)
        )

    assert is_sent(asked.choose(frame("a", 0.0), 0.0))
    assert asked.choose(frame("b", 0.05), 1.0).why == Why.DUPLICATE
    assert is_sent(asked.choose(frame("c", 0.0, "gate"), 2.0))
    assert is_sent(asked.choose(frame("d", 0.5), 3.0))
    assert asked.choose(frame("e", 0.02), 4.0).why == Why.DUPLICATE, "the scene before the last is known"
    assert is_sent(asked.choose(frame("f", 0.0), 61.0))


def test_what_is_drawn_by_chance_is_never_thinned() -> None:
    for what in (SpotChecks(0.1), Periodic(60.0)):
        with pytest.raises(Misconfigured, match="drawn by chance"):
            rule(what)


def test_a_sketch_is_asked_only_of_a_sample_that_is_wanted() -> None:
    def never():
        raise AssertionError("asked")

    asked = selection(rule(Uncertainty(0.6)))
    assert not is_sent(asked.choose(candidate("a", confidence=0.9, sketch=never), 0.0))


def test_a_condition_that_cannot_be_told_chooses_nothing_and_is_counted() -> None:
    asked = selection(rule(Event(parse("sensor.temp > 40")), "hot"))
    assert not is_sent(asked.choose(candidate("a"), 0.0))
    assert asked.untold == {"hot": 1}


def test_a_clock_that_goes_back_gives_no_budget() -> None:
    asked = selection(rule(Event(parse("confidence < 1")), quota=Quota(records_per_hour=1)))
    assert is_sent(asked.choose(candidate("a"), 1e6))
    assert not is_sent(asked.choose(candidate("b"), 0.0))


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(Misconfigured, match="two rules are called 'a'"):
        Rules(rules=[rule(Uncertainty(), "a"), rule(Strangeness(), "a")])


def test_a_rule_with_a_budget_of_its_own_is_not_outbid_by_others() -> None:
    def strange(name: str):
        return candidate(name, confidence=1.0, novelty=1.1, novelty_cut=1.0)

    def asked_after_many(quota: Quota) -> Choice:
        asked = selection(
            rule(Strangeness(), "new", quota=quota),
            rule(Uncertainty(0.6), "unsure"),
            total=Quota(records_per_day=100),
        )
        for at in range(8):
            assert is_sent(asked.choose(candidate(f"{at}", confidence=0.0), 0.0))
        return asked.choose(strange("a"), 0.0)

    assert asked_after_many(Quota()).why == Why.PACE
    assert is_sent(asked_after_many(Quota(records_per_day=20)))
