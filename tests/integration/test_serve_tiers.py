"""Two tiers served as one model: what is answered, what is told when asked, and what a lost cloud does."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import trustme
from servers import Running, identity, serving, start
from test_serve import inside, value, wait_for
from tiered_parts import CLASSES, LABELS, SLACK_S, SURE, UNSURE, batch, row, softmax_proto, verdict_on

import halocline as hc
from halocline.testing.faults import Fault, FaultServer
from halocline.wire import oip

ROWS = ("tier", "reason", "confidence", "degraded", "label", "id")


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("edge") / "guard.onnx")


@pytest.fixture
def cloud() -> Iterator[FaultServer]:
    with FaultServer(features=CLASSES, classes=CLASSES, labels=LABELS, predict=verdict_on) as server:
        yield server


def saved(path: Path, labels: tuple[str, ...] = LABELS) -> Path:
    path.write_bytes(softmax_proto(labels).SerializeToString())
    return path


def tiers(edge: Path, cloud: object, **more: object) -> dict[str, object]:
    return {"edge": str(edge), "cloud": getattr(cloud, "url", str(cloud)), **more}


def ask(running: Running, x: np.ndarray, *outputs: str, binary: bool = True, model: str = "guard"):
    encoded = oip.encode_request({"x": x}, request_id="r-1", binary=binary, outputs=outputs or None)
    headers = {} if encoded.header_bytes is None else {oip.HEADER_LENGTH: str(encoded.header_bytes)}
    status, came, body = running.ask("POST", f"/v2/models/{model}/infer", b"".join(encoded.parts), headers)
    assert status == 200, body
    length = came.get(oip.HEADER_LENGTH.lower())
    return oip.decode_response(body, header_bytes=None if length is None else int(length)).outputs


def texts(array: np.ndarray) -> list[str]:
    return [each.decode() for each in array]


def test_unsure_rows_go_up_and_each_row_tells_its_tier_when_asked(edge: Path, cloud: FaultServer) -> None:
    with serving(tiers=tiers(edge, cloud, deadline_s=2.0)) as running:
        told = ask(running, batch(SURE, UNSURE, row(3, 0.9)), "probabilities", *ROWS)
    assert texts(told["tier"]) == ["edge", "cloud", "edge"]
    assert texts(told["reason"]) == ["confident", "escalated", "confident"]
    assert texts(told["label"]) == ["ant", "bee", "dog"]
    assert told["degraded"].tolist() == [False, False, False]
    assert told["degraded"].dtype == np.bool_
    assert told["confidence"].dtype == np.float64
    np.testing.assert_allclose(told["confidence"], [0.97, 0.94, 0.9], rtol=1e-5)
    np.testing.assert_allclose(told["probabilities"][1], [0.02, 0.94, 0.02, 0.02], rtol=1e-5)
    assert told["probabilities"].dtype == np.float32
    assert len({*texts(told["id"])}) == 3
    assert all(array.shape[0] == 3 for array in told.values())


def test_unasked_only_the_models_own_output_is_answered(edge: Path, cloud: FaultServer) -> None:
    with serving(tiers=tiers(edge, cloud)) as running:
        for binary in (True, False):
            assert list(ask(running, batch(SURE), binary=binary)) == ["probabilities"]
        status, _, body = running.ask(
            "POST",
            "/v2/models/guard/infer",
            b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":[1,0,0,0]}],'
            b'"outputs":[{"name":"tear"}]}',
        )
    assert status == 400
    assert b"no output 'tear'; it has probabilities, tier, reason" in body
    assert b"HAL-501" in body


def test_the_metadata_list_what_may_be_asked_for_and_a_client_of_ours_waits_for_none_of_it(
    edge: Path, cloud: FaultServer
) -> None:
    with serving(tiers=tiers(edge, cloud, name="both", deadline_s=2.0)) as running:
        metadata = json.loads(running.get("/v2/models/both")[1])
        with hc.connect(f"{running.url}/v2/models/both") as remote:
            spec = remote.wait_ready()
            answer = remote.infer({"x": batch(UNSURE)})
    listed = {each["name"]: (each["datatype"], each["shape"]) for each in metadata["outputs"]}
    assert listed == {
        "probabilities": ("FP32", [-1, CLASSES]),
        "tier": ("BYTES", [-1]),
        "reason": ("BYTES", [-1]),
        "confidence": ("FP64", [-1]),
        "degraded": ("BOOL", [-1]),
        "label": ("BYTES", [-1]),
        "id": ("BYTES", [-1]),
    }
    assert metadata["platform"] == "halocline_tiered"
    assert [each.name for each in spec.outputs] == ["probabilities"]
    assert (spec.labels, spec.score_kind) == (LABELS, hc.ScoreKind.PROBABILITIES)
    assert answer.outputs["probabilities"][0].argmax() == 1


def test_scores_are_probabilities_in_the_edges_order_whatever_the_clouds_is(
    edge: Path, tmp_path: Path
) -> None:
    order = ("dog", "cat", "bee", "ant")
    cloud = saved(tmp_path / "large.onnx", order)
    with serving(tiers=tiers(edge, cloud, threshold=0.99, deadline_s=5.0)) as running:
        told = ask(running, batch(row(0, 0.7), row(1, 0.6)), "probabilities", "tier", "label")
    assert texts(told["tier"]) == ["cloud", "cloud"]
    assert texts(told["label"]) == ["dog", "cat"]
    np.testing.assert_allclose(told["probabilities"][0], [0.1, 0.1, 0.1, 0.7], rtol=1e-5)


def test_a_cloud_with_other_labels_is_refused_at_the_start(edge: Path, tmp_path: Path) -> None:
    strange = saved(tmp_path / "strange.onnx", ("ant", "bee", "cat", "cow"))
    ended = start(tiers=tiers(edge, strange))
    assert ended.returncode == 2
    assert "HAL-204" in ended.stderr
    assert "'cow'" in ended.stderr
    with serving(strange) as other:  # behind a URL, too
        ended = start(tiers=tiers(edge, f"{other.url}/v2/models/strange"))
    assert (ended.returncode, "HAL-204" in ended.stderr) == (2, True)


def test_a_label_map_says_which_of_the_clouds_labels_is_which(edge: Path, tmp_path: Path) -> None:
    strange = saved(tmp_path / "strange.onnx", ("Ant", "cow", "cat", "bee"))
    named = tiers(edge, strange, label_map=["Ant=ant", "cow=dog"], threshold=0.99, deadline_s=5.0)
    with serving(tiers=named) as running:
        told = ask(running, batch(row(0, 0.7), row(1, 0.7)), "label")
    assert texts(told["label"]) == ["ant", "dog"]
    ended = start(tiers=tiers(edge, strange, label_map=["Ant"]))
    assert (ended.returncode, "--label-map must be CLOUD=EDGE" in ended.stderr) == (2, True)


def test_a_cloud_of_another_task_is_refused(edge: Path, tmp_path: Path) -> None:
    regressor = saved(tmp_path / "regressor.onnx", ())
    (tmp_path / "regressor.model.toml").write_text(
        '[regress]\nkind = "ensemble"\noutput = "probabilities"\nfull_width = 1.0\n'
    )
    ended = start(tiers=tiers(regressor, edge))
    assert ended.returncode == 2
    assert "HAL-332" in ended.stderr, ended.stderr


def test_a_cloud_that_is_down_is_no_reason_not_to_start_and_is_used_once_it_is_there(
    edge: Path, cloud: FaultServer
) -> None:
    cloud.mode = Fault.REFUSE
    with serving(tiers=tiers(edge, cloud, deadline_s=1.0)) as running:
        told = ask(running, batch(SURE, UNSURE), *ROWS)
        status, body = running.get("/v2/health/ready")
        assert texts(told["tier"]) == ["edge", "edge"]
        assert texts(told["reason"]) == ["confident", "refused"]
        assert told["degraded"].tolist() == [False, True]
        needs = json.loads(body)["needs"]
        assert (status, json.loads(body)["ready"]) == (200, True)
        assert needs["edge"] == {"needed": True, "model": "guard@1"}
        assert (needs["cloud"]["needed"], needs["cloud"]["model"]) == (False, None)
        assert needs["cloud"]["failure"].startswith("refused: ")
        assert "the edge answers alone" in running.log.read_text()
        cloud.mode = Fault.OK
        wait_for(lambda: texts(ask(running, batch(UNSURE), "tier")["tier"]) == ["cloud"])
        needs = json.loads(running.get("/v2/health/ready")[1])["needs"]
    assert needs["cloud"] == {"needed": False, "model": "cloud@1", "breaker": "closed", "failure": None}


def test_rows_that_are_sure_wait_for_the_others_until_the_deadline_at_most(
    edge: Path, cloud: FaultServer
) -> None:
    with serving(tiers=tiers(edge, cloud, deadline_s=0.3)) as running:
        ask(running, batch(UNSURE))
        cloud.mode = Fault.BLACK_HOLE
        began_s = time.monotonic()
        told = ask(running, batch(SURE, UNSURE), *ROWS)
        took_s = time.monotonic() - began_s
    assert texts(told["reason"]) == ["confident", "deadline"]
    assert 0.29 <= took_s <= 0.3 + SLACK_S


def test_many_requests_that_wait_for_the_cloud_hold_up_nobody(edge: Path, cloud: FaultServer) -> None:
    with serving(tiers=tiers(edge, cloud, deadline_s=1.0)) as running:
        ask(running, batch(UNSURE))
        cloud.mode = Fault.BLACK_HOLE
        took_s: list[float] = []

        def unsure() -> None:
            began_s = time.monotonic()
            ask(running, batch(UNSURE))
            took_s.append(time.monotonic() - began_s)

        threads = [threading.Thread(target=unsure) for _ in range(40)]
        for thread in threads:
            thread.start()
        wait_for(lambda: inside(running) >= 20)
        began_s = time.monotonic()
        assert texts(ask(running, batch(SURE), "reason")["reason"]) == ["confident"]
        sure_s = time.monotonic() - began_s
        for thread in threads:
            thread.join(10)
    assert sure_s < 0.5
    assert len(took_s) == 40
    assert max(took_s) < 1.0 + 2 * SLACK_S


def test_metrics_count_rows_by_tier_and_reason(edge: Path, cloud: FaultServer) -> None:
    with serving(tiers=tiers(edge, cloud, deadline_s=2.0)) as running:
        ask(running, batch(SURE, UNSURE, SURE))
        cloud.mode = Fault.STATUS_500
        ask(running, batch(UNSURE))
        page = running.get("/metrics")[1].decode()
    rows = "halocline_server_tier_rows_total"
    assert value(page, rows, model="guard", tier="edge", reason="confident") == 2
    assert value(page, rows, model="guard", tier="cloud", reason="escalated") == 1
    assert value(page, rows, model="guard", tier="edge", reason="refused") == 1
    assert value(page, "halocline_server_rows_total", model="guard") == 4
    assert value(page, "halocline_server_batch_rows_sum", model="guard") == 4


def test_draining_answers_what_waits_for_the_cloud(edge: Path, cloud: FaultServer) -> None:
    with serving(tiers=tiers(edge, cloud, deadline_s=1.0)) as running:
        ask(running, batch(UNSURE))
        cloud.mode = Fault.BLACK_HOLE
        told: list[list[str]] = []
        waiting = threading.Thread(
            target=lambda: told.append(texts(ask(running, batch(UNSURE), "reason")["reason"]))
        )
        waiting.start()
        wait_for(lambda: inside(running) == 1)
        running.process.send_signal(signal.SIGTERM)
        waiting.join(10)
        assert running.process.wait(10) == 0
    assert told == [["deadline"]]


def test_tiers_are_served_over_tls_within_the_limits(edge: Path, cloud: FaultServer, tmp_path: Path) -> None:
    ca = trustme.CA()
    issued = ca.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    options = {"cert": tmp_path / "cert.pem", "key": tmp_path / "key.pem", "max_rows": 2}
    with (
        serving(tiers=tiers(edge, cloud, deadline_s=2.0), **options) as running,
        hc.connect(f"{running.url}/v2/models/guard", ca=tmp_path / "ca.pem") as remote,
    ):
        remote.wait_ready()
        assert remote.infer({"x": batch(UNSURE)}).outputs["probabilities"][0].argmax() == 1
        with pytest.raises(hc.Rejected, match="3 rows, the limit is 2"):
            remote.infer({"x": batch(SURE, SURE, SURE)})


def test_a_policy_file_decides_where_one_is_given(edge: Path, cloud: FaultServer, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    x = np.random.default_rng(0).standard_normal((200, CLASSES)).astype(np.float32)
    with hc.connect(cloud.url) as remote:
        remote.wait_ready()
        hc.tune(hc.load(edge, threads=1), remote, x, escalate=0.5, cache=False).save(policy)
    with serving(tiers=tiers(edge, cloud, policy=str(policy), deadline_s=5.0)) as running:
        told = ask(running, x, "tier")
    assert 0.35 < np.mean([tier == "cloud" for tier in texts(told["tier"])]) < 0.65
    ended = start(tiers=tiers(edge, cloud, policy=str(policy), threshold=0.5))
    assert (ended.returncode, "HAL-102" in ended.stderr) == (2, True)


def test_an_edge_without_class_scores_is_refused(tmp_path: Path) -> None:
    ended = start(tiers=tiers(identity(tmp_path, "FP32"), saved(tmp_path / "cloud.onnx")))
    assert ended.returncode == 2
    assert "HAL-202" in ended.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--edge", "{edge}"), "--cloud is missing"),
        (("--threshold", "0.9", "{edge}"), "--edge and --cloud is missing"),
        (("--edge", "{edge}", "--cloud", "{edge}", "{edge}"), "is another"),
    ],
)
def test_half_named_tiers_are_wrong_use(edge: Path, words: tuple[str, ...], said: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "halocline", "serve", *(word.format(edge=edge) for word in words)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "HAL-510" in ended.stderr
