"""Whatever bytes come over the people's door, they are a message or refused as none."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halocline.errors import Rejected
from halocline.wire import people
from halocline.wire.channel import decode, encode

REQUESTS = [
    people.AcceptRequest,
    people.InviteRequest,
    people.LabelRequest,
    people.PersonRequest,
    people.ReasonRequest,
    people.RevokeRequest,
    people.SetRequest,
    people.TokenRequest,
]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
KEYS = st.text(max_size=8)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4)
)


@st.composite
def bodies(draw, kind):
    """Bytes; or the fields of the message with values that fit or do not."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=200))
    fields = draw(st.dictionaries(st.sampled_from(kind.__struct_fields__) | KEYS, TREES))
    text = json.dumps(fields).encode()
    cut = draw(st.integers(0, len(text)))
    return text if draw(st.booleans()) else text[:cut] + draw(st.binary(max_size=3)) + text[cut:]


@pytest.mark.parametrize("kind", REQUESTS)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_bytes_are_a_message_or_refused_as_none(kind, data):
    body = data.draw(bodies(kind))
    message, refused = None, None
    try:
        message = decode(body, kind)
    except Rejected as error:
        refused = error
    if refused is None:
        assert decode(encode(message), kind) == message
    else:
        assert refused.code == "HAL-701"
        assert "\n" not in refused.message


@pytest.mark.parametrize("kind", REQUESTS)
def test_depth_and_size_are_refused_before_they_cost(kind):
    for body in (b'{"a":' * 20_000, b"[" * 60_000, b" " * 70_000):
        with pytest.raises(Rejected, match="HAL-701"):
            decode(body, kind)


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_field_of_a_newer_version_is_passed_over(kind):
    least = {"name": "x", "role": "viewer", "ttl_s": 1.0, "settings": {}}
    assert decode(msgspec.json.encode({**least, "newer": [1, {"a": 2}]}), kind)
