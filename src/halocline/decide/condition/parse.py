"""Read a condition once: its names and types are checked here, so that evaluating it cannot fail."""

import math
import operator
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeAlias

from halocline.decide.candidate import Candidate, Value
from halocline.decide.condition.fields import (
    Field,
    Kind,
    Known,
    Reader,
    Unknown,
    field_of,
    nearest,
)
from halocline.decide.condition.words import Sort, Word, fault, words_of
from halocline.errors import Misconfigured

MAX_LENGTH = 1_000
"""Characters; what is longer is no rule that somebody can review."""
MAX_DEPTH = 16
"""Of parentheses and `not` in each other."""

NOTHING_KNOWN = Known()

_Holds: TypeAlias = Callable[[Candidate], bool | None]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_JOINS = ("and", "or", "not", "in")
_TRUTHS = {"true": True, "false": False}


class Condition:
    """A condition that was checked. Of a sample without a value that it asks for, it may have no answer.

    `a and b` is false where one is false, whatever the other; otherwise what cannot be told stays so
    (Kleene 1938). `fields` are the names that it uses.
    """

    __slots__ = ("_holds", "fields", "text")

    def __init__(self, text: str, fields: frozenset[str], holds: _Holds) -> None:
        self.text = text
        self.fields = fields
        self._holds = holds

    def holds(self, sample: Candidate) -> bool | None:
        """Whether it holds of the sample; None where that cannot be told."""
        return self._holds(sample)

    def __repr__(self) -> str:
        return f"Condition({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Condition) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


def parse(text: str, known: Known = NOTHING_KNOWN) -> Condition:
    """The condition, checked. Raises Misconfigured (HAL-802) with the place and what was probably meant."""
    if len(text) > MAX_LENGTH:
        raise Misconfigured(
            "HAL-802",
            f"the condition has {len(text)} characters, expected {MAX_LENGTH} at most; use two rules",
        )
    reading = _Reading(text, known)
    holds = reading.any_of(0)
    reading.end()
    return Condition(text, frozenset(reading.fields), holds)


class _Operand(NamedTuple):
    """One side of a comparison: a field, or a value as written."""

    word: Word
    kind: Kind
    field: Field | None
    read: Reader | None
    value: Value | None


class _Reading:
    """Reads word by word, each kind of phrase by a method of its own; the loosest is `any_of`."""

    def __init__(self, text: str, known: Known) -> None:
        self._text = text
        self._known = known
        self._words = words_of(text)
        self._next = next(self._words)
        self.fields: set[str] = set()

    def any_of(self, depth: int) -> _Holds:
        """Phrases joined by `or`."""
        parts = [self._all_of(depth)]
        while self._takes("or"):
            parts.append(self._all_of(depth))
        return parts[0] if len(parts) == 1 else _joined(parts, decisive=True)

    def end(self) -> None:
        """Nothing may follow."""
        if self._next.sort is not Sort.END:
            raise self._fault(self._next, "expected `and`, `or` or the end")

    def _all_of(self, depth: int) -> _Holds:
        parts = [self._phrase(depth)]
        while self._takes("and"):
            parts.append(self._phrase(depth))
        return parts[0] if len(parts) == 1 else _joined(parts, decisive=False)

    def _phrase(self, depth: int) -> _Holds:
        word = self._next
        if word.text in ("not", "(") and depth == MAX_DEPTH:
            raise self._fault(word, f"nested deeper than {MAX_DEPTH}; use two rules")
        if self._takes("not"):
            return _negated(self._phrase(depth + 1))
        if self._takes("("):
            inner = self.any_of(depth + 1)
            self._must(")", f"expected ) for the ( at character {word.at + 1}")
            return inner
        return self._comparison()

    def _comparison(self) -> _Holds:
        left = self._operand()
        sign = self._next
        if sign.text in _COMPARE:
            self._step()
            return self._compared(left, sign, self._operand())
        negated = self._takes("not")
        if self._takes("in"):
            among = self._among(left)
            return _negated(among) if negated else among
        if negated:
            raise self._fault(self._next, "expected `in` after `not`")
        if left.read is None or left.kind not in (Kind.TRUTH, Kind.ANY):
            raise self._fault(sign, f"expected ==, !=, <, <=, >, >= or in after {left.word.text}")
        return _truth_of(left.read)

    def _compared(self, left: _Operand, sign: Word, right: _Operand) -> _Holds:
        if left.read is None and right.read is None:
            raise self._fault(left.word, "two values are compared; one side must be a field")
        kind = self._common(left, right)
        if sign.text not in ("==", "!=") and kind is Kind.ANY:
            kind = Kind.NUMBER
        if sign.text not in ("==", "!=") and kind is not Kind.NUMBER:
            raise self._fault(sign, f"{sign.text} compares numbers; {left.word.text} is {kind}: use == or !=")
        self._check_value(left, right)
        self._check_value(right, left)
        return _comparison(_COMPARE[sign.text], _reader(left), _reader(right), _TYPES[kind])

    def _among(self, left: _Operand) -> _Holds:
        if left.read is None:
            raise self._fault(left.word, "expected a field before `in`")
        self._must("[", "expected a list after `in`, as in [1, 2]")
        kind, values = left.kind, []
        while True:
            item = self._operand()
            if item.value is None:
                raise self._fault(item.word, "a list holds text, numbers, true or false, and no fields")
            kind = self._common(left, item) if kind is Kind.ANY else kind
            if item.kind is not kind:
                raise self._fault(item.word, f"expected {kind}, got {item.word.text}")
            self._check_value(item, left)
            values.append(item.value)
            if not self._takes(","):
                break
        self._must("]", "expected , or ]")
        return _membership(left.read, frozenset(values), _TYPES[kind])

    def _operand(self) -> _Operand:
        word = self._step()
        if word.sort is Sort.NUMBER:
            number = float(word.text)
            if not math.isfinite(number):
                raise self._fault(word, "the number is too large")
            return _Operand(word, Kind.NUMBER, None, None, number)
        if word.sort is Sort.TEXT:
            return _Operand(word, Kind.TEXT, None, None, _unquoted(word.text))
        if word.text in _TRUTHS:
            return _Operand(word, Kind.TRUTH, None, None, _TRUTHS[word.text])
        if word.sort is not Sort.NAME or word.text in _JOINS:
            raise self._fault(word, "expected a field, text in quotes, or a number")
        if word.text.lower() in (*_JOINS, *_TRUTHS):
            raise self._fault(word, f"write {word.text.lower()}")
        try:
            field, read = field_of(word.text, self._known)
        except Unknown as exc:
            raise self._fault(word, str(exc)) from None
        self.fields.add(word.text)
        return _Operand(word, field.kind, field, read, None)

    def _common(self, left: _Operand, right: _Operand) -> Kind:
        """The type that both sides have."""
        if left.kind is Kind.ANY or right.kind is Kind.ANY:
            return right.kind if left.kind is Kind.ANY else left.kind
        if left.kind is not right.kind:
            hint = f": write {right.word.text.strip(chr(34))}" if _is_quoted_number(left, right) else ""
            raise self._fault(right.word, f"{left.word.text} is {left.kind}, and this is {right.kind}{hint}")
        return left.kind

    def _check_value(self, written: _Operand, other: _Operand) -> None:
        """Refuse a value that the field beside it can never have."""
        field, value = other.field, written.value
        if field is None or value is None:
            return
        if isinstance(value, str) and field.choices and value not in field.choices:
            raise self._fault(
                written.word, f"{other.word.text} is never {value!r}; {nearest(value, field.choices)}"
            )
        if isinstance(value, float) and field.kind is Kind.NUMBER:
            low, high = field.low, field.high
            if (low is not None and value < low) or (high is not None and value > high):
                hint = f"; did you mean {value / 100:g}?" if high == 1.0 and 1 < value <= 100 else ""
                span = f"in [{low:g}, {high:g}]" if high is not None else f"{low:g} or more"
                raise self._fault(written.word, f"{other.word.text} is {span}{hint}")

    def _step(self) -> Word:
        word = self._next
        if word.sort is not Sort.END:
            self._next = next(self._words)
        return word

    def _takes(self, text: str) -> bool:
        if self._next.text != text or self._next.sort not in (Sort.NAME, Sort.SIGN):
            return False
        self._step()
        return True

    def _must(self, text: str, otherwise: str) -> None:
        if not self._takes(text):
            raise self._fault(self._next, otherwise)

    def _fault(self, word: Word, what: str) -> Misconfigured:
        return fault(self._text, word.at, what)


