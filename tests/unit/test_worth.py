"""The verdict on two models is the one that the figures carry, and says no more than they do."""

import msgspec
import pytest

from halocline.decide.worth import Answer, Findings, worth
from halocline.stats.bounds import Estimate


def near(value: float, half: float = 0.002) -> Estimate:
    return Estimate(value, value - half, value + half)


PAYS = Findings(
    rows=2000,
    groups=None,
    has_labels=True,
    tolerance=0.01,
    edge=near(0.90),
    cloud=near(0.97),
    tiered=near(0.968),
    gain=near(-0.002),
    edge_gain=near(-0.07),
    over_edge=near(0.068),
    escalated=0.25,
    least_escalated=0.2,
    is_promised=True,
)


def answer(**changes: object) -> Answer:
    return worth(msgspec.structs.replace(PAYS, **changes)).answer


def test_tiered_pays_where_calls_are_saved_and_hardly_an_answer_is_lost() -> None:
    found = worth(PAYS)
    assert found.answer is Answer.TIERED
    assert "it saves 75.0 % of the cloud calls" in found.told
    assert "within the 1.0 % that may be lost" in found.reason


def test_few_rows_or_groups_decide_nothing() -> None:
    assert answer(rows=49) is Answer.UNCLEAR
    assert answer(groups=4) is Answer.UNCLEAR
    assert answer(groups=5) is Answer.TIERED


def test_the_edge_is_enough_where_it_loses_no_more_than_may_be_lost() -> None:
    close = {"edge": near(0.966), "edge_gain": near(-0.004), "over_edge": near(0.002)}
    assert answer(**close) is Answer.EDGE
    assert answer(**close, tolerance=0.005) is Answer.TIERED  # its interval reaches below


def test_an_edge_as_good_as_the_cloud_is_not_enough_where_both_together_are_better() -> None:
    found = {"edge": near(0.968), "edge_gain": near(-0.002), "over_edge": near(0.03), "gain": near(0.028)}
    assert answer(**found) is Answer.TIERED
    assert "more than chance" in worth(msgspec.structs.replace(PAYS, **found)).reason


def test_the_edge_is_enough_where_a_promise_holds_with_nothing_going_up() -> None:
    assert answer(escalated=0.0, edge_gain=near(-0.005, 0.02)) is Answer.EDGE
    assert answer(escalated=0.0, edge_gain=near(-0.005, 0.02), is_promised=False) is not Answer.EDGE


def test_the_cloud_stays_where_nearly_every_call_would_go_up_all_the_same() -> None:
    assert answer(escalated=0.95, least_escalated=0.93) is Answer.CLOUD


def test_a_threshold_that_is_high_for_want_of_rows_is_no_verdict_for_the_cloud() -> None:
    found = worth(msgspec.structs.replace(PAYS, escalated=0.95, least_escalated=0.2))
    assert found.answer is Answer.UNCLEAR
    assert "20.0 % of the calls would lose no more" in found.reason


def test_the_cloud_stays_where_both_together_are_surely_worse() -> None:
    assert answer(gain=near(-0.03), is_promised=False) is Answer.CLOUD
    assert answer(gain=near(-0.03), is_promised=True) is Answer.CLOUD  # what is seen goes before it


def test_an_interval_that_holds_both_answers_is_said_with_the_rows_that_would_do() -> None:
    found = worth(msgspec.structs.replace(PAYS, gain=Estimate(0.0, -0.03, 0.03), is_promised=False))
    assert found.answer is Answer.UNCLEAR
    # Three times too wide needs nine times the rows, and as many again to choose on.
    assert "About 40,000 rows in all" in found.reason


def test_no_row_count_helps_where_more_is_lost_than_may_be() -> None:
    found = worth(msgspec.structs.replace(PAYS, gain=Estimate(-0.02, -0.05, 0.01), is_promised=False))
    assert found.answer is Answer.UNCLEAR
    assert "rows in all" not in found.reason


@pytest.mark.parametrize("changes", [{}, {"escalated": 0.95, "least_escalated": 1.0}, {"gain": near(-0.03)}])
def test_without_labels_nobody_is_called_right(changes: dict[str, object]) -> None:
    found = worth(msgspec.structs.replace(PAYS, has_labels=False, **changes))
    assert "right" not in f"{found.told} {found.reason}"
