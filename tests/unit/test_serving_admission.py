"""A server takes what it can hold, and says when to come back with the rest."""

import pytest

from halocline.errors import Rejected
from halocline.serving.admission import Admission, Full, NotServing


def admission(**limits: int) -> Admission:
    made = Admission(**{"max_queue": 2, "max_body_bytes": 100, "max_held_bytes": 150} | limits)
    made.ready = True
    return made


def test_a_full_queue_refuses_and_tells_when_to_come_back() -> None:
    door = admission(max_queue=3)
    for _ in range(3):
        door.enter(2.0)
    with pytest.raises(Full) as caught:
        door.enter(2.0)
    assert not isinstance(caught.value, NotServing)
    assert caught.value.retry_after_s == 6
    door.leave()
    door.enter(2.0)


@pytest.mark.parametrize(("expected_s", "retry_after_s"), [(1e-6, 1), (1e6, 30)])
def test_the_time_to_come_back_stays_within_reason(expected_s: float, retry_after_s: int) -> None:
    door = admission()
    door.inside = 2
    with pytest.raises(Full) as caught:
        door.enter(expected_s)
    assert caught.value.retry_after_s == retry_after_s


def test_nobody_is_let_in_before_the_warm_up_or_while_draining() -> None:
    door = admission()
    door.ready = False
    with pytest.raises(NotServing, match="starting"):
        door.enter(0.0)
    door.ready = True
    door.enter(0.0)
    door.draining = True
    assert not door.serving
    with pytest.raises(NotServing, match="stopping"):
        door.enter(0.0)
    assert door.inside == 1


def test_bodies_are_limited_one_by_one_and_all_together() -> None:
    door = admission()
    with pytest.raises(Rejected, match="HAL-504"):
        door.check_body(101)
    door.check_body(100)
    door.hold(100)
    with pytest.raises(Full):
        door.hold(51)
    door.hold(50)
    door.release(100)
    assert door.held_bytes == 50