_TYPES: dict[Kind, tuple[type, ...]] = {
    Kind.TEXT: (str,),
    Kind.NUMBER: (int, float),
    Kind.TRUTH: (bool,),
    Kind.ANY: (str, int, float, bool),
}


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _is_quoted_number(left: _Operand, right: _Operand) -> bool:
    return left.kind is Kind.NUMBER and isinstance(right.value, str) and right.value.isdecimal()


def _is_of(value: object, types: tuple[type, ...]) -> bool:
    """Whether a value has such a type; a truth is no number, and NaN no value."""
    if isinstance(value, bool):
        return bool in types
    return isinstance(value, types) and value == value


def _sort(value: object) -> type:
    return next(each for each in (str, bool, object) if isinstance(value, each))


def _reader(side: _Operand) -> Reader:
    if side.read is not None:
        return side.read
    value = side.value
    return lambda _: value


# What evaluates: functions of one sample that give true, false, or None where it cannot be told


def _comparison(
    compare: Callable[[Any, Any], bool], left: Reader, right: Reader, types: tuple[type, ...]
) -> _Holds:
    def holds(sample: Candidate) -> bool | None:
        one, other = left(sample), right(sample)
        if not (_is_of(one, types) and _is_of(other, types)) or _sort(one) is not _sort(other):
            return None
        return compare(one, other)

    return holds


def _membership(read: Reader, values: frozenset[Value], types: tuple[type, ...]) -> _Holds:
    def holds(sample: Candidate) -> bool | None:
        value = read(sample)
        return value in values if _is_of(value, types) else None

    return holds


def _truth_of(read: Reader) -> _Holds:
    def holds(sample: Candidate) -> bool | None:
        value = read(sample)
        return value if isinstance(value, bool) else None

    return holds


def _negated(inner: _Holds) -> _Holds:
    def holds(sample: Candidate) -> bool | None:
        value = inner(sample)
        return None if value is None else not value

    return holds


def _joined(parts: Iterable[_Holds], *, decisive: bool) -> _Holds:
    """`or` where true decides, `and` where false does; else what cannot be told stays so."""
    each = tuple(parts)

    def holds(sample: Candidate) -> bool | None:
        told: bool | None = not decisive
        for part in each:
            value = part(sample)
            if value is decisive:
                return decisive
            if value is None:
                told = None
        return told

    return holds
