"""The name in a TLS hello is read as OpenSSL writes it, and nothing else makes more than a ValueError."""

import contextlib
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halocline.adapters.asgi.client_hello import MAX_HELLO_BYTES, server_name


def hello(name: str | None) -> bytes:
    """What OpenSSL sends first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = name is not None
    if name is None:
        context.verify_mode = ssl.CERT_NONE
    sent = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return sent.read()


REAL = hello("devices.hub.test")


def in_records(data: bytes, size: int) -> bytes:
    """The same handshake message in records of that size."""
    body = data[5:]
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(data[:3] + len(part).to_bytes(2, "big") + part for part in parts)


def test_the_name_is_read_whatever_its_case_and_none_where_none_is_sent() -> None:
    assert server_name(REAL) == "devices.hub.test"
    assert server_name(hello("DEVICES.hub.test")) == "devices.hub.test"
    assert server_name(hello(None)) == ""
    assert server_name(hello("127.0.0.1")) == ""


@given(st.integers(0, len(REAL) - 1))
def test_a_part_of_a_hello_is_waited_for(length: int) -> None:
    assert server_name(REAL[:length]) is None


@given(st.integers(1, 600), st.binary(max_size=50))
def test_a_hello_in_several_records_with_more_behind_it_is_one(size: int, after: bytes) -> None:
    assert server_name(in_records(REAL, size) + after) == "devices.hub.test"


@given(st.binary(max_size=400))
def test_any_bytes_are_a_name_or_waited_for_or_refused(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(server_name(data), str | None)


@given(st.integers(0, len(REAL) - 1), st.integers(0, 255))
def test_a_changed_byte_is_a_name_or_waited_for_or_refused(at: int, value: int) -> None:
    changed = REAL[:at] + bytes([value]) + REAL[at + 1 :]
    with contextlib.suppress(ValueError):
        assert isinstance(server_name(changed), str | None)


def test_a_hello_larger_than_any_client_sends_is_refused_from_its_length_on() -> None:
    large = bytes((22, 3, 1, 0x40, 0, 1)) + (MAX_HELLO_BYTES + 1).to_bytes(3, "big")
    with pytest.raises(ValueError, match="a hello of"):
        server_name(large)
    with pytest.raises(ValueError, match="no TLS"):
        server_name(b"GET / HTTP/1.1\r\n")
