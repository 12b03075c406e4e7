"""What the codec of the Open Inference Protocol refuses, and what it puts on the wire."""

import contextlib
import json
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import halocline
from halocline.errors import Rejected
from halocline.inputs.description import ImageInput
from halocline.records import ModelRef, ModelSpec, TensorSpec
from halocline.wire import oip


def answer(tensor: str, binary: bytes = b"") -> tuple[bytes, int]:
    head = f'{{"model_name":"m","outputs":[{tensor}]}}'.encode()
    return head + binary, len(head)


@pytest.mark.parametrize(
    ("tensor", "binary", "says"),
    [
        (
            '{"name":"y","datatype":"FP32","shape":[1,3],"parameters":{"binary_data_size":8}}',
            b"\0" * 8,
            "12 bytes",
        ),
        (
            '{"name":"y","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}}',
            b"\0" * 7,
            "7 bytes are there",
        ),
        (
            '{"name":"y","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}}',
            b"\0" * 9,
            "1 bytes left over",
        ),
        (
            '{"name":"y","datatype":"FP31","shape":[1,2],"parameters":{"binary_data_size":8}}',
            b"\0" * 8,
            "FP31",
        ),
        ('{"name":"y","datatype":"FP32","shape":[-1,2],"data":[1,2]}', b"", ">= 0"),
        ('{"name":"y","datatype":"FP32","shape":[1,2],"data":[1,NaN]}', b"", "malformed"),
        ('{"name":"y","datatype":"FP32","shape":[1,2],"data":[1,null]}', b"", "null"),
        ('{"name":"y","datatype":"FP16","shape":[1,1],"data":[70000]}', b"", "too large"),
        ('{"name":"y","datatype":"INT8","shape":[1,1],"data":[128]}', b"", "128"),
        ('{"name":"y","datatype":"INT64","shape":[1,1],"data":[0.5]}', b"", "int"),
        ('{"name":"y","datatype":"BOOL","shape":[1,1],"data":["true"]}', b"", "bool"),
        (
            '{"name":"y","datatype":"BOOL","shape":[1,1],"parameters":{"binary_data_size":1}}',
            b"\2",
            "BOOL",
        ),
        (
            '{"name":"y","datatype":"FP32","shape":[2,2],"data":[[1,2],[3]]}',
            b"",
            "Expected `float`, got `array`",
        ),
        ('{"name":"y","datatype":"FP32","shape":[1,2]}', b"", "neither"),
        (
            '{"name":"y","datatype":"FP32","shape":[1,1],"data":[1],"parameters":{"binary_data_size":4}}',
            b"\0" * 4,
            "both",
        ),
        (
            '{"name":"y","datatype":"BYTES","shape":[1,1],"parameters":{"binary_data_size":5}}',
            b"\2\0\0\0a",
            "past the end",
        ),
        (
            '{"name":"y","datatype":"BYTES","shape":[1,1],"parameters":{"binary_data_size":6}}',
            b"\1\0\0\0ab",
            "left over",
        ),
        (
            ",".join(['{"name":"y","datatype":"FP32","shape":[1,1],"data":[1]}'] * 2),
            b"",
            "twice",
        ),
        ('{"name":"y","datatype":"FP32","shape":[2,1],"data":[1,2]}', b"", "expected 1 rows"),
    ],
)
def test_an_answer_that_does_not_add_up_is_rejected(tensor: str, binary: bytes, says: str) -> None:
    body, header_bytes = answer(tensor, binary)
    with pytest.raises(Rejected, match=says) as caught:
        oip.decode_response(body, header_bytes=header_bytes, rows=1)
    assert caught.value.code == "HAL-405"


