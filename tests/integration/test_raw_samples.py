"""Raw samples go in, each tier makes its own tensor, and what travels is the smaller of tensor and file."""

import io
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from PIL import Image
from servers import Running, linear, serving
from test_serve import value
from tiered_parts import eventually
from two_sizes import CLOUD_LABELS, EDGE_LABELS, THRESHOLD, Pair, cloud_tensor, edge_tensor, made

import halocline as hc
from halocline.inputs.description import ImageInput
from halocline.wire import oip

CLOUD_INPUT = ImageInput(
    width=24,
    height=24,
    colour="bgr",
    layout="hwc",
    scale=1.0,
    mean=(100.0, 110.0, 120.0),
    std=(60.0, 65.0, 70.0),
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return made(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def edge(pair: Pair) -> object:
    return hc.load(pair.edge, threads=1)


@pytest.fixture(scope="module")
def server(pair: Pair) -> Iterator[Running]:
    with serving(pair.cloud) as running:
        yield running


@pytest.fixture(scope="module")
def both(pair: Pair, server: Running) -> Iterator[Running]:
    tiers = {
        "edge": str(pair.edge),
        "cloud": f"{server.url}/v2/models/cloud",
        "threshold": THRESHOLD,
        "deadline_s": 20.0,
    }
    with serving(tiers=tiers) as running:
        yield running


def connected(server: Running, **more: object) -> object:
    remote = hc.connect(f"{server.url}/v2/models/cloud", **more)
    remote.wait_ready()
    return remote


def tiered(edge: object, cloud: object, **more: object) -> hc.Tiered:
    return hc.Tiered(edge, cloud, threshold=THRESHOLD, deadline_s=20.0, **more)


def told(replies: list[hc.Reply]) -> list[tuple[str, str]]:
    return [(reply.tier.value, reply.label) for reply in replies]


def body_bytes(server: Running, model: str = "cloud") -> float:
    page = server.get("/metrics")[1].decode()
    return value(page, "halocline_server_request_body_bytes_total", model=model)


def as_bytes(samples: list[bytes]) -> dict[str, np.ndarray]:
    array = np.empty(len(samples), dtype=object)
    array[:] = samples
    return {"x": array}


# As a library


def test_two_tiers_in_one_process_say_what_hand_written_preprocessing_says(edge: object, pair: Pair) -> None:
    with tiered(edge, hc.load(pair.cloud, threads=1)) as both:
        assert told([both.infer(each) for each in pair.pictures]) == pair.by_hand
        assert told(both.infer_batch(pair.pictures)) == pair.by_hand
    assert {tier for tier, _ in pair.by_hand} == {"edge", "cloud"}


def test_pictures_that_are_decoded_already_and_files_are_answered_alike(
    edge: object, pair: Pair, tmp_path: Path
) -> None:
    arrays, files = [], []
    for at, jpeg in enumerate(pair.pictures):
        with Image.open(io.BytesIO(jpeg)) as image:
            arrays.append(np.asarray(image))
        files.append(tmp_path / f"{at}.jpg")
        files[-1].write_bytes(jpeg)
    with tiered(edge, hc.load(pair.cloud, threads=1)) as both:
        assert told(both.infer_batch(arrays)) == pair.by_hand
        assert told(both.infer_batch(np.stack(arrays))) == pair.by_hand
        assert told(both.infer_batch(files)) == pair.by_hand
        assert told([both.infer(each) for each in (arrays[0], str(files[0]))]) == [pair.by_hand[0]] * 2


@pytest.mark.parametrize("send", ["auto", "tensor", "raw"])
def test_whatever_travels_the_answers_are_the_same(
    edge: object, pair: Pair, server: Running, send: str
) -> None:
    with tiered(edge, connected(server), send=send) as both:
        assert told(both.infer_batch(pair.pictures)) == pair.by_hand
        assert told([both.infer(each) for each in pair.pictures[:8]]) == pair.by_hand[:8]


def unsure(pair: Pair) -> list[bytes]:
    return [jpeg for jpeg, (tier, _) in zip(pair.pictures, pair.by_hand, strict=True) if tier == "cloud"]


@pytest.mark.parametrize(
    ("send", "is_file"), [("auto", True), ("raw", True), ("tensor", False)], ids=["auto", "raw", "tensor"]
)
def test_what_travels_is_the_smaller_unless_it_is_said(
    edge: object, pair: Pair, server: Running, send: str, is_file: bool
) -> None:
    going = unsure(pair)[:4]
    before = body_bytes(server)
    with tiered(edge, connected(server), send=send) as both:
        both.infer_batch(going)
    travelled = body_bytes(server) - before
    files, tensors = sum(map(len, going)), len(going) * 24 * 24 * 3 * 4
    assert files < tensors
    expected = files if is_file else tensors
    assert expected < travelled < expected + 400


def test_a_large_file_does_not_travel_where_the_tensor_is_smaller(
    edge: object, pair: Pair, server: Running
) -> None:
    with Image.open(io.BytesIO(unsure(pair)[0])) as image:
        noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
        large = Image.blend(image.convert("RGB").resize((400, 400)), Image.fromarray(noise), 0.3)
    out = io.BytesIO()
    large.save(out, "PNG")
    before = body_bytes(server)
    with tiered(edge, connected(server), mode="prefer_cloud") as both:
        assert both.infer(out.getvalue()).tier is hc.Tier.CLOUD
    assert len(out.getvalue()) > 100_000
    assert body_bytes(server) - before < 24 * 24 * 3 * 4 + 400


def test_decoded_pictures_travel_as_tensors(edge: object, pair: Pair, server: Running) -> None:
    with Image.open(io.BytesIO(unsure(pair)[0])) as image:
        pixels = np.asarray(image)
    before = body_bytes(server)
    with tiered(edge, connected(server), send="raw") as both:
        assert both.infer(pixels).tier is hc.Tier.CLOUD
    assert body_bytes(server) - before > 24 * 24 * 3 * 4


def test_the_first_row_goes_up_rightly_before_the_server_has_told_what_it_takes(
    edge: object, pair: Pair, server: Running
) -> None:
    jpeg, right = next(
        each for each in zip(pair.pictures, pair.by_hand, strict=True) if each[1][0] == "cloud"
    )
    for send in ("raw", "tensor"):
        with tiered(edge, hc.connect(f"{server.url}/v2/models/cloud"), send=send) as both:
            assert told([both.infer(jpeg)]) == [right]


def test_a_server_that_tells_nothing_gets_tensors_by_the_description_that_is_stated(
    edge: object, pair: Pair, tmp_path: Path
) -> None:
    bare = shutil.copy(pair.cloud, tmp_path / "cloud.onnx")
    with serving(bare) as running:
        remote = connected(running, input=CLOUD_INPUT, labels=CLOUD_LABELS)
        with tiered(edge, remote, send="raw") as both:
            assert told(both.infer_batch(pair.pictures)) == pair.by_hand
        assert remote.takes_raw is False


def test_an_input_that_is_none_is_refused() -> None:
    with pytest.raises(hc.Misconfigured, match="HAL-102"):
        hc.connect("http://127.0.0.1:1/v2/models/m", input="image")


def test_to_cloud_beside_two_descriptions_is_a_contradiction(
    edge: object, pair: Pair, server: Running
) -> None:
    with pytest.raises(hc.Misconfigured, match="HAL-102"):
        hc.Tiered(edge, hc.load(pair.cloud, threads=1), to_cloud=lambda x: x)
    with pytest.raises(hc.Misconfigured, match="HAL-102"):
        hc.Tiered(edge, connected(server), to_cloud=lambda x: x)


def test_rows_that_may_not_go_up_cost_no_preparation(
    edge: object, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = hc.load(pair.cloud, threads=1)
    prepared: list[int] = []
    own = cloud.conform_batch
    monkeypatch.setattr(cloud, "conform_batch", lambda batch: prepared.append(len(batch)) or own(batch))
    budget = hc.EscalationBudget(per_minute=0, burst=3)
    with tiered(edge, cloud, budget=budget) as both:
        replies = both.infer_batch(unsure(pair)[:8])
        replies.extend(both.infer(jpeg) for jpeg in unsure(pair)[:4])
    assert [reply.tier.value for reply in replies].count("cloud") == 3
    assert {reply.reason for reply in replies} == {hc.Reason.ESCALATED, hc.Reason.BUDGET}
    assert prepared == [3, 1]  # the tensors of three rows, made here; then, named, checked where they run


def test_a_picture_that_only_the_cloud_refuses_is_answered_at_the_edge(
    edge: object, pair: Pair, tmp_path: Path
) -> None:
    choosy = shutil.copy(pair.cloud, tmp_path / "choosy.onnx")
    table = pair.cloud.with_suffix(".model.toml").read_text() + "max_pixels = 100\n"
    (tmp_path / "choosy.model.toml").write_text(table)
    with tiered(edge, hc.load(choosy, threads=1)) as both:
        reply = both.infer(unsure(pair)[0])
    assert (reply.tier, reply.reason, reply.degraded) == (hc.Tier.EDGE, hc.Reason.NOT_SENT, True)


def test_files_by_name_are_raw_and_a_ready_tensor_of_the_edge_is_never_the_clouds(
    edge: object, pair: Pair
) -> None:
    with tiered(edge, hc.load(pair.cloud, threads=1)) as both:
        assert told(both.infer_batch(as_bytes(pair.pictures))) == pair.by_hand
        assert told([both.infer({"x": pair.pictures[0]})]) == pair.by_hand[:1]
        assert told(both.infer_batch(iter(pair.pictures))) == pair.by_hand
        reply = both.infer({"x": edge_tensor(unsure(pair)[0])})
    assert (reply.tier, reply.reason) == (hc.Tier.EDGE, hc.Reason.NOT_SENT)
    with tiered(edge, hc.load(pair.edge, threads=1), mode="prefer_cloud") as twins:
        assert twins.infer({"x": edge_tensor(unsure(pair)[0])}).tier is hc.Tier.CLOUD


def test_spot_checks_and_late_verdicts_see_the_raw_sample_too(edge: object, pair: Pair) -> None:
    sure = [each for each in zip(pair.pictures, pair.by_hand, strict=True) if each[1][0] == "edge"][:6]
    cloud = hc.load(pair.cloud, threads=1)
    with tiered(edge, cloud, mode="cloud_only") as alone:
        right = [alone.infer(jpeg).label for jpeg, _ in sure]
    for ask in ({"spot_check": hc.SpotCheck(share=1.0)}, {"mode": "prefer_cloud", "want_async": True}):
        came: list[hc.Correction] = []
        with tiered(edge, cloud, on_correction=came.append, **ask) as both:
            ids = [both.infer(jpeg).id for jpeg, _ in sure]
            ids.extend(reply.id for reply in both.infer_batch([jpeg for jpeg, _ in sure]))
            eventually(lambda came=came: len(came) == 12)
        verdicts = {each.id: each.prediction.label for each in came}
        assert [verdicts[each] for each in ids] == right * 2


def test_a_row_that_the_cloud_cannot_take_stays_and_the_others_go_up(edge: object, pair: Pair) -> None:
    wide = np.zeros((60, 60, 3), np.uint8)  # more than this cloud takes, and the edge does
    told = msgspec.structs.replace(CLOUD_INPUT, max_pixels=3_000)
    cloud = hc.load(pair.cloud, description=hc.Description(input=told, labels=tuple(CLOUD_LABELS)))
    small = [np.asarray(Image.open(io.BytesIO(jpeg)).resize((30, 30))) for jpeg in pair.pictures[:2]]
    files = []
    for pixels in (small[0], wide, small[1]):
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "PNG")
        files.append(out.getvalue())
    with hc.Tiered(edge, cloud, threshold=1.0, deadline_s=20.0) as both:
        replies = both.infer_batch(files)
        assert [each.reason for each in replies] == ["escalated", "not_sent", "escalated"]
        alone = [both.infer(each) for each in files]
        assert [each.label for each in replies] == [each.label for each in alone]
    with (
        hc.Tiered(edge, cloud, mode="cloud_only", deadline_s=20.0) as only,
        pytest.raises(hc.Transient, match="not_sent"),
    ):
        only.infer_batch(files)


# Through a server


def answers(server: Running, model: str, feed: dict[str, np.ndarray], *outputs: str) -> dict[str, np.ndarray]:
    encoded = oip.encode_request(feed, request_id="r-1", binary=True, outputs=outputs or None)
    headers = {} if encoded.header_bytes is None else {oip.HEADER_LENGTH: str(encoded.header_bytes)}
    status, came, body = server.ask("POST", f"/v2/models/{model}/infer", b"".join(encoded.parts), headers)
    assert status == 200, body
    length = came.get(oip.HEADER_LENGTH.lower())
    return oip.decode_response(body, header_bytes=None if length is None else int(length)).outputs


def post(server: Running, model: str, body: bytes, kind: str, **headers: str) -> tuple[int, dict]:
    path = model if "?" in model else f"{model}/infer"
    status, _, answer = server.ask("POST", f"/v2/models/{path}", body, {"Content-Type": kind, **headers})
    return status, json.loads(answer)


def test_the_metadata_tell_the_description(server: Running, both: Running) -> None:
    for running, model in ((server, "cloud"), (both, "edge")):
        parameters = json.loads(running.get(f"/v2/models/{model}")[1])["parameters"]
        assert json.loads(parameters["halocline_input"])["kind"] == "image"
    with connected(server) as remote:
        assert remote.spec.input == CLOUD_INPUT
        assert remote.takes_raw


def test_tensors_and_files_give_the_same_scores(server: Running, pair: Pair) -> None:
    some = pair.pictures[:5]
    by_tensor = answers(server, "cloud", {"x": np.stack([cloud_tensor(each) for each in some])})["p"]
    by_file = answers(server, "cloud", as_bytes(some))["p"]
    np.testing.assert_allclose(by_file, by_tensor, atol=1e-6)
    one = answers(server, "cloud", {"x": cloud_tensor(some[0])[None]})["p"]
    np.testing.assert_allclose(one[0], by_tensor[0], atol=1e-6)


@pytest.mark.parametrize("kind", ["image/jpeg", "image/jpeg; charset=binary", "IMAGE/PNG", "image/jpg"])
def test_a_plain_picture_is_one_row_and_its_id_comes_back(server: Running, pair: Pair, kind: str) -> None:
    status, answer = post(server, "cloud", pair.pictures[0], kind, **{"X-Request-Id": "photo-1"})
    assert status == 200, answer
    assert (answer["id"], answer["model_name"]) == ("photo-1", "cloud")
    (scores,) = answer["outputs"]
    assert (scores["name"], scores["shape"]) == ("p", [1, 10])
    expected = answers(server, "cloud", as_bytes(pair.pictures[:1]))["p"][0]
    np.testing.assert_allclose(scores["data"], expected, atol=1e-6)


def test_two_tiers_behind_a_server_say_what_hand_written_preprocessing_says(
    both: Running, pair: Pair
) -> None:
    named = answers(both, "edge", as_bytes(pair.pictures), "tier", "label")
    assert [
        (tier.decode(), label.decode()) for tier, label in zip(named["tier"], named["label"], strict=True)
    ] == pair.by_hand
    for jpeg, (_, label) in zip(pair.pictures, pair.by_hand, strict=True):
        status, answer = post(both, "edge", jpeg, "image/jpeg")
        assert status == 200, answer
        (scores,) = answer["outputs"]
        assert EDGE_LABELS[int(np.argmax(scores["data"]))] == label


@pytest.mark.parametrize(
    "query",
    [
        "label,tier,reason",
        "label&outputs=tier,reason",
        "label%2Ctier,%20reason,tier",
        "label,tier,reason&a=b",
    ],
)
def test_a_plain_picture_is_answered_with_the_outputs_that_the_query_names(
    both: Running, pair: Pair, query: str
) -> None:
    status, answer = post(both, f"edge/infer?outputs={query}", pair.pictures[0], "image/jpeg")
    assert status == 200, answer
    assert [each["name"] for each in answer["outputs"]] == ["label", "tier", "reason"]
    (label, tier, _) = (each["data"][0] for each in answer["outputs"])
    assert (tier, label) == pair.by_hand[0]


def test_outputs_that_a_query_names_and_the_model_has_not_are_refused_with_those_that_it_has(
    both: Running, pair: Pair
) -> None:
    for query, missing in (("label,tear", "'tear'"), ("", "''"), ("label,", "''")):
        status, answer = post(both, f"edge/infer?outputs={query}", pair.pictures[0], "image/jpeg")
        assert status == 400
        assert f"edge@1 has no output {missing}; it has p, tier, reason" in answer["error"]
        assert "HAL-501" in answer["error"]


def test_a_request_that_names_its_outputs_goes_before_the_query(both: Running, pair: Pair) -> None:
    encoded = oip.encode_request(as_bytes(pair.pictures[:1]), request_id="r", binary=True)
    headers = {oip.HEADER_LENGTH: str(encoded.header_bytes)}
    body = b"".join(encoded.parts)
    status, came, answer = both.ask("POST", "/v2/models/edge/infer?outputs=tier", body, headers)
    assert status == 200, answer
    length = int(came[oip.HEADER_LENGTH.lower()])
    assert list(oip.decode_response(answer, header_bytes=length).outputs) == ["tier"]
    encoded = oip.encode_request(as_bytes(pair.pictures[:1]), request_id="r", binary=True, outputs=["label"])
    headers = {oip.HEADER_LENGTH: str(encoded.header_bytes)}
    body = b"".join(encoded.parts)
    status, came, answer = both.ask("POST", "/v2/models/edge/infer?outputs=tier", body, headers)
    length = int(came[oip.HEADER_LENGTH.lower()])
    assert list(oip.decode_response(answer, header_bytes=length).outputs) == ["label"]


def test_a_ready_tensor_of_the_edge_is_answered_by_a_tiered_server(both: Running, pair: Pair) -> None:
    sure = [each for each in zip(pair.pictures, pair.by_hand, strict=True) if each[1][0] == "edge"]
    feed = {"x": np.stack([edge_tensor(jpeg) for jpeg, _ in sure])}
    named = answers(both, "edge", feed, "tier", "label")
    assert [label.decode() for label in named["label"]] == [label for _, (_, label) in sure]
    assert {tier.decode() for tier in named["tier"]} == {"edge"}
    named = answers(both, "edge", {"x": edge_tensor(unsure(pair)[0])[None]}, "tier", "reason")
    assert (named["tier"][0], named["reason"][0]) == (b"edge", b"not_sent")  # it is no tensor of the cloud's


def test_a_plain_picture_asks_for_outputs_in_its_query(both: Running, pair: Pair) -> None:
    for jpeg, (tier, label) in list(zip(pair.pictures, pair.by_hand, strict=True))[:6]:
        _, _, body = both.ask(
            "POST",
            "/v2/models/edge/infer?outputs=label,tier&outputs=degraded",
            jpeg,
            {"Content-Type": "image/jpeg"},
        )
        told = {each["name"]: each["data"][0] for each in json.loads(body)["outputs"]}
        assert told == {"label": label, "tier": tier, "degraded": False}
    status, _, body = both.ask(
        "POST", "/v2/models/edge/infer?outputs=lable", pair.pictures[0], {"Content-Type": "image/jpeg"}
    )
    assert status == 400
    assert b"has no output 'lable'; it has" in body


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "application/octet-stream"])
def test_a_picture_sent_as_a_request_is_told_its_content_type(server: Running, pair: Pair, kind: str) -> None:
    status, answer = post(server, "cloud", pair.pictures[0], kind)  # what curl says where nobody says it
    assert status == 400
    assert "HAL-501" in answer["error"]
    assert "is a JPEG picture: send it with Content-Type: image/jpeg" in answer["error"]


