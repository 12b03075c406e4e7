"""How long a server's Retry-After lets a device rest."""

import time
from email.utils import formatdate

import pytest

from halocline.adapters.http.learned import LONGEST_REST_S, rest_s

YEAR_S = 365.25 * 86_400


@pytest.mark.parametrize("server_ahead_s", [0.0, 55 * YEAR_S, -10 * YEAR_S])
def test_a_date_counts_from_the_answers_own_whatever_the_clock_here_shows(server_ahead_s: float) -> None:
    now_s = time.time() + server_ahead_s
    assert rest_s(formatdate(now_s + 20, usegmt=True), formatdate(now_s, usegmt=True)) == 20.0


@pytest.mark.parametrize(
    ("stated", "expected_s"), [("7", 7.0), ("99999", LONGEST_REST_S), ("", None), ("soon", None)]
)
def test_a_number_counts_as_it_stands_and_nonsense_not_at_all(stated: str, expected_s: float | None) -> None:
    assert rest_s(stated, "") == expected_s
