"""A hub may die by kill -9 at any point: a device is as before or enrolled, and what was told is there."""

import random
from pathlib import Path

import pytest
from hub_kills import ANY_TIME, POINTS, Campaign

SEED = 5


@pytest.mark.timeout(400)
def test_no_kill_locks_a_device_out_or_takes_back_what_was_acknowledged(tmp_path: Path) -> None:
    tally = Campaign(tmp_path, random.Random(SEED)).run([*POINTS, *[ANY_TIME] * 3])
    print(tally.table())
    assert tally.faults == []
    assert set(tally.kills) == {*POINTS, ANY_TIME}
    assert tally.as_before > 0


@pytest.mark.parametrize("point", ["join.written", "set.written"])
def test_a_hub_that_answers_before_it_commits_is_found_out(tmp_path: Path, point: str) -> None:
    """The observer must be able to see it: this hub does wrong on purpose."""
    tally = Campaign(tmp_path, random.Random(SEED), is_late=True).run([point])
    print("\n".join(tally.faults))
    assert tally.faults


def test_on_postgresql_no_kill_locks_a_device_out_either(tmp_path: Path, postgresql: str) -> None:
    points = ["join.written", "set.committed"]
    tally = Campaign(tmp_path, random.Random(SEED), database=postgresql).run(points)
    assert tally.faults == []
    assert set(tally.kills) == set(points)
    assert tally.as_before == 1
