"""The interval of a paired difference holds the truth about as often as it says, and always has a width."""

import numpy as np
import pytest

from halocline.stats.paired import paired_difference


def test_it_agrees_with_the_formula_worked_by_hand() -> None:
    # 20 and 10 rows of 100: cells 20.5 and 10.5 of 102; variance (31 - 10² / 102) / 102².
    found = paired_difference(20, 10, 100)
    middle, half = 10 / 102, 1.959964 * (31 - 100 / 102) ** 0.5 / 102
    assert (found.value, found.low, found.high) == pytest.approx(
        (0.1, middle - half, middle + half), abs=1e-6
    )


def test_no_difference_in_few_rows_proves_little() -> None:
    few, many = paired_difference(0, 0, 60), paired_difference(0, 0, 6000)
    assert few.low < -0.02
    assert few.high > 0.02
    assert -0.001 < many.low < 0 < many.high


@pytest.mark.parametrize(("wins", "losses", "rows"), [(0.02, 0.05, 200), (0.3, 0.1, 60), (0.002, 0.01, 500)])
def test_it_covers_the_truth(wins: float, losses: float, rows: int) -> None:
    rng = np.random.default_rng(1)
    counts = rng.multinomial(rows, [wins, losses, 1 - wins - losses], size=2000)
    found = [paired_difference(int(b), int(c), rows) for b, c, _ in counts]
    covered = np.mean([each.low <= wins - losses <= each.high for each in found])
    assert covered > 0.93


def test_the_value_lies_in_its_interval_and_the_interval_among_differences() -> None:
    for wins, losses in ((10, 0), (0, 10), (5, 5)):
        found = paired_difference(wins, losses, 10)
        assert -1 <= found.low <= found.value <= found.high <= 1
