"""A file of rules says what it means, or is refused with the place and the right name."""

from pathlib import Path

import pytest

from halocline.decide.condition import Known
from halocline.decide.quota import Quota
from halocline.decide.rules import Event, SpotChecks, Thin, Uncertainty
from halocline.errors import Misconfigured
from halocline.wire.rules_file import default_rules, example, read_rules

WHOLE = """\
version = 1
total = {records_per_day = 100}
thin = {distance = 0.2, for_s = 60}

[[rule]]
name = "hot-person"
kind = "event"
when = 'label == "person" and sensor.temp > 40'
priority = 0
bytes_per_hour = 1_000_000

[[rule]]
name = "unsure"
kind = "uncertainty"
below = 0.7
thin = false
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "rules.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    rules = read_rules(write(tmp_path, WHOLE))
    hot, unsure = rules.rules
    assert isinstance(hot.what, Event)
    assert hot.what.when.fields == {"label", "sensor.temp"}
    assert (hot.priority, hot.thin, hot.quota) == (0, True, Quota(bytes_per_hour=1_000_000))
    assert (unsure.what, unsure.priority, unsure.thin) == (Uncertainty(0.7), 2, False)
    assert rules.total == Quota(records_per_day=100)
    assert rules.thin == Thin(distance=0.2, for_s=60.0)


def test_the_example_is_what_holds_by_default(tmp_path: Path) -> None:
    rules = read_rules(write(tmp_path, example()))
    assert rules == default_rules()
    assert [rule.name for rule in rules.rules] == ["degraded", "unsure", "new", "each-class", "check"]
    assert not [rule.name for rule in rules.rules if rule.thin and isinstance(rule.what, SpotChecks)]


ONE = 'version = 1\n[[rule]]\nname = "a"\n'


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("version = 1", "HAL-801", "expected one [[rule]]"),
        ("version = 1\n[rule]\nname = 'a'", "HAL-801", "double brackets"),
        ("[[rule]]\nname = 'a'", "HAL-801", "expected version = 1, got None"),
        ("version = 1\nruel = 1", "HAL-801", "ruel is not a key. Did you mean 'rule'?"),
        ("version = ", "HAL-801", "is not TOML"),
        ("version = 1\n[[rule]]\nkind = 'event'", "HAL-801", "[[rule]] number 1: name must be"),
        ("version = 1\n[[rule]]\nname = 'A b'", "HAL-801", "name must be of a-z"),
        (ONE, "HAL-801", "rule 'a': kind is missing"),
        (ONE + "kind = 'spotcheck'", "HAL-801", "Did you mean 'spot_check'?"),
        (
            ONE + "kind = 'spot_check'\nshare = 2",
            "HAL-801",
            "share must be above 0, 1 at most (share), got 2.0. Did",
        ),
        (ONE + "kind = 'uncertainty'\nbelow = 80", "HAL-801", "Did you mean 0.8?"),
        (ONE + "kind = 'uncertainty'\nbelow = true", "HAL-801", "must be a number (confidence), got True"),
        (ONE + "kind = 'uncertainty'\nshare = 0.1", "HAL-801", "share is a key of spot_check"),
        (
            ONE + "kind = 'uncertainty'\nbellow = 0.1",
            "HAL-801",
            "rule 'a': bellow is not a key. Did you mean 'below'",
        ),
        (ONE + "kind = 'uncertainty'\npriority = 4", "HAL-801", "priority must be in [0, 3]"),
        (ONE + "kind = 'uncertainty'\nrecords_per_hour = -1", "HAL-801", "records_per_hour must be in [0, "),
        (ONE + "kind = 'uncertainty'\nrecords_a_day = 1", "HAL-801", "Did you mean 'records_per_day'?"),
        (ONE + "kind = 'event'", "HAL-801", "rule 'a': when is missing"),
        (
            ONE + "kind = 'event'\nwhen = 'confidense < 1'",
            "HAL-802",
            "rule 'a': the condition, at character 1",
        ),
        (ONE + "kind = 'periodic'\nthin = true", "HAL-101", "thin must be false for periodic"),
        (ONE + "kind = 'novelty'\n" + ONE[12:] + "kind = 'novelty'", "HAL-101", "two rules are called 'a'"),
        (ONE + "kind = 'novelty'\n[total]\nbytes = 1", "HAL-801", "total: bytes is not a key"),
        ("version = 1\ntotal = 3\n" + ONE[12:] + "kind = 'novelty'", "HAL-801", "total must be a table"),
    ],
)
def test_a_fault_names_its_place_and_the_right_name(tmp_path: Path, text: str, code: str, told: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(Misconfigured) as caught:
        read_rules(file)
    assert caught.value.code == code
    assert told in caught.value.message
    assert str(file) in caught.value.message


def test_a_file_that_is_not_there_says_how_to_come_by_one(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="sample rules --example"):
        read_rules(tmp_path / "none.toml")


def test_a_condition_speaks_of_what_the_model_and_the_device_have(tmp_path: Path) -> None:
    file = write(tmp_path, WHOLE)
    with pytest.raises(Misconfigured, match=r"did you mean sensor\.temp1"):
        read_rules(file, Known(sensors=["temp1"]))