def test_files_under_a_wrong_name_are_told_the_right_one(server: Running, pair: Pair) -> None:
    encoded = oip.encode_request(
        {"image": as_bytes(pair.pictures[:1])["x"]}, request_id="r-1", binary=True, outputs=None
    )
    headers = {oip.HEADER_LENGTH: str(encoded.header_bytes)}
    status, _, body = server.ask("POST", "/v2/models/cloud/infer", b"".join(encoded.parts), headers)
    assert status == 400
    assert b"'x' is missing" in body
    assert b"HAL-301" in body


@pytest.mark.parametrize("kind", ["image/gif", "audio/wav", "video/mp4", "multipart/form-data; boundary=x"])
def test_a_kind_that_is_not_taken_is_refused_with_those_that_are(
    server: Running, pair: Pair, kind: str
) -> None:
    status, answer = post(server, "cloud", pair.pictures[0], kind)
    assert status == 415
    assert "takes application/json, application/octet-stream, image/jpeg, image/png" in answer["error"]
    assert "HAL-512" in answer["error"]


def test_a_model_without_a_description_takes_no_picture(pair: Pair, tmp_path: Path) -> None:
    with serving(shutil.copy(pair.cloud, tmp_path / "bare.onnx")) as running:
        status, answer = post(running, "bare", pair.pictures[0], "image/jpeg")
        assert (status, "image/jpeg: bare@1 takes application/json" in answer["error"]) == (415, True)
        encoded = oip.encode_request(as_bytes(pair.pictures[:1]), request_id="r", binary=True)
        headers = {oip.HEADER_LENGTH: str(encoded.header_bytes)}
        assert running.ask("POST", "/v2/models/bare/infer", b"".join(encoded.parts), headers)[0] == 400


