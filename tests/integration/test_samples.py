"""The digit samples: unseen rows, models worth tiering, and a cache that damage cannot fool."""

import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from halocline.adapters.onnxruntime.loading import load
from halocline.data import Series, read
from halocline.demo import samples
from halocline.demo.datasets import machine
from halocline.demo.datasets.kits import KITS
from halocline.demo.datasets.sample_pair import SamplePair
from halocline.errors import Misconfigured
from halocline.inputs.description import SeriesInput
from halocline.inputs.series import windows
from halocline.records import ScoreKind


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that was filled once."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HALOCLINE_CACHE", str(cache))
        samples.digits()
    return cache


@pytest.fixture
def cache(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A filled cache folder of this test's own."""
    copy = tmp_path / "cache"
    shutil.copytree(trained, copy)
    monkeypatch.setenv("HALOCLINE_CACHE", str(copy))
    return copy


def probabilities(path: Path, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["probabilities"], {"X": x})[0])


def test_the_test_rows_of_the_five_splits_are_every_digit_once(cache: Path) -> None:
    from sklearn.datasets import load_digits

    pixels, _ = load_digits(return_X_y=True)
    folds = samples.digit_folds().folds
    rows = np.concatenate([fold.x for fold in folds])
    assert rows.shape == (1_797, 64)
    assert (rows.min(), rows.max(), rows.dtype) == (0.0, 1.0, np.float32)
    assert sorted(map(bytes, rows)) == sorted(map(bytes, (pixels / 16).astype(np.float32)))


def test_tiering_saves_most_cloud_calls_and_keeps_the_clouds_accuracy(cache: Path) -> None:
    edge_right, cloud_right, tiered_right, escalated = [], [], [], []
    for fold in samples.digit_folds().folds:
        edge, cloud = probabilities(fold.edge_path, fold.x), probabilities(fold.cloud_path, fold.x)
        up = edge.max(axis=1) < fold.threshold
        edge_right.append(edge.argmax(axis=1) == fold.y)
        cloud_right.append(cloud.argmax(axis=1) == fold.y)
        tiered_right.append(np.where(up, cloud_right[-1], edge_right[-1]))
        escalated.append(up)
    edge_accuracy, cloud_accuracy, tiered_accuracy, escalated_share = (
        float(np.concatenate(each).mean()) for each in (edge_right, cloud_right, tiered_right, escalated)
    )
    assert 0.9 < edge_accuracy < cloud_accuracy - 0.01
    assert tiered_accuracy >= cloud_accuracy - 0.003
    assert 1 - escalated_share >= 0.70


def test_the_models_carry_their_labels_and_say_what_their_scores_are(cache: Path) -> None:
    digits = samples.digits()
    for path in (digits.edge_path, digits.cloud_path):
        spec = load(path).spec
        assert spec.labels == digits.labels
        assert (spec.score_output, spec.score_kind) == ("probabilities", ScoreKind.PROBABILITIES)


