"""Two tiers that want other sizes, scales and label orders answer as hand-written preprocessing does."""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from PIL import Image
from servers import Running, serving

import halocline as hc
from halocline.cli import main
from halocline.data import Dataset, read
from halocline.demo.datasets import graph
from halocline.demo.datasets.sample_pair import SamplePair
from halocline.wire import oip

THRESHOLD = 0.8
SIZE = (52, 44)
"""Width and height of the photos: neither model wants them so."""


@dataclass(frozen=True)
class Photos:
    """Coloured JPEG files in class folders, and what is made of them by hand."""

    pair: SamplePair
    folder: Path
    found: Dataset
    edge: np.ndarray
    """Tensors, a row a photo."""
    cloud: np.ndarray
    edge_says: np.ndarray
    """Labels, a photo each."""
    cloud_says: np.ndarray
    is_sure: np.ndarray

    @property
    def together(self) -> list[tuple[str, str]]:
        """Tier and label of each photo."""
        says = zip(self.is_sure, self.edge_says, self.cloud_says, strict=True)
        return [("edge", edge) if sure else ("cloud", cloud) for sure, edge, cloud in says]

    def right(self, said: Any) -> float:
        return float(np.mean(np.asarray(said) == self.found.labels))


@pytest.fixture(scope="module", params=["made", "real"])
def photos(request: pytest.FixtureRequest, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Photos:
    real = root.parent / "shared" / "data" / "fashion_mnist"
    if request.param == "real" and not real.is_dir():
        pytest.skip("fashion_mnist is not beside the repository")
    pair = hc.samples.pair("fashion-mnist", real if request.param == "real" else None)
    folder = tmp_path_factory.mktemp("photos")
    files = sorted(pair.test.rglob("*.png"))
    for at, path in enumerate(files[:: max(1, len(files) // 500)]):
        home = folder / path.parent.name
        home.mkdir(exist_ok=True)
        with Image.open(path) as image:
            large = image.resize(SIZE, Image.Resampling.BICUBIC)
        # Two colours of light: grey is then no copy of a channel.
        other = large.point(lambda value, at=at: value * (40 + at % 50) // 100)
        Image.merge("RGB", (large, large, other)).save(home / f"{path.stem}.jpg", quality=92)
    found = read(folder, strict=True)
    edge = np.stack([_by_hand(path, (14, 14), _numbers(pair.edge))[None] for path in found.samples])
    cloud = np.stack([_by_hand(path, (28, 28), _numbers(pair.cloud))[..., None] for path in found.samples])
    told_edge, told_cloud = _scores(pair.edge, edge), _scores(pair.cloud, cloud)
    return Photos(
        pair,
        folder,
        found,
        edge,
        cloud,
        np.array(_described(pair.edge)["labels"])[told_edge.argmax(axis=1)],
        np.array(_described(pair.cloud)["labels"])[told_cloud.argmax(axis=1)],
        told_edge.max(axis=1) >= THRESHOLD,
    )


@pytest.fixture(scope="module")
def tiers(photos: Photos) -> tuple[Any, Any]:
    return hc.load(photos.pair.edge), hc.load(photos.pair.cloud)


def _described(model: Path) -> dict[str, Any]:
    return tomllib.loads(model.with_suffix(".model.toml").read_text())


def _numbers(model: Path) -> tuple[float, float]:
    told = _described(model)["input"]
    return (*told.get("mean", [0.0]), *told.get("std", [1.0]))


def _by_hand(path: Path, size: tuple[int, int], numbers: tuple[float, float]) -> np.ndarray:
    with Image.open(path) as image:
        small = image.convert("L").resize(size, Image.Resampling.BILINEAR)
    mean, std = (np.float32(each) for each in numbers)
    return (np.asarray(small, np.float32) / np.float32(255) - mean) / std


def _scores(model: Path, tensor: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run([graph.SCORES], {graph.INPUT: tensor})[0]


def told(replies: list[hc.Reply]) -> list[tuple[str, str]]:
    return [(reply.tier.value, reply.label) for reply in replies]


def test_there_is_something_to_get_wrong(photos: Photos) -> None:
    edge, cloud = (_described(path) for path in (photos.pair.edge, photos.pair.cloud))
    assert edge["labels"] == cloud["labels"][::-1]
    for key in ("width", "mean", "layout"):
        assert edge["input"].get(key) != cloud["input"].get(key)
    tiers = [tier for tier, _ in photos.together]
    assert min(tiers.count("edge"), tiers.count("cloud")) > 50
    assert (photos.edge_says != photos.cloud_says).sum() > 20


def test_the_tensors_are_the_same_to_the_bit(photos: Photos, tiers: tuple[Any, Any]) -> None:
    edge, cloud = tiers
    assert np.array_equal(edge.conform_batch(photos.found.samples)[graph.INPUT], photos.edge)
    assert np.array_equal(cloud.conform_batch(photos.found.samples)[graph.INPUT], photos.cloud)


def test_the_library_answers_every_photo_the_same(photos: Photos, tiers: tuple[Any, Any]) -> None:
    with hc.Tiered(*tiers, threshold=THRESHOLD, deadline_s=60) as tiered:
        assert told(tiered.infer_batch(photos.found.samples)) == photos.together
        assert told([tiered.infer(path.read_bytes()) for path in photos.found.samples]) == photos.together


@pytest.mark.parametrize("send", ["tensor", "raw"])
def test_a_cloud_behind_a_server_answers_every_photo_the_same(
    photos: Photos, tiers: tuple[Any, Any], send: str
) -> None:
    with serving(photos.pair.cloud) as running:
        cloud = hc.connect(f"{running.url}/v2/models/cloud")
        with hc.Tiered(tiers[0], cloud, threshold=THRESHOLD, deadline_s=60, send=send) as tiered:
            cloud.wait_ready()
            assert told(tiered.infer_batch(photos.found.samples)) == photos.together


def test_evaluate_finds_the_same_accuracy(photos: Photos, tiers: tuple[Any, Any]) -> None:
    policy = hc.Policy(threshold=THRESHOLD)
    found = hc.evaluate(*tiers, policy, photos.found.samples, photos.found.labels, cache=False)
    assert found.edge.accuracy.value == photos.right(photos.edge_says)
    assert found.cloud.accuracy.value == photos.right(photos.cloud_says)
    assert found.tiered.accuracy.value == photos.right([label for _, label in photos.together])
    assert found.escalated.value == (~photos.is_sure).mean()


def test_both_tiers_behind_a_server_answer_plain_jpeg_bodies_the_same(photos: Photos) -> None:
    both = {
        "edge": str(photos.pair.edge),
        "cloud": str(photos.pair.cloud),
        "threshold": THRESHOLD,
        "deadline_s": 60.0,
    }
    with serving(tiers=both) as running:
        labels = _described(photos.pair.edge)["labels"]
        said = [labels[int(np.argmax(_posted(running, path)))] for path in photos.found.samples]
        assert said == [label for _, label in photos.together]
        assert photos.right(said) == photos.right([label for _, label in photos.together])
        assert _asked(running, photos.found.samples) == photos.together


def _posted(running: Running, path: Path) -> list[float]:
    status, _, body = running.ask(
        "POST", "/v2/models/edge/infer", path.read_bytes(), {"Content-Type": "image/jpeg"}
    )
    assert status == 200, body
    return json.loads(body)["outputs"][0]["data"]


def _asked(running: Running, paths: Any) -> list[tuple[str, str]]:
    """Tier and label of files that travel in one request."""
    files = np.empty(len(paths), dtype=object)
    files[:] = [path.read_bytes() for path in paths]
    encoded = oip.encode_request(
        {graph.INPUT: files}, request_id="all", binary=True, outputs=("tier", "label")
    )
    status, headers, body = running.ask(
        "POST",
        "/v2/models/edge/infer",
        b"".join(encoded.parts),
        {oip.HEADER_LENGTH: str(encoded.header_bytes)},
    )
    assert status == 200, body
    length = headers.get(oip.HEADER_LENGTH.lower())
    outputs = oip.decode_response(body, header_bytes=None if length is None else int(length)).outputs
    return [
        (tier.decode(), label.decode()) for tier, label in zip(outputs["tier"], outputs["label"], strict=True)
    ]


def test_try_prints_the_figures_that_hand_written_preprocessing_gives(
    photos: Photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HALOCLINE_CACHE", str(tmp_path / "cache"))
    words = ["--edge", photos.pair.edge, "--cloud", photos.pair.cloud, "--data", photos.folder]
    page = tmp_path / "try.html"
    assert main(["try", *map(str, words), "--escalate", "30%", "--out", str(page), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    ready = {edge.tobytes(): cloud for edge, cloud in zip(photos.edge, photos.cloud, strict=True)}
    by_hand = hc.try_(
        hc.load(photos.pair.edge, description=False),
        hc.load(photos.pair.cloud, description=False),
        photos.edge,
        photos.found.labels,
        escalate=0.3,
        to_cloud=lambda rows: np.stack([ready[row.tobytes()] for row in rows]),
        cache=False,
    ).as_dict()
    for ways in ("edge_alone", "cloud_alone", "tiered"):
        assert said[ways]["accuracy"]["value"] == by_hand[ways].accuracy.value, ways
        assert 0.7 < said[ways]["accuracy"]["value"] < 1
    assert said["threshold"] == pytest.approx(by_hand["threshold"], abs=1e-6)
    assert said["saved"] == by_hand["saved"]
    assert said["curve"]["accuracy"] == pytest.approx(by_hand["curve"]["accuracy"])
    assert page.read_text(encoding="utf-8").count("data:image/") >= 5
