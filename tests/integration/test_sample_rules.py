"""`halocline sample rules` shows on recorded rows what each rule would have sent, and what that costs."""

import json
from pathlib import Path

import numpy as np
import pytest
from commands import output, run

import halocline as hc
from halocline.wire.rules_file import read_rules

RULES = """\
version = 1
[total]
records_per_hour = 40
[thin]
distance = 0
[[rule]]
name = "unsure"
kind = "uncertainty"
below = 0.9
records_per_hour = 10
[[rule]]
name = "hot"
kind = "event"
when = 'sensor.temp > 40 and label != "0"'
priority = 1
[[rule]]
name = "some"
kind = "spot_check"
share = 0.2
"""


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    digits = hc.samples.digits()
    rows = len(digits.x)
    temp = np.where(np.arange(rows) % 30 == 0, 50.0, 20.0)
    np.savez(tmp_path / "day.npz", x=digits.x, y=digits.y, **{"sensor.temp": temp})
    (tmp_path / "rules.toml").write_text(RULES)
    return tmp_path


def told(capsys, folder: Path, *words: object) -> dict:
    edge = hc.samples.digits().edge_path
    return json.loads(
        output(capsys, "sample", "rules", "--data", folder / "day.npz", "--edge", edge, *words, "--json")
    )


def test_each_rule_tells_what_it_would_have_sent_and_what_stays(recorded: Path, capsys) -> None:
    found = told(capsys, recorded, "--rules", recorded / "rules.toml")
    unsure, hot, some = found["rules"]
    assert found["samples"] == 360
    assert found["seconds"] == 360.0
    assert found["sent"] == sum(rule["paid"] for rule in found["rules"]) <= 40
    assert found["payload_bytes"] == found["sent"] * hc.samples.digits().x[0].nbytes
    assert found["usd"] == pytest.approx(found["payload_bytes"] / 1e6 * 0.03)
    assert unsure["paid"] <= 10 < unsure["wanted"]
    assert unsure["left"]
    assert 6 <= hot["wanted"] <= 12
    assert hot["untold"] == 0
    assert some["wanted"] > 20
    for rule in found["rules"]:
        unpaid = rule["wanted"] - rule["paid"] - sum(rule["left"].values())
        assert 0 <= unpaid <= rule["shared"]
    assert 0 < found["wrong_sent"] <= found["wrong"]


def test_the_same_seed_tells_the_same(recorded: Path, capsys) -> None:
    first, again, other = (
        told(capsys, recorded, "--rules", recorded / "rules.toml", "--seed", seed) for seed in (1, 1, 2)
    )
    assert first == again != other


def test_without_rules_those_by_default_hold_and_what_cannot_be_told_is_said(recorded: Path, capsys) -> None:
    found = told(capsys, recorded)
    assert [rule["name"] for rule in found["rules"]] == ["degraded", "unsure", "new", "each-class", "check"]
    (each,) = (rule for rule in found["rules"] if rule["name"] == "each-class")
    assert (each["wanted"], each["left"]) == (10, {}), "one of each class, whoever pays"
    assert any("novelty is not measured" in note for note in found["notes"])


def test_a_sensor_that_the_data_lack_is_told(recorded: Path, capsys) -> None:
    (recorded / "rules.toml").write_text(RULES.replace("sensor.temp", "sensor.rpm"))
    found = told(capsys, recorded, "--rules", recorded / "rules.toml")
    assert any("rule hot: of 3" in note and "could not be told" in note for note in found["notes"])


def test_people_see_a_table(recorded: Path, capsys) -> None:
    edge = hc.samples.digits().edge_path
    shown = output(capsys, "sample", "rules", "--data", recorded / "day.npz", "--edge", edge)
    for word in ("unsure", "each-class", "USD", "that the edge answers wrongly", "list prices"):
        assert word in shown


def test_the_example_is_a_file_of_rules(tmp_path: Path, capsys) -> None:
    (tmp_path / "rules.toml").write_text(output(capsys, "sample", "rules", "--example"))
    assert read_rules(tmp_path / "rules.toml").rules


def test_a_label_that_the_model_does_not_have_is_found_when_the_rules_are_read(
    recorded: Path, capsys
) -> None:
    (recorded / "rules.toml").write_text(RULES.replace('"0"', '"zero"'))
    edge = hc.samples.digits().edge_path
    words = ("sample", "rules", "--data", recorded / "day.npz", "--edge", edge, "--rules")
    said = run(capsys, *words, recorded / "rules.toml", code=2).err
    assert "label is never 'zero'" in said
    assert "HAL-802" in said


def test_without_data_or_edge_it_says_what_to_give(capsys) -> None:
    assert "--example" in run(capsys, "sample", "rules", code=2).err


def test_a_sensor_array_of_another_length_is_refused(recorded: Path, capsys) -> None:
    digits = hc.samples.digits()
    np.savez(recorded / "day.npz", x=digits.x, **{"sensor.temp": np.zeros(3)})
    words = ("sample", "rules", "--data", recorded / "day.npz", "--edge", digits.edge_path)
    assert "sensor.temp must be one number for each of the 360 rows" in run(capsys, *words, code=2).err
