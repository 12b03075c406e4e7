"""A condition means what its tree says, whatever the text; and no text does anything but be refused."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from halocline.decide.candidate import Candidate
from halocline.decide.condition import Condition, parse
from halocline.errors import Misconfigured
from halocline.records import Reason, Tier

NUMBERS = st.sampled_from([0.0, 0.25, 0.5, 1.0])
SENSORS = st.sampled_from(["sensor.a", "sensor.b", "confidence"])
SIGNS = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
LEAVES = st.tuples(st.sampled_from(sorted(SIGNS)), SENSORS, NUMBERS)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or"]), inner, inner),
    ),
    max_leaves=8,
)


def read(text: str) -> Condition | Misconfigured:
    try:
        return parse(text)
    except Misconfigured as exc:
        return exc


def written(tree: Any) -> str:
    match tree:
        case ("not", inner):
            return f"not ({written(inner)})"
        case ("and" | "or" as join, left, right):
            return f"({written(left)}) {join} ({written(right)})"
        case (sign, name, number):
            return f"{name} {sign} {number!r}"
    raise AssertionError(tree)


def told(tree: Any, facts: dict[str, float | None]) -> bool | None:
    match tree:
        case ("not", inner):
            value = told(inner, facts)
            return None if value is None else not value
        case ("and" | "or" as join, left, right):
            values, decisive = [told(left, facts), told(right, facts)], join == "or"
            if decisive in values:
                return decisive
            return None if None in values else not decisive
        case (sign, name, number):
            value = facts[name]
            return None if value is None else SIGNS[sign](value, number)
    raise AssertionError(tree)


@given(TREES, st.none() | NUMBERS, st.none() | NUMBERS, NUMBERS)
def test_a_condition_means_what_its_tree_says(
    tree: Any, a: float | None, b: float | None, confidence: float
) -> None:
    facts = {"sensor.a": a, "sensor.b": b, "confidence": confidence}
    sensors = {name: value for name, value in (("a", a), ("b", b)) if value is not None}
    sample = Candidate(
        id="x",
        confidence=confidence,
        tier=Tier.EDGE,
        reason=Reason.CONFIDENT,
        payload_bytes=1,
        sensors=sensors,
    )
    condition = read(written(tree))
    assert isinstance(condition, Condition) or "nested deeper" in condition.message
    if isinstance(condition, Condition):
        assert condition.holds(sample) is told(tree, facts)


WORDS = ["label", "confidence", "sensor.x", "metadata.y", "degraded", "and", "or", "not", "in", "true"]
PIECES = st.sampled_from([*WORDS, "(", ")", "[", "]", ",", "==", "<", '"a"', "'", "0.5", "-", "=", "\\", "é"])


@given(st.text(max_size=60) | st.lists(PIECES, max_size=20).map(" ".join))
def test_any_text_is_a_condition_or_a_fault_of_one_line(text: str) -> None:
    sample = Candidate(id="x", confidence=0.5, tier=Tier.EDGE, reason=Reason.CONFIDENT, payload_bytes=1)
    condition = read(text)
    if isinstance(condition, Condition):
        assert condition.holds(sample) in (True, False, None)
    else:
        assert condition.code == "HAL-802"
        assert "\n" not in condition.message