def test_a_sample_that_cannot_be_read_is_named_and_the_server_goes_on(server: Running, pair: Pair) -> None:
    bad = [pair.pictures[0], pair.pictures[1][:200], pair.pictures[2]]
    encoded = oip.encode_request(as_bytes(bad), request_id="r", binary=True)
    headers = {oip.HEADER_LENGTH: str(encoded.header_bytes)}
    status, _, body = server.ask("POST", "/v2/models/cloud/infer", b"".join(encoded.parts), headers)
    assert (status, b"row 1" in body) == (400, True), body
    for junk in (b"", b"no picture", pair.pictures[0][:100]):
        status, answer = post(server, "cloud", junk, "image/png")
        assert (status, "HAL-3" in answer["error"]) == (400, True), answer
    assert post(server, "cloud", pair.pictures[0], "image/jpeg")[0] == 200
    assert "halocline_server_requests_in_progress 0.0" in server.get("/metrics")[1].decode()


def test_a_text_in_a_request_is_never_a_path_on_the_server(
    server: Running, pair: Pair, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(pair.pictures[0])
    tensor = {"name": "x", "datatype": "BYTES", "shape": [1], "data": [str(tmp_path / "photo.jpg")]}
    status, answer = post(server, "cloud", json.dumps({"inputs": [tensor]}).encode(), "application/json")
    assert (status, "row 0" in answer["error"], "HAL-31" in answer["error"]) == (400, True, True), answer


def test_others_are_answered_while_a_large_picture_is_prepared(server: Running) -> None:
    out = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (6000, 6000), np.uint8)
    Image.fromarray(noise).save(out, "PNG", compress_level=1)
    answered: list[int] = []
    asking = threading.Thread(
        target=lambda: answered.append(post(server, "cloud", out.getvalue(), "image/png")[0])
    )
    asking.start()
    others = 0
    while asking.is_alive():
        assert server.get("/v2/health/live")[0] == 200
        others += 1
    assert answered == [200]
    assert others > 20