def test_a_filled_cache_is_read_not_trained_again(cache: Path) -> None:
    before = samples.digits().edge_path.stat().st_mtime_ns
    assert samples.digits().edge_path.stat().st_mtime_ns == before
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize(
    "damaged", ["edge-0.onnx", "cloud/digits-1/1/model.onnx", "rows-4.npz", "manifest.json"]
)
def test_a_damaged_cache_is_made_again(cache: Path, damaged: str) -> None:
    folder = samples.digits().edge_path.parent
    whole = (folder / damaged).read_bytes()
    (folder / damaged).write_bytes(whole[: len(whole) // 2])
    again = samples.digits()
    assert again.edge_path.parent == folder
    assert probabilities(again.cloud_path, again.x).shape == (len(again.x), 10)
    assert (folder / damaged).stat().st_size > len(whole) // 2
    assert [path.name for path in cache.iterdir()] == [folder.name]
    assert not (folder / "damaged").exists()


def test_a_crash_while_writing_leaves_nothing_half_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HALOCLINE_CACHE", str(tmp_path))

    def fails(folder: Path) -> None:
        (folder / "edge-0.onnx").write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(samples, "_write_all", fails)
    with pytest.raises(OSError, match="disk full"):
        samples.digits()
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_the_error_names_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("halocline.extras.find_spec", lambda name: None)
    with pytest.raises(Misconfigured, match=r"pip install 'halocline\[demo\]'"):
        samples.digits()


# Pairs that take raw samples


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SamplePair]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HALOCLINE_CACHE", str(tmp_path_factory.mktemp("cache")))
        return {name: samples.pair(name) for name in KITS}


@pytest.mark.parametrize("name", KITS)
def test_files_give_the_tensors_that_the_models_were_trained_on(
    pairs: dict[str, SamplePair], name: str
) -> None:
    parts = KITS[name].made()
    for path in (pairs[name].edge, pairs[name].cloud):
        model = load(path)
        told = model.spec.input
        series = Series(told.window, told.hop) if isinstance(told, SeriesInput) else None
        found = read(pairs[name].test, strict=True, series=series)
        held = windows(parts.test.samples, told) if series else parts.test.samples
        fed = {row.tobytes() for row in model.conform_batch(list(held))["x"]}
        assert {row.tobytes() for row in model.conform_batch(found.samples)["x"]} == fed
        assert len(fed) > 100


@pytest.mark.parametrize("name", KITS)
def test_the_two_models_of_a_pair_are_not_given_the_same(pairs: dict[str, SamplePair], name: str) -> None:
    edge, cloud = load(pairs[name].edge).spec, load(pairs[name].cloud).spec
    assert edge.input is not None
    assert cloud.input is not None
    assert edge.input != cloud.input
    assert sorted(edge.labels) == sorted(cloud.labels)
    assert name.startswith("machine") or edge.labels != cloud.labels


def test_a_scorer_raises_as_many_alarms_where_it_was_trained_as_there_were_failures(
    pairs: dict[str, SamplePair],
) -> None:
    parts = KITS["machine-temperature"].made()
    for path in (pairs["machine-temperature"].edge, pairs["machine-temperature"].cloud):
        model = load(path)
        told = model.spec.input
        feed = model.conform_batch(list(windows(parts.train.samples, told)))
        score = model.run(feed)[1][:, 0]
        near = parts.train.y[told.window - 1 :: told.hop][: len(score)]
        assert abs((score >= 0).mean() - near.mean()) < 0.02


def test_a_pair_is_made_once_and_for_each_set_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HALOCLINE_CACHE", str(tmp_path / "cache"))
    first = samples.pair("machine-temperature")
    before = first.edge.stat().st_mtime_ns
    assert samples.pair("machine-temperature") == first
    assert first.edge.stat().st_mtime_ns == before
    real = tmp_path / "real"
    real.mkdir()
    rows = [
        f"2020-01-01 00:00:00,{90 + at % 7 - 20 * (at % 900 < 90)},{int(at % 900 < 90)}"
        for at in range(13_000)
    ]
    for more in ("", "2020-01-01 00:00:00,90,0"):
        (real / machine.FILES[0]).write_text(
            "\n".join(["timestamp,value,in_anomaly_window", *rows, more]), encoding="utf-8"
        )
        other = samples.pair("machine-temperature", real)
        assert other.edge.parent != first.edge.parent
        first = other


def test_a_pair_that_is_not_known_or_a_folder_that_is_not_the_set_is_told(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"one of fashion-mnist, speech, .* got 'cifar' \[HAL-102\]"):
        samples.pair("cifar")
    for name in KITS:
        with pytest.raises(Misconfigured, match="HAL-304"):
            samples.pair(name, tmp_path)
    (tmp_path / machine.FILES[0]).write_text("time,value\n1,2\n")
    with pytest.raises(Misconfigured, match="is not a table of timestamp, value and in_anomaly_window"):
        samples.pair("machine-temperature", tmp_path)
