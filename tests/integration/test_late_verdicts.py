"""A program in any language reads what the cloud said too late, under the ids of its answers."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import Running, serving
from tiered_parts import CLASSES, LABELS, UNSURE, batch, softmax_proto, verdict_on

from halocline.testing.faults import Fault, FaultServer
from halocline.wire import oip

CORRECTIONS = "/v2/models/guard/corrections"


@pytest.fixture(scope="module")
def cloud() -> Iterator[FaultServer]:
    with FaultServer(features=CLASSES, classes=CLASSES, labels=LABELS, predict=verdict_on) as server:
        server.slow_s = 0.6
        yield server


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, cloud: FaultServer) -> Iterator[Running]:
    path = tmp_path_factory.mktemp("edge") / "guard.onnx"
    path.write_bytes(softmax_proto(LABELS).SerializeToString())
    with serving(tiers={"edge": str(path), "cloud": cloud.url, "deadline_s": 0.2}) as server:
        yield server


def late(running: Running, query: str) -> dict:
    status, body = running.get(f"{CORRECTIONS}?{query}")[:2]
    assert status == 200, body
    return json.loads(body)


def asked(running: Running) -> tuple[str, str]:
    """The id and the reason of an answer that the cloud was asked about in vain."""
    encoded = oip.encode_request(
        {"x": batch(UNSURE)}, request_id="", binary=False, outputs=("id", "reason", "label")
    )
    _, _, body = running.ask("POST", "/v2/models/guard/infer", b"".join(encoded.parts))
    told = {each["name"]: each["data"][0] for each in json.loads(body)["outputs"]}
    return told["id"], told["reason"]


def test_a_late_verdict_is_read_once_under_the_answers_id_as_soon_as_it_comes(
    running: Running, cloud: FaultServer
) -> None:
    before = late(running, "")["next"]
    cloud.mode = Fault.SLOW
    reply, reason = asked(running)
    assert reason == "deadline"
    began_s = time.monotonic()
    told = late(running, f"after={before}&wait_s=30")
    assert time.monotonic() - began_s < 10, "it is told when it comes, not when the wait is over"
    (verdict,) = told["corrections"]
    assert (verdict["id"], verdict["value"], verdict["changed"]) == (reply, "bee", True)
    assert (verdict["number"], told["next"], told["missed"]) == (before + 1, before + 1, 0)
    assert late(running, f"after={told['next']}") == {**told, "corrections": []}


@pytest.mark.parametrize(
    "query",
    [
        *("after=-1", "after=x", "after=1.5", "after=%D9%A3", "after=%00", f"after={'9' * 30}"),
        *("wait_s=61", "wait_s=nan", "wait_s=-1", "wait_s=", "afte=1"),
        "&".join(f"a{n}=1" for n in range(20)),
    ],
)
def test_a_wrong_question_is_refused_with_what_to_ask(running: Running, query: str) -> None:
    status, body = running.get(f"{CORRECTIONS}?{query}")[:2]
    assert status == 400
    assert "HAL-774" in body.decode()


def test_others_models_and_methods_are_refused(running: Running, cloud: FaultServer) -> None:
    assert running.get("/v2/models/nobody/corrections")[0] == 404
    assert running.ask("POST", CORRECTIONS, b"{}")[0] == 405
    assert running.get(f"{CORRECTIONS}/1")[0] == 404


def test_a_reader_who_waits_does_not_hold_up_a_server_that_stops(tmp_path: Path) -> None:
    path = tmp_path / "guard.onnx"
    path.write_bytes(softmax_proto(LABELS).SerializeToString())
    with serving(tiers={"edge": str(path), "cloud": str(path)}) as server:
        before = late(server, "")["next"]
        with contextlib.closing(server.connection()) as reader:
            reader.request("GET", f"{CORRECTIONS}?after={before}&wait_s=60")
            late(server, "")  # it came behind the reader's question, which is inside now
            began_s = time.monotonic()
            server.process.terminate()
            answer = reader.getresponse()
            assert (answer.status, json.loads(answer.read())["corrections"]) == (200, [])
        assert server.process.wait(20) == 0
    assert time.monotonic() - began_s < 4


def test_a_model_without_a_cloud_has_none(tmp_path: Path) -> None:
    path = tmp_path / "guard.onnx"
    path.write_bytes(softmax_proto(LABELS).SerializeToString())
    with serving(path) as server:
        status, body = server.get(CORRECTIONS)[:2]
    assert status == 404
    assert b"HAL-775" in body