def test_a_sound_is_taken_as_wav_and_a_picture_is_not(tmp_path: Path) -> None:
    model = linear(tmp_path, width=800, name="sound")
    (tmp_path / "sound.model.toml").write_text(
        '[input]\nkind = "sound"\nrate_hz = 8000\nseconds = 0.1\nfeature = "waveform"\n'
    )
    wave = np.sin(np.arange(800) / 7) / 2
    out = io.BytesIO()
    soundfile.write(out, wave, 8000, "PCM_16", format="WAV")
    with serving(model) as running:
        expected = answers(running, "sound", {"x": np.round(wave * 32768).astype(np.float32)[None] / 32768})
        for kind in ("audio/wav", "audio/x-wav"):
            status, answer = post(running, "sound", out.getvalue(), kind)
            assert status == 200, answer
            np.testing.assert_allclose(answer["outputs"][0]["data"], expected["p"][0], atol=1e-3)
        status, answer = post(running, "sound", out.getvalue(), "image/jpeg")
        assert (status, "audio/wav" in answer["error"]) == (415, True)
        status, answer = post(running, "sound", out.getvalue()[:30], "audio/wav")
        assert (status, "HAL-31" in answer["error"]) == (400, True), answer
        status, answer = post(running, "sound", out.getvalue()[:-400], "audio/wav")
        assert (status, "HAL-313" in answer["error"]) == (400, True), answer
        assert "announces 1600 bytes, 1200 are there" in answer["error"]


def test_raw_samples_are_held_to_the_limits_of_bodies(pair: Pair) -> None:
    with serving(pair.cloud, max_body_bytes=30_000, max_rows=8) as running:
        status, answer = post(running, "cloud", bytes(40_000), "image/png")
        assert (status, "HAL-504" in answer["error"]) == (413, True)
        for count, said in (
            (9, b"9 rows, the limit is 8"),
            (5, b"tensors of these samples take 34560 bytes"),
        ):
            encoded = oip.encode_request(as_bytes(pair.pictures[:count]), request_id="r", binary=True)
            headers = {oip.HEADER_LENGTH: str(encoded.header_bytes)}
            status, _, body = running.ask("POST", "/v2/models/cloud/infer", b"".join(encoded.parts), headers)
            assert (status, said in body) == (413, True), body
        assert post(running, "cloud", pair.pictures[0], "image/jpeg")[0] == 200