@pytest.mark.parametrize(
    "tensor",
    [
        '{"name":"y","datatype":"FP32","shape":[2147483647,2147483647],"data":[1]}',
        '{"name":"y","datatype":"FP64","shape":[1,268435456],"parameters":{"binary_data_size":2147483648}}',
        '{"name":"y","datatype":"BYTES","shape":[1,2147483647],"parameters":{"binary_data_size":0}}',
        '{"name":"y","datatype":"FP32","shape":[0,2147483647],"parameters":{"binary_data_size":0}}',
    ],
)
def test_a_shape_alone_allocates_nothing(tensor: str) -> None:
    body, header_bytes = answer(tensor)
    tracemalloc.start()
    with contextlib.suppress(Rejected):
        oip.decode_response(body, header_bytes=header_bytes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_small_request_costs_little_more_than_its_tensor() -> None:
    feed = {"input": np.zeros((1, 3, 16, 16), np.float32)}
    encoded = oip.encode_request(feed, request_id="0198c0de-0000-7000-8000-000000000000", binary=True)
    assert encoded.total_bytes / 3_072 < 1.08
    assert encoded.header_bytes is not None
    assert encoded.total_bytes == encoded.header_bytes + 3_072


def test_a_large_tensor_is_not_copied() -> None:
    array = np.zeros((1, 100_000), np.float32)
    encoded = oip.encode_request({"x": array}, request_id="1", binary=True)
    array[0, 0] = 1.0
    assert isinstance(encoded.parts[1], memoryview)
    assert bytes(encoded.parts[1][:4]) == np.float32(1.0).tobytes()


def test_nan_travels_in_binary_and_is_refused_in_json() -> None:
    feed = {"x": np.array([[np.nan]], np.float32)}
    encoded = oip.encode_request(feed, request_id="1", binary=True)
    came = oip.decode_request(b"".join(encoded.parts), header_bytes=encoded.header_bytes)
    assert np.isnan(came.feed["x"]).all()
    with pytest.raises(Rejected, match="binary form"):
        oip.encode_request(feed, request_id="1", binary=False)
    with pytest.raises(Rejected, match="HAL-505"):
        oip.encode_response(ModelRef("m"), "1", [("y", feed["x"], False)])


def test_a_dtype_without_a_name_in_the_protocol_is_refused() -> None:
    with pytest.raises(Rejected, match="complex64"):
        oip.encode_request({"x": np.zeros((1, 1), np.complex64)}, request_id="1", binary=True)
    with pytest.raises(Rejected, match="int"):
        oip.encode_request({"x": np.array([[3]], object)}, request_id="1", binary=True)


def test_the_form_of_each_output_is_the_requests_word_or_its_own() -> None:
    body = (
        b'{"inputs":[],"parameters":{"binary_data_output":true},'
        b'"outputs":[{"name":"a"},{"name":"b","parameters":{"binary_data":false}}]}'
    )
    request = oip.decode_request(body, header_bytes=None)
    assert request.outputs == (oip.WantedOutput("a", True), oip.WantedOutput("b", False))


@pytest.mark.parametrize("parameters", ['{"classification":3}', '{"shared_memory_region":"r"}'])
def test_an_extension_that_is_not_offered_is_refused_not_ignored(parameters: str) -> None:
    body = f'{{"inputs":[],"outputs":[{{"name":"a","parameters":{parameters}}}]}}'.encode()
    with pytest.raises(Rejected, match="extensions are not offered"):
        oip.decode_request(body, header_bytes=None)


def test_another_servers_metadata_is_read() -> None:
    spec = oip.decode_model_metadata(
        b'{"name":"m","versions":["3"],"platform":"x","outputs":['
        b'{"name":"y","datatype":"FP32","shape":[-1,10],"parameters":{"content_type":"np","labels":7}}],'
        b'"inputs":[{"name":"x","datatype":"UINT8","shape":[-1,4]}],"parameters":{"content_type":null}}'
    )
    assert spec == ModelSpec(
        ModelRef("m", "3"), (TensorSpec("x", "uint8", (-1, 4)),), (TensorSpec("y", "float32", (-1, 10)),)
    )
    assert oip.decode_model_metadata(b'{"name":"m"}') == ModelSpec(ModelRef("m"), (), ())


def test_a_described_input_is_told_and_read_back() -> None:
    told = ImageInput(width=8, height=4, mean=(0.5,), colour="bgr")
    spec = ModelSpec(ModelRef("m", "1"), (TensorSpec("x", "float32", (-1, 3, 4, 8)),), (), input=told)
    body = oip.encode_model_metadata(spec)
    assert isinstance(
        json.loads(body)["parameters"]["halocline_input"], str
    )  # objects are not in the protocol
    assert oip.decode_model_metadata(body).input == told
    assert oip.decode_model_metadata(body, input_stated=True).input is None


@pytest.mark.parametrize("told", ['"{\\"kind\\":\\"smell\\"}"', '"no JSON"', '""'])
def test_a_description_that_is_not_understood_is_an_error_unless_the_caller_knows_better(told: str) -> None:
    body = f'{{"name":"m","parameters":{{"halocline_input":{told}}}}}'.encode()
    with pytest.raises(Rejected, match=r"connect\(…, input=…\).*HAL-405"):
        oip.decode_model_metadata(body)
    assert oip.decode_model_metadata(body, input_stated=True).input is None
    others = b'{"name":"m","parameters":{"halocline_input":{"kind":"theirs"}}}'
    assert oip.decode_model_metadata(others).input is None


def test_outputs_that_have_to_be_asked_for_are_no_part_of_what_an_answer_holds() -> None:
    spec = ModelSpec(ModelRef("m", "1"), (), (TensorSpec("p", "float32", (-1, 3)),))
    body = oip.encode_model_metadata(spec, on_request=[TensorSpec("tier", "object", (-1,))])
    assert [each["name"] for each in json.loads(body)["outputs"]] == ["p", "tier"]
    assert oip.decode_model_metadata(body) == spec


def test_a_server_tells_whether_it_takes_binary() -> None:
    ours = oip.ServerInfo("halocline", "1", (oip.BINARY_EXTENSION,))
    assert oip.decode_server_metadata(oip.encode_server_metadata(ours)) == ours
    assert ours.has_binary
    assert not oip.decode_server_metadata(b'{"name":"mlserver","version":"1","extensions":[]}').has_binary


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"error":"no such model"}', "no such model"),
        (b"<html>\n<b>Bad gateway</b>", "<html> <b>Bad gateway</b>"),
        (b'{"detail":"x"}', '{"detail":"x"}'),
        (b"\xff\x00\x1b[31m", "� [31m"),
        (b"", ""),
        (b"a" * 10_000, "a" * 500),
    ],
)
def test_an_errors_text_is_read_from_any_form_in_one_line(body: bytes, text: str) -> None:
    assert oip.decode_error(body) == text


@pytest.mark.parametrize("rows", [1, 32])
@pytest.mark.parametrize("dtype", ["float64", "float16", "int64", "uint8", "bool"])
def test_the_limit_on_an_answer_lets_every_honest_answer_through(rows: int, dtype: str) -> None:
    spec = ModelSpec(ModelRef("m", "1"), (), (TensorSpec("y", dtype, (-1, 1_000)),))
    worst = {"float64": -np.finfo("f8").tiny, "int64": np.iinfo("i8").min}.get(dtype, 1)
    array = np.full((rows, 1_000), worst, dtype)
    for binary in (True, False):
        encoded = oip.encode_response(spec.ref, "x" * 100, [("y", array, binary)])
        assert encoded.total_bytes <= oip.max_response_bytes(spec, rows)
    assert oip.max_response_bytes(spec, rows) < 200_000 + rows * 40_000


def test_one_codec_knows_the_protocols_bytes() -> None:
    package = Path(halocline.__file__).parent
    words = re.compile(r"binary_data|Inference-Header-Content-Length|binary_tensor_data|model_version\"")
    knowing = {
        path.relative_to(package).parts[0] for path in package.rglob("*.py") if words.search(path.read_text())
    }
    assert knowing == {"wire"}
