"""A hub that goes away takes no answer with it, and a fleet comes back to it one by one."""

from pathlib import Path

from hub_away import take_away


def test_every_request_is_answered_without_a_hub_and_the_fleet_comes_back_spread_out(tmp_path: Path) -> None:
    """The short form of benchmarks/soak_away.py: waits are cut to a tenth, their chance stays."""
    came = take_away(tmp_path, away_s=1.0, devices=5, haste=0.1)
    print(came)
    assert came.unanswered == 0
    assert came.by_edge_while_away > 0
    assert came.missing == 0
    assert came.last_s - came.first_s > 0.05
