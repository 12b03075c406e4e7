"""What rules would have sent is told rule by rule, and adds up."""

import numpy as np
from sample_parts import candidate

from halocline.decide.condition import parse
from halocline.decide.preview import preview
from halocline.decide.quota import Quota
from halocline.decide.rules import Event, Rule, Rules, Thin, Uncertainty

RULES = Rules(
    rules=[
        Rule(name="unsure", what=Uncertainty(0.6), priority=2),
        Rule(name="hot", what=Event(parse("sensor.temp > 40")), priority=1, quota=Quota(records_per_hour=1)),
    ],
    thin=Thin(distance=0.1),
)


def test_wanted_is_what_was_paid_for_shared_or_left() -> None:
    hot = {"sensors": {"temp": 50.0}}
    cold = {"sensors": {"temp": 20.0}}
    samples = [
        candidate("a", confidence=0.1, **hot),
        candidate("b", confidence=0.1, **cold),
        candidate("c", confidence=0.9, **hot),
        candidate("d", confidence=0.9),
    ]
    told = preview(RULES, samples, step_s=1.0, wrong=[True, False, True, False])
    unsure, hot_rule = told.rules
    assert (told.samples, told.sent, told.payload_bytes) == (4, 2, 2_000)
    assert (unsure.wanted, unsure.paid, unsure.shared, unsure.left, unsure.wrong) == (2, 1, 1, {}, 0)
    assert (hot_rule.wanted, hot_rule.paid, hot_rule.left) == (2, 1, {"budget": 1})
    assert (hot_rule.shared, hot_rule.untold, hot_rule.wrong) == (1, 1, 1)
    assert told.overlap == {("unsure", "hot"): 1}
    assert (told.wrong, told.wrong_sent) == (2, 1)


def test_near_duplicates_are_told_apart_from_the_budget() -> None:
    same = {"confidence": 0.1, "sensors": {"temp": 1.0}, "sketch": lambda: np.ones(3, np.float32)}
    told = preview(RULES, [candidate(str(at), **same) for at in range(5)], step_s=1.0)
    assert told.rules[0].left == {"duplicate": 4}
    assert told.wrong is None
    assert told.rules[0].wrong is None
