"""Programs of others talk to our server, and our codec to servers of others."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from servers import ONNX_TYPES, Running, identity, linear, serving
from tritonclient.utils import InferenceServerException

import halocline as hc
from peers import mlserver_process

VALUES = {
    "FP16": np.array([[0.5, -2, 65504], [1e-7, 0, 1]], np.float16),
    "FP32": np.array([[0.1, -2e30, 3], [1e-45, 0, 1]], np.float32),
    "FP64": np.array([[0.1, -2e300, 3], [5e-324, 0, 1]], np.float64),
    "INT8": np.array([[-128, 0, 127]], np.int8),
    "INT64": np.array([[-(2**63), 0, 2**63 - 1]], np.int64),
    "UINT8": np.array([[0, 7, 255]], np.uint8),
    "BOOL": np.array([[True, False, True]], np.bool_),
    "BYTES": np.array([[b"", b"two", "drei \u20ac".encode()]], np.object_),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("models")
    with serving(linear(folder), *[identity(folder, datatype) for datatype in ONNX_TYPES]) as running:
        yield running


@pytest.fixture
def client(server: Running) -> Iterator[triton.InferenceServerClient]:
    client = triton.InferenceServerClient(f"127.0.0.1:{server.port}")
    yield client
    client.close()


def test_tritonclient_reads_health_and_metadata(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("linear")
    assert client.is_model_ready("linear", "1")
    assert not client.is_model_ready("linear", "2")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata("linear")
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}]
    assert metadata["outputs"][0]["shape"] == [-1, 4]
    assert metadata["outputs"][0]["parameters"] == {"score_kind": "probabilities"}


FORMS = [
    (datatype, ask_binary, answer_binary)
    for datatype in VALUES
    for ask_binary in (True, False)
    for answer_binary in (True, False)
    if datatype != "FP16" or (ask_binary and answer_binary)  # tritonclient has no FP16 in JSON
]


@pytest.mark.parametrize(("datatype", "ask_binary", "answer_binary"), FORMS)
def test_tritonclient_gets_back_each_datatype_in_both_forms(
    client: triton.InferenceServerClient, datatype: str, ask_binary: bool, answer_binary: bool
) -> None:
    value = VALUES[datatype]
    asked = triton.InferInput("x", value.shape, datatype)
    asked.set_data_from_numpy(value, binary_data=ask_binary)
    wanted = triton.InferRequestedOutput("y", binary_data=answer_binary)
    came = client.infer(datatype.lower(), [asked], outputs=[wanted], request_id="abc")
    assert came.get_response()["id"] == "abc"
    assert came.get_response()["model_version"] == "1"
    answer = came.as_numpy("y")
    if datatype == "BYTES" and not answer_binary:
        answer = np.array([element.encode() for element in answer.flat], object).reshape(answer.shape)
    assert answer.shape == value.shape
    assert answer.tolist() == value.tolist()


def test_tritonclient_gets_every_output_where_it_names_none(client: triton.InferenceServerClient) -> None:
    asked = triton.InferInput("x", [2, 3], "FP32")
    asked.set_data_from_numpy(np.ones((2, 3), np.float32))
    came = client.infer("linear", [asked])
    assert came.as_numpy("p").shape == (2, 4)
    np.testing.assert_allclose(came.as_numpy("p").sum(axis=1), 1.0, rtol=1e-6)


def test_tritonclient_reads_our_errors(client: triton.InferenceServerClient) -> None:
    asked = triton.InferInput("x", [2, 5], "FP32")
    asked.set_data_from_numpy(np.ones((2, 5), np.float32))
    with pytest.raises(InferenceServerException, match=r"HAL-301") as caught:
        client.infer("linear", [asked])
    assert caught.value.status() == "400"
    with pytest.raises(InferenceServerException, match="no model 'nothing' here"):
        client.get_model_metadata("nothing")


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_a_compressed_body_is_refused_in_words(client: triton.InferenceServerClient, algorithm: str) -> None:
    asked = triton.InferInput("x", [1, 3], "FP32")
    asked.set_data_from_numpy(np.ones((1, 3), np.float32))
    with pytest.raises(InferenceServerException, match="Content-Encoding"):
        client.infer("linear", [asked], request_compression_algorithm=algorithm)


def test_many_tritonclient_requests_at_once_each_get_their_own_answer(server: Running) -> None:
    pool = triton.InferenceServerClient(f"127.0.0.1:{server.port}", concurrency=8)
    values = np.arange(300, dtype=np.float32).reshape(100, 1, 3)

    def ask(value: np.ndarray[Any, Any]) -> Any:
        asked = triton.InferInput("x", value.shape, "FP32")
        asked.set_data_from_numpy(value)
        return pool.async_infer("fp32", [asked])

    answers = [request.get_result().as_numpy("y") for request in [ask(value) for value in values]]
    np.testing.assert_array_equal(np.array(answers), values)
    pool.close()


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("datatype", VALUES)
def test_our_codec_gets_back_each_datatype(server: Running, datatype: str, binary: bool) -> None:
    answer = server.infer(datatype.lower(), {"x": VALUES[datatype]}, binary=binary)
    assert (answer.id, answer.model_name, answer.model_version) == ("r-1", datatype.lower(), "1")
    assert answer.outputs["y"].tolist() == VALUES[datatype].tolist()


needs_mlserver = pytest.mark.skipif(not mlserver_process.is_installed(), reason="needs make bench-peers")


@pytest.fixture(scope="module")
def beside_mlserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str]]:
    """A local model, and the address of a real MLServer that serves the same file."""
    path = linear(tmp_path_factory.mktemp("models"))
    with mlserver_process.mlserver(path, "linear") as (port, _):
        yield hc.load(path), f"http://127.0.0.1:{port}/v2/models/linear"


@needs_mlserver
@pytest.mark.peers
@pytest.mark.parametrize("rows", [1, 7])
def test_mlserver_answers_us_as_the_local_model_does(beside_mlserver: Any, rows: int) -> None:
    local, url = beside_mlserver
    batch = np.random.default_rng(3).standard_normal((rows, 3)).astype(np.float32)
    with hc.connect(url) as cloud:
        cloud.wait_ready()
        answered = cloud.infer({"x": batch})
    np.testing.assert_allclose(answered.outputs["p"], local.run(local.conform_batch(batch))[0], atol=1e-6)
    assert str(answered.model) == "linear@1"


@needs_mlserver
@pytest.mark.peers
def test_mlserver_stands_behind_a_tiered_call(beside_mlserver: Any) -> None:
    local, url = beside_mlserver
    sample = np.array([0.3, -1.0, 0.2], np.float32)
    with (
        hc.connect(url, scores="probabilities", score_output="p") as cloud,
        hc.Tiered(local, cloud, threshold=1.0, deadline_s=5.0) as tiered,
    ):
        cloud.wait_ready()
        reply = tiered.infer(sample)
    assert (reply.tier, reply.reason) == ("cloud", "escalated")
    np.testing.assert_allclose(reply.scores, local.run(local.conform(sample))[0][0], atol=1e-6)


@needs_mlserver
@pytest.mark.peers
def test_what_mlserver_refuses_is_told(beside_mlserver: Any) -> None:
    _, url = beside_mlserver
    with hc.connect(url) as cloud, pytest.raises(hc.HaloclineError):
        cloud.infer({"x": np.ones((1, 5), np.float32)})
