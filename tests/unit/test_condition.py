"""A condition is checked when it is loaded, and says where it is wrong and what was meant."""

import pytest
from sample_parts import candidate

from halocline.decide.condition import MAX_DEPTH, MAX_LENGTH, Known, parse
from halocline.errors import Misconfigured
from halocline.records import Reason, Tier


def wrong(text: str, **known) -> str:
    with pytest.raises(Misconfigured) as caught:
        parse(text, Known(**known))
    assert caught.value.code == "HAL-802"
    assert "\n" not in caught.value.message
    return caught.value.message


def test_a_condition_reads_label_confidence_and_sensors() -> None:
    hot = parse('label == "person" and confidence < 0.6 and sensor.temp > 40')
    assert hot.fields == {"label", "confidence", "sensor.temp"}
    assert hot.holds(candidate(confidence=0.5, sensors={"temp": 41.0})) is True
    assert hot.holds(candidate(confidence=0.5, sensors={"temp": 39.0})) is False
    assert hot.holds(candidate(label="dog", confidence=0.5, sensors={"temp": 41.0})) is False


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("degraded", False),
        ("not degraded", True),
        ("degraded == false", True),
        ('tier == "edge"', True),
        ('reason in ["confident", "budget"]', True),
        ('reason not in ["confident", "budget"]', False),
        ("0.5 < confidence", True),
        ("sensor.a >= sensor.b", True),
        ("metadata.shift == 'night' or metadata.shift == 'day'", True),
        ("metadata.door", True),
        ("metadata.floor in [1, 2, 3]", True),
        ('(label == "cat" or label == "person") and not (confidence < 0.5)', True),
        ('label == "cat" or label == "person" and confidence > 0.5', True),
        ('label == "a \\" b"', False),
        ("confidence != 9e-1", False),
    ],
)
def test_signs_and_words_mean_what_they_say(text: str, told: bool) -> None:
    sample = candidate(
        sensors={"a": 2.0, "b": 1.0}, metadata={"shift": "night", "door": True, "floor": 2}, group="g"
    )
    assert parse(text).holds(sample) is told


def test_what_is_not_there_cannot_be_told_and_decides_nothing() -> None:
    sample = candidate(confidence=0.5)
    assert parse("sensor.temp > 40").holds(sample) is None
    assert parse("not sensor.temp > 40").holds(sample) is None
    assert parse("sensor.temp > 40 and confidence > 0.9").holds(sample) is False
    assert parse("sensor.temp > 40 or confidence < 0.9").holds(sample) is True
    assert parse("novelty > 3").holds(sample) is None
    assert parse("sensor.temp > 40").holds(candidate(sensors={"temp": float("nan")})) is None


def test_metadata_of_another_type_cannot_be_told() -> None:
    sample = candidate(metadata={"floor": "two", "door": True})
    assert parse("metadata.floor == 2").holds(sample) is None
    assert parse("metadata.door == 1").holds(sample) is None
    assert parse("metadata.door == metadata.floor").holds(sample) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            'lable == "person"',
            "at character 1 ('lable == \"person\"'): there is no 'lable'; did you mean label",
        ),
        ("confidence = 0.6", "at character 12 ('= 0.6'): write =="),
        ("degraded && confidence < 1", "write and"),
        ("confidence < 0.6 degraded", "at character 18 ('degraded'): expected `and`, `or` or the end"),
        ("confidence < 60", "at character 14 ('60'): confidence is in [-1, 1]; did you mean 0.6?"),
        ('confidence < "0.6"', "confidence is a number, and this is text"),
        ("label < 'a'", "< compares numbers"),
        ('reason == "dedline"', "did you mean deadline?"),
        ('tier == "clowd"', "did you mean cloud?"),
        ("sensors.temp > 4", "did you mean sensor.KEY?"),
        ("sensor. > 4", "there is no 'sensor.'"),
        ("label", "expected ==, !=, <"),
        ("1 < 2", "one side must be a field"),
        ("(degraded", "at its end: expected ) for the ( at character 1"),
        ('label == "person', "does not end"),
        ("label in [", "expected a field, text in quotes, or a number"),
        ('label in ["a", 2]', "expected text, got 2"),
        ("label in [source]", "no fields"),
        ("degraded AND degraded", "expected `and`, `or` or the end"),
        ("confidence < NOT", "write not"),
        ("", "at its end"),
        ("novelty > 1e999", "too large"),
        ("__import__('os')", "there is no '__import__'"),
        ("label.__class__ == 'x'", "there is no 'label.__class__'"),
    ],
)
def test_a_fault_names_its_place_and_what_was_meant(text: str, told: str) -> None:
    assert told in wrong(text)


def test_what_the_model_and_the_device_have_is_checked_where_it_is_known() -> None:
    assert "did you mean person?" in wrong('label == "persn"', labels=["person", "dog"])
    assert "did you mean sensor.temp?" in wrong("sensor.tmp > 4", sensors=["temp", "rpm"])
    assert "there are none" in wrong("metadata.shift == 1", metadata=[])
    assert parse('label == "dog"', Known(labels=["person", "dog"])).text == 'label == "dog"'


def test_length_and_depth_are_bounded() -> None:
    assert str(MAX_LENGTH) in wrong("degraded or " * 200 + "degraded")
    assert "nested deeper" in wrong("(" * (MAX_DEPTH + 1) + "degraded" + ")" * (MAX_DEPTH + 1))
    assert "nested deeper" in wrong("not " * (MAX_DEPTH + 1) + "degraded")
    assert parse("not " * MAX_DEPTH + "degraded").holds(candidate()) is False


def test_tier_and_reason_are_compared_by_their_names() -> None:
    late = candidate(reason=Reason.DEADLINE, degraded=True, tier=Tier.EDGE)
    assert parse('reason == "deadline" and degraded').holds(late) is True
