"""Whatever goes through the codec comes back the same, and no bytes raise anything but Rejected."""

from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from halocline.errors import Rejected
from halocline.records import ModelRef, ModelSpec, ScoreKind, Task, TensorSpec
from halocline.wire import oip

DTYPES = ["?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"]
SHAPES = npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


def numbers(*, finite: bool) -> st.SearchStrategy[np.ndarray]:
    def arrays(dtype: np.dtype) -> st.SearchStrategy[np.ndarray]:
        limits = {"allow_nan": False, "allow_infinity": False} if finite else {}
        return npst.arrays(dtype, SHAPES, elements=npst.from_dtype(dtype, **limits))

    return st.sampled_from([np.dtype(code).newbyteorder(order) for code in DTYPES for order in "<>"]).flatmap(
        arrays
    )


def texts(elements: st.SearchStrategy[object]) -> st.SearchStrategy[np.ndarray]:
    return npst.arrays(np.dtype("O"), SHAPES, elements=elements)


@st.composite
def strided(draw: st.DrawFn, arrays: st.SearchStrategy[np.ndarray]) -> np.ndarray:
    """The array, or another view of it that is not contiguous."""
    array = draw(arrays)
    match draw(st.integers(0, 2)):
        case 0:
            return array
        case 1:
            return array.T
        case _:
            return array[::-2] if array.ndim else array


def feeds(arrays: st.SearchStrategy[np.ndarray]) -> st.SearchStrategy[dict[str, np.ndarray]]:
    return st.dictionaries(st.text(max_size=8), strided(arrays), max_size=3)


def assert_same(came: np.ndarray, sent: np.ndarray) -> None:
    expected = sent
    if sent.dtype.kind == "O":
        expected = np.empty(sent.shape, dtype=object)
        for at in np.ndindex(sent.shape):
            expected[at] = sent[at] if isinstance(sent[at], bytes) else sent[at].encode()
    assert came.shape == expected.shape
    assert came.dtype == expected.dtype.newbyteorder("<")
    assert came.flags.aligned
    if expected.dtype.kind == "O":
        assert came.tolist() == expected.tolist()
    else:
        assert came.tobytes() == expected.astype(came.dtype).tobytes()


def whole(encoded: oip.Encoded) -> bytes:
    body = b"".join(encoded.parts)
    assert len(body) == encoded.total_bytes
    return body


ANY_ARRAY = numbers(finite=False) | texts(st.binary(max_size=5)) | texts(st.text(max_size=5))
JSON_ARRAY = numbers(finite=True) | texts(st.text(max_size=5))


@given(feed=feeds(ANY_ARRAY), request_id=st.text(max_size=8))
def test_a_binary_request_comes_back_the_same(feed: dict[str, np.ndarray], request_id: str) -> None:
    encoded = oip.encode_request(feed, request_id=request_id, binary=True)
    request = oip.decode_request(whole(encoded), header_bytes=encoded.header_bytes)
    assert request.id == request_id
    assert request.binary_output
    assert request.outputs is None
    assert list(request.feed) == list(feed)
    for name, array in feed.items():
        assert_same(request.feed[name], array)


@given(feed=feeds(JSON_ARRAY), outputs=st.lists(st.text(max_size=5), min_size=1, max_size=3))
def test_a_json_request_comes_back_the_same(feed: dict[str, np.ndarray], outputs: list[str]) -> None:
    encoded = oip.encode_request(feed, request_id="r", binary=False, outputs=outputs)
    assert encoded.header_bytes is None
    request = oip.decode_request(whole(encoded), header_bytes=None)
    assert request.outputs == tuple(oip.WantedOutput(name, False) for name in outputs)
    for name, array in feed.items():
        assert_same(request.feed[name], array)


@given(feed=feeds(JSON_ARRAY), binary=st.lists(st.booleans(), min_size=3, max_size=3))
def test_an_answer_comes_back_the_same_with_any_mix_of_binary_and_json(
    feed: dict[str, np.ndarray], binary: list[bool]
) -> None:
    outputs = [(name, array, form) for (name, array), form in zip(feed.items(), binary, strict=False)]
    encoded = oip.encode_response(ModelRef("m", "2"), "id-1", outputs)
    answer = oip.decode_response(memoryview(whole(encoded)), header_bytes=encoded.header_bytes)
    assert (answer.id, answer.model_name, answer.model_version) == ("id-1", "m", "2")
    for name, array in feed.items():
        assert_same(answer.outputs[name], array)


