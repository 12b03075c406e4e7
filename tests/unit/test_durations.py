"""Durations are read as people write them, and nothing else is taken for one."""

import pytest

from halocline.cli.durations import read_duration, said
from halocline.errors import Rejected


@pytest.mark.parametrize(
    ("text", "value_s"),
    [
        ("30s", 30),
        ("10m", 600),
        ("1h", 3600),
        ("30d", 2_592_000),
        ("1h30m", 5400),
        ("250ms", 0.25),
        ("1.5h", 5400),
    ],
)
def test_a_number_with_a_unit_is_a_duration(text, value_s):
    assert read_duration("--ttl", text) == value_s


@pytest.mark.parametrize(
    "text", ["", "h", "1", "-1h", "1 h", "1y", "1hx", "x1h", "1e3s", "inf", "1h 2m", "99999999999s"]
)
def test_nothing_else_is_one(text):
    with pytest.raises(Rejected, match=r"30s, 10m, 1h or 30d.*HAL-757"):
        read_duration("--ttl", text)


def test_a_bare_number_is_answered_with_what_was_meant():
    with pytest.raises(Rejected, match=r"Did you mean 60s\?"):
        read_duration("--ttl", "60")


@pytest.mark.parametrize(
    ("value_s", "text"),
    [(0, "0 s"), (-1, "0 s"), (90, "90 s"), (600, "10 min"), (7200, "2 h"), (9 * 86_400, "9 d")],
)
def test_an_age_is_said_by_its_largest_unit(value_s, text):
    assert said(value_s) == text