@given(array=numbers(finite=True).filter(lambda array: array.ndim > 1))
def test_json_data_may_be_nested_as_the_shape_says(array: np.ndarray) -> None:
    tensor = {"name": "x", "datatype": "FP64", "shape": array.shape, "data": array.astype("f8").tolist()}
    request = oip.decode_request(msgspec.json.encode({"inputs": [tensor]}), header_bytes=None)
    assert_same(request.feed["x"], array.astype("f8"))


def specs() -> st.SearchStrategy[ModelSpec]:
    tensors = st.builds(
        TensorSpec,
        st.text(max_size=5),
        st.sampled_from(["bool", "uint8", "int64", "float16", "float32", "object"]),
        st.lists(st.integers(-1, 2**31 - 1), max_size=4).map(tuple),
    )

    def spec(
        inputs: list[TensorSpec],
        outputs: list[TensorSpec],
        labels: list[str] | None,
        kind: ScoreKind | None,
        scored: bool,
        version: str,
        task: Task,
    ) -> ModelSpec:
        return ModelSpec(
            ModelRef("m", version),
            tuple(inputs),
            tuple(outputs),
            labels=None if labels is None else tuple(labels),
            score_output=outputs[-1].name if scored else None,
            score_kind=kind if scored else None,
            task=task,
        )

    return st.builds(
        spec,
        st.lists(tensors, max_size=3),
        st.lists(tensors, min_size=1, max_size=3, unique_by=lambda tensor: tensor.name),
        st.none() | st.lists(st.text(max_size=5), min_size=1, max_size=4),
        st.none() | st.sampled_from(ScoreKind),
        st.booleans(),
        st.sampled_from(["", "1", "1.10"]),
        st.sampled_from(Task),
    )


@given(spec=specs())
def test_what_a_model_says_of_itself_comes_back_the_same(spec: ModelSpec) -> None:
    assert oip.decode_model_metadata(oip.encode_model_metadata(spec)) == spec


VALID_HEAD = (
    b'{"id":"1","model_name":"m","parameters":{"binary_data_output":true},'
    b'"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}},'
    b'{"name":"s","datatype":"BYTES","shape":[1,1],"parameters":{"binary_data_size":7}}],'
    b'"outputs":[{"name":"y","datatype":"INT64","shape":[1,2],"data":[1,2]}]}'
)
VALID_BODY = VALID_HEAD + np.zeros(2, "f4").tobytes() + b"\x03\x00\x00\x00abc"
SPITE = [b"NaN", b"-1", b"1e999", b"999999999999", b"null", b"[", b"{", b"\xff", b'"', b"FP16", b"[[[[", b"0"]


@st.composite
def damaged(draw: st.DrawFn) -> tuple[bytes, int | None]:
    body = bytearray(VALID_BODY)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(body)))
        upto = draw(st.integers(at, min(len(body), at + 8)))
        body[at:upto] = draw(st.sampled_from(SPITE) | st.binary(max_size=4))
    header = draw(st.none() | st.integers(-2, len(body) + 2) | st.just(len(VALID_HEAD)))
    return bytes(body), header


READERS = {
    "HAL-501": [oip.decode_request],
    "HAL-405": [
        oip.decode_response,
        lambda body, **_: oip.decode_model_metadata(body),
        lambda body, **_: oip.decode_server_metadata(body),
    ],
}


def assert_only_rejects(body: bytes, header_bytes: int | None) -> None:
    for code, readers in READERS.items():
        for read in readers:
            rejected = rejection(read, body, header_bytes) or Rejected(code, "it was read")
            assert rejected.code == code
            assert "\n" not in rejected.message
    assert len(oip.decode_error(body)) <= 500


def rejection(read: Callable[..., object], body: bytes, header_bytes: int | None) -> Rejected | None:
    try:
        read(body, header_bytes=header_bytes)
    except Rejected as error:
        return error
    return None


@settings(max_examples=500)
@given(body=st.binary(max_size=200), header_bytes=st.none() | st.integers(-1, 201))
def test_random_bytes_are_rejected_and_raise_nothing_else(body: bytes, header_bytes: int | None) -> None:
    assert_only_rejects(body, header_bytes)


@settings(max_examples=1000)
@given(case=damaged())
def test_damaged_messages_are_rejected_and_raise_nothing_else(case: tuple[bytes, int | None]) -> None:
    assert_only_rejects(*case)


@pytest.mark.parametrize("nest", [b"[", b'{"a":', b'{"inputs":[{"data":', b'{"outputs":[{"shape":['])
def test_deep_nesting_is_rejected(nest: bytes) -> None:
    assert_only_rejects(nest * 100_000, None)
